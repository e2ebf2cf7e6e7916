"""What lists remember of ended jobs: no more than they may, and nothing that could change."""

from typing import Any

import pytest

from service.ended_outputs import BESIDE, EndedOutputs
from store.states import State
from tests.service.door import Project, answer_of
from tests.service.test_job_view import Rows


def listed(project: Project) -> dict[str, dict[str, Any]]:
    jobs = answer_of(project.http.get("/jobs"))["jobs"]
    return {job["jobId"]: job for job in jobs}


@pytest.mark.parametrize("ended", [State.SUCCEEDED, State.FAILED])
def test_a_list_is_the_same_when_it_is_asked_for_again(project: Project, ended: State) -> None:
    tuning, plain, short = Rows(project), Rows(project, tuning=False), Rows(project, tuning=False)
    for rows in (tuning, plain):
        rows.trial(0.5, hours=2)
    for rows in (tuning, plain, short):
        rows.move(State.PREPARING, State.RUNNING, ended, error_message="Out of luck.")
    first = listed(project)
    assert listed(project) == listed(project) == first
    assert first[plain.job_id]["trainingOutput"] == {"consumedMLUnits": 2.0}
    assert "trainingOutput" not in first[short.job_id]


def test_what_runs_is_looked_at_each_time(project: Project) -> None:
    rows = Rows(project)
    rows.move(State.PREPARING, State.RUNNING)
    for count in (1, 2):
        rows.trial(0.5)
        assert len(listed(project)[rows.job_id]["trainingOutput"]["trials"]) == count
    rows.move(State.SUCCEEDED)
    assert len(listed(project)[rows.job_id]["trainingOutput"]["trials"]) == 2


def test_labels_of_an_ended_job_are_those_it_has_now(project: Project) -> None:
    rows = Rows(project)
    rows.trial(0.5)
    rows.move(State.PREPARING, State.RUNNING, State.SUCCEEDED)
    before = listed(project)[rows.job_id]
    with project.door.database.write() as session:
        job = rows.job(session)
        job.labels, job.version = {"team": "vision"}, job.version + 1
    after = listed(project)[rows.job_id]
    assert after["labels"] == {"team": "vision"}
    assert after["etag"] != before["etag"]
    assert after["trainingOutput"] == before["trainingOutput"]


def test_what_was_not_asked_for_longest_is_forgotten_first() -> None:
    outputs = EndedOutputs(3 * (BESIDE + 10))
    for key in (1, 2, 3):
        outputs.keep(key, b"0123456789")
    assert outputs.get(1) == b"0123456789"
    outputs.keep(4, b"")
    assert [outputs.get(key) for key in (1, 2, 3, 4)] == [b"0123456789", None, b"0123456789", b""]


def test_keeping_the_same_again_takes_no_more_room() -> None:
    outputs = EndedOutputs(2 * (BESIDE + 10))
    outputs.keep(1, b"0123456789")
    for _ in range(10):
        outputs.keep(2, b"0123456789")
    assert outputs.get(1) is not None


def test_what_is_larger_than_all_the_room_is_not_kept() -> None:
    outputs = EndedOutputs(BESIDE + 10)
    outputs.keep(1, b"x" * 11)
    assert outputs.get(1) is None
    outputs.keep(2, b"x" * 10)
    assert outputs.get(2) == b"x" * 10
