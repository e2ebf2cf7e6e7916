"""A POST that means another method (docs/contract.md 1.1)."""

from urllib.parse import urlencode

import httpx
import pytest

from tests.service.door import Project, answer_of, error_of, violations

FORM = "application/x-www-form-urlencoded"


def post(project: Project, path: str, method: str, content: bytes, kind: str = FORM) -> httpx.Response:
    headers = {"X-HTTP-Method-Override": method, "Content-Type": kind}
    return project.http.post(path, content=content, headers=headers)


@pytest.mark.parametrize("kind", [FORM, FORM.upper() + "; charset=utf-8"])
def test_the_query_of_a_get_may_be_its_body(project: Project, kind: str) -> None:
    for _ in range(3):
        project.create()
    query = {"filter": "jobId:job_*", "pageSize": 2}
    answer = answer_of(post(project, "/jobs", "get", urlencode(query).encode(), kind))
    assert answer == answer_of(project.http.get("/jobs", params=query))
    assert len(answer["jobs"]) == 2


def test_what_is_wrong_in_such_a_query_is_told_as_ever(project: Project) -> None:
    (violation,) = violations(post(project, "/jobs", "GET", b"filter=x"))
    assert violation["field"] == "filter"
    assert (
        violations(post(project, "/jobs?pageSize=x", "GET", b"filter=state:FAILED"))[0]["field"]
        == "page_size"
    )


def test_a_patch_may_come_as_a_post(project: Project) -> None:
    project.create("a")
    answer = post(
        project, "/jobs/a?updateMask=labels", "PATCH", b'{"labels": {"a": "1"}}', "application/json"
    )
    assert answer_of(answer)["labels"] == {"a": "1"}


def test_a_method_that_is_not_served_is_not_served_so_either(project: Project) -> None:
    project.create("a")
    for method in ("DELETE", "PUT", "HEAD", "X"):
        assert post(project, "/jobs/a:cancel", method, b"").status_code == 501
    assert project.get("a")["state"] == "QUEUED"


def test_a_query_has_an_end(project: Project) -> None:
    error_of(post(project, "/jobs", "GET", b"filter=" + b"a" * 70_000), 413, "INVALID_ARGUMENT")


def test_a_get_stays_one(project: Project) -> None:
    assert answer_of(project.http.get("/jobs", headers={"X-HTTP-Method-Override": "DELETE"})) == {}
