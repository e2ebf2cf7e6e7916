"""The service is killed between writing down what it will do and doing it, or doing and noting it."""

import fcntl
from pathlib import Path

import pytest

from tests.dies_at import AFTER_END, AFTER_LAUNCH, BEFORE_LAUNCH, BEFORE_STOP
from tests.durability.the_job import TheJob
from tests.running_service import RunningService, wait_until

SETTINGS = {"slots": 4, "stop_grace_seconds": 1}


def dying(tmp_path: Path, point: str) -> RunningService:
    program = ("-m", "tests.dies_at", point, str(tmp_path / "died"))
    return RunningService(tmp_path / "data", program=program, **SETTINGS)


@pytest.mark.parametrize("point", [BEFORE_LAUNCH, AFTER_LAUNCH, AFTER_END])
def test_a_service_killed_there_goes_on_as_if_it_had_not_been(tmp_path: Path, point: str) -> None:
    with dying(tmp_path, point) as service, service.client() as http:
        job = TheJob(http, tmp_path, "killed")
        job.submit()
        job.go_on()
        service.process.wait(60)
    assert (tmp_path / "died").exists()
    with RunningService(tmp_path / "data", **SETTINGS) as service, service.client() as http:
        job.over(http).ends_as_ever()
        assert service.stop() == 0


@pytest.mark.parametrize("point", [BEFORE_LAUNCH, AFTER_LAUNCH, BEFORE_STOP])
def test_a_job_cancelled_about_then_ends_and_leaves_nothing_running(tmp_path: Path, point: str) -> None:
    with dying(tmp_path, point) as service, service.client() as http:
        job = TheJob(http, tmp_path, "cancelled")
        job.submit()
        if point == BEFORE_STOP:
            job.reach_the_middle()
            assert http.post("/jobs/cancelled:cancel").json() == {}
        service.process.wait(60)
    with RunningService(tmp_path / "data", **SETTINGS) as service, service.client() as http:
        assert http.post("/jobs/cancelled:cancel").json() == {}
        wait_until(lambda: job.over(http).get()["state"] == "CANCELLED")
        locks = list((tmp_path / "data").rglob("trials/*/*/lock"))
        assert locks
        assert not any(held(lock) for lock in locks)
        assert service.stop() == 0
    assert not any(note["what"] == "end" for note in job.notes())


def held(lock: Path) -> bool:
    """Whether a process of the trial lives."""
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
