"""Who may be a member of a policy, and what may be a role (docs/contract.md 1.6)."""

import pytest

from api_schemas.policies import Binding, Policy
from api_schemas.policy_rules import policy_violations


def refused(role: str, member: str) -> list[str]:
    policy = Policy(bindings=[Binding(role=role, members=[member])])
    return [violation.field for violation in policy_violations(policy)]


@pytest.mark.parametrize(
    "member",
    [
        "allUsers",
        "allAuthenticatedUsers",
        "user:ana@example.com",
        "group:team@example.com",
        "serviceAccount:trainer@p.iam.gserviceaccount.com",
        "serviceAccount:p.svc.id.goog[training/default]",
        "domain:example.com",
        "projectOwner:p",
        "principal://iam.googleapis.com/locations/global/workforcePools/a/subject/b",
        "principalSet://iam.googleapis.com/locations/global/workforcePools/a/*",
        "deleted:user:ana@example.com?uid=123456789012345678901",
        "deleted:principal://iam.googleapis.com/locations/global/workforcePools/a/subject/b",
    ],
)
def test_a_member_is_one_of_the_kinds_there_are(member: str) -> None:
    assert refused("roles/ml.viewer", member) == []


@pytest.mark.parametrize(
    "member",
    [
        "",
        "ana",
        "ana@example.com",
        "user:",
        "user:ana",
        "User:ana@example.com",
        "user:a b@c",
        "domain:a@b",
        "allusers",
    ],
)
def test_something_else_is_no_member(member: str) -> None:
    assert refused("roles/ml.viewer", member) == ["policy.bindings[0].members[0]"]


@pytest.mark.parametrize(
    "role", ["roles/viewer", "roles/ml.admin", "projects/p/roles/a_1", "organizations/7/roles/x"]
)
def test_a_role_is_predefined_or_of_a_project_or_an_organization(role: str) -> None:
    assert refused(role, "allUsers") == []


@pytest.mark.parametrize(
    "role", ["", "viewer", "roles/", "Roles/viewer", "folders/f/roles/x", "roles/a b", "roles/a/b"]
)
def test_something_else_is_no_role(role: str) -> None:
    assert refused(role, "allUsers") == ["policy.bindings[0].role"]
