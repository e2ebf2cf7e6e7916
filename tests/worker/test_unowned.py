"""What nobody owns is removed from a platform; nothing else is."""

from collections.abc import Sequence

import pytest

from store.database import Database
from store.jobs import set_state
from store.states import State
from store.trials import add_trial, finish_trial
from tests.stored_rows import NOW, add_job
from worker.launchers.protocol import AttemptRef, JobRef, Marked
from worker.unowned import OLD_SECONDS, SEALED_SECONDS, Unowned

JOB = JobRef("p", "job")


class Platform:
    """One that has what a test puts there."""

    def __init__(self, *marked: Marked) -> None:
        self.found = list(marked)

    def marked(self) -> Sequence[Marked]:
        return self.found

    def remove(self, marked: Sequence[Marked]) -> None:
        self.found = [each for each in self.found if each not in marked]


def _marked(trial: int, attempt: int = 1, age: float = OLD_SECONDS + 1, sealed: bool = False) -> Marked:
    return Marked(f"{trial}-{attempt}", JOB, AttemptRef(JOB, trial, attempt), age, sealed)


PACKAGES = Marked("packages", JOB, None, OLD_SECONDS + 1)


@pytest.fixture
def database_with_a_trial(database: Database) -> Database:
    with database.write() as session:
        job = add_job(session, "job", training_input={"pythonModule": "m"})
        set_state(job, State.PREPARING)
        set_state(job, State.RUNNING)
        add_trial(session, job, 1, {}, NOW, None)
        finish_trial(job, add_trial(session, job, 2, {}, NOW, None), State.SUCCEEDED, NOW)
    return database


@pytest.mark.parametrize(
    ("marked", "stays"),
    [
        (_marked(1), True),
        (_marked(3), False),
        (_marked(1, attempt=2), False),
        (_marked(3, age=OLD_SECONDS - 1), True),
        (_marked(3, sealed=True), True),
        (_marked(3, age=SEALED_SECONDS + 1, sealed=True), False),
        (PACKAGES, False),
    ],
    ids=[
        "a live attempt",
        "no such trial",
        "no such attempt",
        "a launch that may be under way",
        "a place that is kept",
        "a place that has been kept for long",
        "packages of a job that runs",
    ],
)
def test_what_stays_and_what_goes(database_with_a_trial: Database, marked: Marked, stays: bool) -> None:
    platform = Platform(marked)
    removed = Unowned(database_with_a_trial, platform).step()
    assert (platform.found, removed) == (([marked], []) if stays else ([], [marked]))


def test_packages_are_a_jobs_own_while_it_prepares(database: Database) -> None:
    with database.write() as session:
        set_state(add_job(session, "job", training_input={"pythonModule": "m"}), State.PREPARING)
    platform = Platform(PACKAGES)
    assert Unowned(database, platform).step() == []
