"""Rules that a well-typed policy must keep (docs/contract.md 1.6). Violations say what would be right."""

import re
from collections.abc import Iterator

from api_schemas.errors import FieldViolation
from api_schemas.names import shortened
from api_schemas.policies import AuditConfig, Binding, Policy

VERSIONS = (0, 1, 3)
CONDITIONAL_VERSION = 3
MAX_MEMBERS = 1500
ROLE = re.compile(r"((projects|organizations)/[^/\s]+/)?roles/[A-Za-z0-9_.]+")
MEMBER = re.compile(
    r"allUsers|allAuthenticatedUsers"
    r"|(deleted:)?(user|serviceAccount|group):[^\s@]+@[^\s@]+"
    r"|serviceAccount:[^\s\[\]]+\[[^\s\[\]/]+/[^\s\[\]/]+\]"
    r"|domain:[^\s@:/]+"
    r"|project(Owner|Editor|Viewer):\S+"
    r"|(deleted:)?principal(Set)?://\S+"
)


def policy_violations(policy: Policy) -> Iterator[FieldViolation]:
    """Everything that is wrong with a policy, by paths that begin at `policy`."""
    version = policy.version or 0
    if version not in VERSIONS:
        yield FieldViolation("policy.version", f"Must be 0, 1 or 3; it is {version}.")
    elif version != CONDITIONAL_VERSION and any(binding.condition for binding in policy.bindings):
        yield FieldViolation("policy.version", f"Must be 3: a binding has a condition; it is {version}.")
    members = sum(len(binding.members) for binding in policy.bindings)
    if members > MAX_MEMBERS:
        yield FieldViolation("policy.bindings", f"At most {MAX_MEMBERS} members; these are {members}.")
        return
    for index, binding in enumerate(policy.bindings):
        yield from _binding_violations(f"policy.bindings[{index}]", binding)
    for index, config in enumerate(policy.audit_configs):
        yield from _audit_violations(f"policy.audit_configs[{index}]", config)


def _binding_violations(path: str, binding: Binding) -> Iterator[FieldViolation]:
    if not ROLE.fullmatch(binding.role or ""):
        forms = "roles/R, projects/P/roles/R or organizations/O/roles/R"
        yield FieldViolation(f"{path}.role", f"Must be {forms}, not '{shortened(binding.role or '')}'.")
    if not binding.members:
        yield FieldViolation(f"{path}.members", "Is needed: at least one member has the role.")
    yield from _member_violations(f"{path}.members", binding.members)
    if binding.condition is not None and not binding.condition.expression:
        yield FieldViolation(f"{path}.condition.expression", "Is needed, or leave the condition out.")


def _audit_violations(path: str, config: AuditConfig) -> Iterator[FieldViolation]:
    if not config.service:
        yield FieldViolation(f"{path}.service", "Is needed, such as ml.googleapis.com or allServices.")
    for index, log in enumerate(config.audit_log_configs):
        at = f"{path}.audit_log_configs[{index}]"
        if not log.log_type:
            yield FieldViolation(f"{at}.log_type", "Is needed: ADMIN_READ, DATA_WRITE or DATA_READ.")
        yield from _member_violations(f"{at}.exempted_members", log.exempted_members)


def _member_violations(path: str, members: list[str]) -> Iterator[FieldViolation]:
    for index, member in enumerate(members):
        if not MEMBER.fullmatch(member):
            forms = "user:, group: or serviceAccount: and an address, domain: and a domain, allUsers"
            yield FieldViolation(
                f"{path}[{index}]", f"Must be {forms}, or the like; not '{shortened(member)}'."
            )
