"""projects.jobs.get and list."""

import base64
import hashlib
from typing import Any

import pytest

from store.jobs import NewJob, create_job
from tests.service.door import Project, answer_of, error_of, violations


def add_jobs(project: Project, count: int) -> None:
    with project.door.database.write() as session:
        for number in range(count):
            create_job(session, NewJob(project.name, f"job_{number}", {}, None, {}, 0), 1.5e9 + number)


def page(project: Project, **query: Any) -> tuple[list[str], str | None]:
    answer = answer_of(project.http.get("/jobs", params=query))
    return [job["jobId"] for job in answer["jobs"]], answer.get("nextPageToken")


def test_a_project_without_jobs_lists_nothing_at_all(project: Project) -> None:
    assert answer_of(project.http.get("/jobs")) == {}


def test_jobs_are_listed_newest_first_as_get_shows_them(project: Project) -> None:
    created = [project.create(f"job_{number}") for number in range(3)]
    listed = answer_of(project.http.get("/jobs"))
    assert listed == {"jobs": [project.get(job["jobId"]) for job in reversed(created)]}


def test_a_hundred_and_one_jobs_come_in_pages(project: Project) -> None:
    add_jobs(project, 101)
    everything = [f"job_{number}" for number in reversed(range(101))]

    first, token = page(project)
    assert first == everything[:20]
    second, _ = page(project, pageToken=token)
    assert second == everything[20:40]

    most, token = page(project, pageSize=1000)
    assert most == everything[:100]
    assert page(project, pageSize=100, pageToken=token) == (["job_0"], None)


def test_a_list_that_fits_its_page_has_no_next_one(project: Project) -> None:
    add_jobs(project, 5)
    assert page(project, pageSize=5)[1] is None
    assert page(project, pageSize=4)[1] is not None


def test_jobs_that_come_while_paging_shift_nothing(project: Project) -> None:
    add_jobs(project, 4)
    first, token = page(project, pageSize=2)
    project.create("late")
    assert first + page(project, pageSize=2, pageToken=token)[0] == ["job_3", "job_2", "job_1", "job_0"]


@pytest.mark.parametrize("size", ["", "0"])
def test_no_page_size_is_twenty(project: Project, size: str) -> None:
    add_jobs(project, 21)
    assert len(page(project, pageSize=size)[0]) == 20


@pytest.mark.parametrize("size", ["-1", "ten", "1.5", " 1", "٣", "9" * 5000])
def test_a_page_size_that_is_none_is_refused(project: Project, size: str) -> None:
    (violation,) = violations(project.http.get("/jobs", params={"pageSize": size}))
    assert violation["field"] == "page_size"


def forged(project: str, key: int) -> str:
    check = hashlib.sha256(f"{project}/{key}/".encode()).hexdigest()[:8]
    return base64.urlsafe_b64encode(f"{key}.{check}".encode()).decode().rstrip("=")


@pytest.mark.parametrize("token", ["x", "AAAA", "é", "\0", "=", "a" * 5000, "MS4wMDAwMDAwMA"])
def test_a_token_that_is_none_is_refused(project: Project, token: str) -> None:
    (violation,) = violations(project.http.get("/jobs", params={"pageToken": token}))
    assert violation["field"] == "page_token"


def test_a_token_with_a_number_that_no_row_can_have_is_refused(project: Project) -> None:
    for key in (2**63, 10**30, -1):
        violations(project.http.get("/jobs", params={"pageToken": forged(project.name, key)}))


def test_a_token_of_another_project_is_refused(project: Project) -> None:
    add_jobs(project, 3)
    _, token = page(project, pageSize=1)
    elsewhere = project.http.base_url.copy_with(path=f"/v1/projects/{project.name}-b/jobs")
    (violation,) = violations(project.http.get(elsewhere, params={"pageToken": token}))
    assert violation["field"] == "page_token"


def test_parameters_that_any_method_takes_are_no_error(project: Project) -> None:
    project.create("a")
    common = {"alt": "json", "prettyPrint": "true", "key": "k", "quotaUser": "me", "fields": "jobId"}
    assert project.http.get("/jobs/a", params=common).json() == {"jobId": "a"}


def test_a_job_of_another_project_is_not_found(project: Project) -> None:
    project.create("private")
    other = project.http.base_url.copy_with(path=f"/v1/projects/{project.name}-b/jobs/private")
    error = error_of(project.http.get(other), 404, "NOT_FOUND")
    assert f"projects/{project.name}-b/jobs/private" in error["message"]


def test_the_version_may_be_left_out_of_the_path(project: Project) -> None:
    created = project.create("a")
    bare = project.http.base_url.copy_with(path=f"/projects/{project.name}/jobs/a")
    assert answer_of(project.http.get(bare)) == created
