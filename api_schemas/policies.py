"""Policies of jobs: who has which role (docs/contract.md 1.6)."""

from typing import Annotated

from pydantic import Field

from api_schemas.enums import AuditLogType
from api_schemas.scalars import WRITES_NAME, Bytes, FieldMask, Int32, Message, Text, Texts, reads

DEFAULT_POLICY_MASK = "bindings,etag"


class Expr(Message):
    """A condition in the Common Expression Language; kept as text."""

    expression: Text | None = None
    title: Text | None = None
    description: Text | None = None
    location: Text | None = None


class Binding(Message):
    """Members that have a role, as long as the condition holds."""

    role: Text | None = None
    members: Texts = Field(default_factory=list)
    condition: Expr | None = None


class AuditLogConfig(Message):
    log_type: Annotated[AuditLogType, reads(AuditLogType), WRITES_NAME] | None = None
    exempted_members: Texts = Field(default_factory=list)


class AuditConfig(Message):
    """What is logged of one service's calls."""

    service: Text | None = None
    audit_log_configs: list[AuditLogConfig] = Field(default_factory=list)


class Policy(Message):
    version: Int32 | None = None
    bindings: list[Binding] = Field(default_factory=list)
    audit_configs: list[AuditConfig] = Field(default_factory=list)
    etag: Bytes | None = None


class SetIamPolicyRequest(Message):
    """The body of setIamPolicy."""

    policy: Policy | None = None
    update_mask: FieldMask | None = None


class TestIamPermissionsRequest(Message):
    """The body of testIamPermissions."""

    __test__ = False  # pytest takes the name for a test's

    permissions: Texts = Field(default_factory=list)


class TestIamPermissionsResponse(Message):
    """The answer of testIamPermissions."""

    __test__ = False

    permissions: Texts = Field(default_factory=list)
