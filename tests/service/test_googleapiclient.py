"""The client that Google gave its users, unmodified, against a running service (docs/contract.md 8.1)."""

from collections.abc import Iterator
from typing import Any

import pytest
from googleapiclient.errors import HttpError  # type: ignore[import-untyped]

from tests.google_client import build_ml
from tests.service.door import Project


@pytest.fixture
def jobs(project: Project) -> Iterator[Any]:
    with build_ml(project.door.address) as ml:
        yield ml.projects().jobs()


@pytest.fixture
def parent(project: Project) -> str:
    return f"projects/{project.name}"


def test_a_job_is_created_read_and_cancelled(project: Project, jobs: Any, parent: str) -> None:
    body = project.body("census_1", scaleTier="CUSTOM", masterType="standard", args=["--epochs", "3"])
    created = jobs.create(parent=parent, body=body).execute()
    assert created["state"] == "QUEUED"
    assert created["trainingInput"] == body["trainingInput"]

    name = f"{parent}/jobs/census_1"
    assert jobs.get(name=name).execute() == created
    assert jobs.cancel(name=name).execute() == {}
    assert jobs.cancel(name=name, body={}).execute() == {}
    assert jobs.cancel(name=name, body={"name": name}).execute() == {}
    assert jobs.get(name=name).execute()["state"] == "CANCELLING"


def test_pages_are_followed_to_the_end(project: Project, jobs: Any, parent: str) -> None:
    names = [project.create()["jobId"] for _ in range(7)]
    listed: list[str] = []
    request = jobs.list(parent=parent, pageSize=3)
    while request is not None:
        answer = request.execute()
        listed += [job["jobId"] for job in answer.get("jobs", [])]
        request = jobs.list_next(request, answer)
    assert listed == names[::-1]


def test_labels_are_patched_unless_the_job_has_changed(project: Project, jobs: Any, parent: str) -> None:
    job = project.create("a")
    body = {"labels": {"owner": "ana"}, "etag": job["etag"]}
    request = {"name": f"{parent}/jobs/a", "updateMask": "labels,etag", "body": body}
    assert jobs.patch(**request).execute()["labels"] == {"owner": "ana"}
    with pytest.raises(HttpError) as refused:
        jobs.patch(**request).execute()
    assert refused.value.status_code == 409


def test_a_policy_is_set_read_and_asked_about(project: Project, jobs: Any, parent: str) -> None:
    project.create("a")
    resource = f"{parent}/jobs/a"
    policy = jobs.getIamPolicy(resource=resource, options_requestedPolicyVersion=3).execute()
    policy["bindings"] = [{"role": "roles/ml.viewer", "members": ["user:ana@example.com"]}]
    answer = jobs.setIamPolicy(resource=resource, body={"policy": policy}).execute()
    assert answer["bindings"] == policy["bindings"]
    assert jobs.getIamPolicy(resource=resource).execute() == answer
    asked = {"permissions": ["ml.jobs.get"]}
    assert jobs.testIamPermissions(resource=resource, body=asked).execute() == asked


@pytest.mark.parametrize("terms", [1, 100])
def test_a_filter_of_any_length_is_followed_page_by_page(
    project: Project, jobs: Any, parent: str, terms: int
) -> None:
    """The client makes a POST of a GET whose address is longer than 2048 characters."""
    names = [project.create()["jobId"] for _ in range(5)]
    project.create("other")
    filter_ = " ".join(["NOT jobId:other*"] * terms)
    listed: list[str] = []
    request = jobs.list(parent=parent, pageSize=2, filter=filter_)
    while request is not None:
        answer = request.execute()
        listed += [job["jobId"] for job in answer.get("jobs", [])]
        request = jobs.list_next(request, answer)
    assert listed == names[::-1]


def test_an_empty_project_lists_nothing(jobs: Any, parent: str) -> None:
    assert jobs.list(parent=parent).execute() == {}


def test_errors_are_read_with_their_status_and_their_reason(project: Project, jobs: Any, parent: str) -> None:
    with pytest.raises(HttpError) as missing:
        jobs.get(name=f"{parent}/jobs/nope").execute()
    assert missing.value.status_code == 404
    assert "There is no job" in missing.value.reason

    jobs.create(parent=parent, body=project.body("taken")).execute()
    with pytest.raises(HttpError) as taken:
        jobs.create(parent=parent, body=project.body("taken")).execute()
    assert taken.value.status_code == 409

    with pytest.raises(HttpError) as unknown:
        jobs.create(parent=parent, body={"jobId": "a", "gpus": 1}).execute()
    assert unknown.value.status_code == 400
    assert "Cannot find field" in unknown.value.reason
    (detail,) = unknown.value.error_details
    assert detail["fieldViolations"][0]["field"] == "job"
