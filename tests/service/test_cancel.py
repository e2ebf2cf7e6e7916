"""projects.jobs.cancel (docs/contract.md 1.5)."""

import pytest

from store.jobs import lock_job, set_state
from store.states import State
from tests.service.door import Project, answer_of, error_of


@pytest.mark.parametrize("body", [None, b"", b"{}", b'{"name": "projects/p/jobs/a"}', b"no JSON at all"])
def test_a_cancel_needs_no_body_and_minds_none(project: Project, body: bytes | None) -> None:
    project.create("a")
    response = project.http.post("/jobs/a:cancel", content=body)
    assert answer_of(response) == {}
    assert project.get("a")["state"] == "CANCELLING"


def test_a_cancelled_job_says_why(project: Project) -> None:
    project.create("a")
    project.http.post("/jobs/a:cancel")
    assert project.get("a")["errorMessage"] == "The job was cancelled by its user."


def test_the_worker_is_told_of_the_first_cancel_only(project: Project) -> None:
    project.create("a")
    before = len(project.door.notified)
    for _ in range(2):
        assert answer_of(project.http.post("/jobs/a:cancel")) == {}
    assert len(project.door.notified) == before + 1


def test_a_cancel_changes_the_etag_once(project: Project) -> None:
    etags = [project.create("a")["etag"]]
    for _ in range(2):
        project.http.post("/jobs/a:cancel")
        etags.append(project.get("a")["etag"])
    assert etags[0] != etags[1] == etags[2]


@pytest.mark.parametrize("ending", [State.SUCCEEDED, State.FAILED])
def test_cancelling_a_finished_job_changes_nothing(project: Project, ending: State) -> None:
    project.create("a")
    with project.door.database.write() as session:
        job = lock_job(session, project.name, "a")
        assert job is not None
        for state in (State.PREPARING, State.RUNNING, ending):
            set_state(job, state)
    before = project.get("a")
    assert answer_of(project.http.post("/jobs/a:cancel")) == {}
    assert project.get("a") == before


@pytest.mark.parametrize("job_id", ["unknown", "a:cancel", "a-b", "%00"])
def test_cancelling_what_is_no_job_is_not_found(project: Project, job_id: str) -> None:
    error_of(project.http.post(f"/jobs/{job_id}:cancel"), 404, "NOT_FOUND")


def test_a_job_of_another_project_can_not_be_cancelled(project: Project) -> None:
    project.create("a")
    other = project.http.base_url.copy_with(path=f"/v1/projects/{project.name}-b/jobs/a:cancel")
    error_of(project.http.post(other), 404, "NOT_FOUND")
    assert project.get("a")["state"] == "QUEUED"
