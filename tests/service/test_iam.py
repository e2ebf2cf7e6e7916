"""The three methods of a job's policy (docs/contract.md 1.6)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.service.door import Project, answer_of, error_of, violations

VIEWERS = {"role": "roles/ml.viewer", "members": ["user:ana@example.com", "group:team@example.com"]}
EXPIRING = {
    "role": "projects/p/roles/ml.custom_1",
    "members": ["serviceAccount:trainer@p.iam.gserviceaccount.com"],
    "condition": {"expression": "request.time < timestamp('2030-01-01T00:00:00Z')", "title": "until 2030"},
}


@pytest.fixture
def job(project: Project) -> dict[str, Any]:
    return project.create("a")


def get(project: Project, **query: Any) -> dict[str, Any]:
    return answer_of(project.http.get("/jobs/a:getIamPolicy", params=query))


def post(project: Project, policy: Any, job_id: str = "a", **fields: Any) -> httpx.Response:
    return project.http.post(f"/jobs/{job_id}:setIamPolicy", json={"policy": policy, **fields})


def ask(project: Project, *permissions: str, job_id: str = "a") -> httpx.Response:
    return project.http.post(f"/jobs/{job_id}:testIamPermissions", json={"permissions": permissions})


@pytest.mark.usefixtures("job")
def test_a_job_that_was_given_no_policy_has_an_etag_alone(project: Project) -> None:
    assert get(project).keys() == {"etag"}


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize(
    "policy",
    [
        {"bindings": [VIEWERS]},
        {"version": 1, "bindings": [VIEWERS, {"role": "roles/owner", "members": ["allUsers"]}]},
        {"version": 3, "bindings": [VIEWERS, EXPIRING]},
        {},
    ],
)
def test_a_policy_comes_back_as_it_was_set(project: Project, policy: dict[str, Any]) -> None:
    answer = answer_of(post(project, policy))
    assert answer == {**policy, "etag": answer["etag"]}
    assert get(project) == answer


@pytest.mark.usefixtures("job")
def test_the_policy_that_was_read_can_be_set_once(project: Project) -> None:
    read = get(project)
    first = answer_of(post(project, {**read, "bindings": [VIEWERS]}))
    assert first["etag"] != read["etag"]
    refused = post(project, {**read, "bindings": []})
    assert f"projects/{project.name}/jobs/a" in error_of(refused, 409, "ABORTED")["message"]
    assert get(project) == first


@pytest.mark.usefixtures("job")
def test_of_policies_set_at_once_with_one_etag_one_is_kept(project: Project) -> None:
    etag = get(project)["etag"]
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(
            lambda _: post(project, {"bindings": [VIEWERS], "etag": etag}).status_code, range(8)
        )
        assert sorted(answers) == [200] + [409] * 7


@pytest.mark.usefixtures("job")
def test_a_policy_without_an_etag_overwrites(project: Project) -> None:
    answer_of(post(project, {"bindings": [VIEWERS]}))
    assert "bindings" not in answer_of(post(project, {}))


@pytest.mark.usefixtures("job")
def test_audit_configs_change_only_where_the_mask_names_them(project: Project) -> None:
    audit = [{"service": "allServices", "auditLogConfigs": [{"logType": "DATA_READ"}]}]
    policy = {"bindings": [VIEWERS], "auditConfigs": audit}
    assert "auditConfigs" not in answer_of(post(project, policy))
    for mask in ("auditConfigs", "audit_configs"):
        assert answer_of(post(project, {"auditConfigs": audit}, updateMask=mask))["auditConfigs"] == audit
    both = answer_of(post(project, {}, updateMask="bindings, etag"))
    assert both.keys() == {"auditConfigs", "etag"}


@pytest.mark.usefixtures("job")
def test_an_etag_that_the_mask_leaves_out_is_not_compared(project: Project) -> None:
    answer_of(post(project, {"bindings": [VIEWERS], "etag": "AAAA"}, updateMask="bindings"))


def test_a_policy_and_its_job_have_etags_of_their_own(project: Project, job: dict[str, Any]) -> None:
    assert get(project)["etag"] != job["etag"]
    answer_of(post(project, {"bindings": [VIEWERS]}))
    assert project.get("a") == job


def test_a_policy_is_no_part_of_the_job(project: Project, job: dict[str, Any]) -> None:
    answer_of(post(project, {"bindings": [VIEWERS]}))
    assert project.get("a").keys() == job.keys()


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ({"version": 2}, "policy.version"),
        ({"version": -1}, "policy.version"),
        ({"version": 1, "bindings": [EXPIRING]}, "policy.version"),
        ({"bindings": [{**VIEWERS, "role": "viewer"}]}, "policy.bindings[0].role"),
        ({"bindings": [VIEWERS, {"members": ["allUsers"]}]}, "policy.bindings[1].role"),
        ({"bindings": [{"role": "roles/viewer"}]}, "policy.bindings[0].members"),
        ({"bindings": [{**VIEWERS, "members": ["allUsers", "ana"]}]}, "policy.bindings[0].members[1]"),
        ({"bindings": [{**VIEWERS, "members": ["user:"]}]}, "policy.bindings[0].members[0]"),
        ({"bindings": [{**VIEWERS, "members": ["allUsers"] * 1501}]}, "policy.bindings"),
        (
            {"version": 3, "bindings": [{**VIEWERS, "condition": {}}]},
            "policy.bindings[0].condition.expression",
        ),
        ({"bindings": [{**VIEWERS, "members": ["domain:" + "a" * 70_000]}]}, "policy"),
        ({"bindings": [{**VIEWERS, "members": [7]}]}, "policy.bindings[0].members[0]"),
        ({"bindings": [{**VIEWERS, "rule": 1}]}, "policy.bindings[0]"),
        ({"etag": "?"}, "policy.etag"),
        (None, "policy"),
        ([], "policy"),
    ],
)
def test_a_policy_that_is_wrong_is_refused_and_changes_nothing(
    project: Project, policy: Any, field: str
) -> None:
    before = get(project)
    assert [each["field"] for each in violations(post(project, policy))] == [field]
    assert get(project) == before


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({}, "service"),
        ({"service": "allServices", "auditLogConfigs": [{}]}, "audit_log_configs[0].log_type"),
        (
            {"service": "x", "auditLogConfigs": [{"logType": "DATA_READ", "exemptedMembers": ["ana"]}]},
            "audit_log_configs[0].exempted_members[0]",
        ),
    ],
)
def test_an_audit_config_that_is_wrong_is_refused(
    project: Project, config: dict[str, Any], field: str
) -> None:
    (violation,) = violations(post(project, {"auditConfigs": [config]}, updateMask="auditConfigs"))
    assert violation["field"] == f"policy.audit_configs[0].{field}"


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize("mask", ["bindings.members", "labels", "bindings,", ","])
def test_a_mask_of_something_else_is_refused(project: Project, mask: str) -> None:
    assert [each["field"] for each in violations(post(project, {}, updateMask=mask))] == ["update_mask"]


@pytest.mark.usefixtures("job")
def test_a_field_that_is_none_of_the_request_is_refused(project: Project) -> None:
    (violation,) = violations(post(project, {}, polizy={}))
    assert violation["field"] == "polizy"
    assert violation["description"].endswith('Unknown name "polizy": Cannot find field.')


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize("version", ["", "0", "1", "3"])
def test_every_version_of_a_policy_can_be_asked_for(project: Project, version: str) -> None:
    set_ = answer_of(post(project, {"version": 3, "bindings": [EXPIRING]}))
    assert get(project, **{"options.requestedPolicyVersion": version}) == set_


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize("version", ["2", "-1", "x", "1.0", "3" * 5000])
def test_a_version_that_no_policy_has_is_refused(project: Project, version: str) -> None:
    params = {"options.requestedPolicyVersion": version}
    (violation,) = violations(project.http.get("/jobs/a:getIamPolicy", params=params))
    assert violation["field"] == "options.requested_policy_version"


@pytest.mark.parametrize("job_id", ["unknown", "a-b", "%00"])
def test_a_policy_of_what_is_no_job_is_not_found(project: Project, job_id: str) -> None:
    error_of(project.http.get(f"/jobs/{job_id}:getIamPolicy"), 404, "NOT_FOUND")
    error_of(post(project, {}, job_id), 404, "NOT_FOUND")


@pytest.mark.usefixtures("job")
def test_a_caller_has_those_permissions_that_there_are(project: Project) -> None:
    asked = ("ml.jobs.update", "ml.jobs.fly", "storage.buckets.get", "ml.jobs.get", "ml.jobs.update")
    assert answer_of(ask(project, *asked)) == {"permissions": ["ml.jobs.update", "ml.jobs.get"]}
    assert answer_of(ask(project, "ml.jobs.fly")) == {}
    assert answer_of(ask(project)) == {}
    assert answer_of(project.http.post("/jobs/a:testIamPermissions")) == {}


@pytest.mark.parametrize("job_id", ["unknown", "a-b", "%00", "a:cancel"])
def test_of_what_is_no_job_nobody_has_a_permission(project: Project, job_id: str) -> None:
    assert answer_of(ask(project, "ml.jobs.get", job_id=job_id)) == {}


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize("permission", ["*", "ml.*", "ml.jobs.*"])
def test_a_wildcard_is_no_permission(project: Project, permission: str) -> None:
    (violation,) = violations(ask(project, "ml.jobs.get", permission))
    assert violation["field"] == "permissions[1]"
