"""Attempts that the platform fails: when they are followed by another, and what that may not do meanwhile."""

from collections.abc import Sequence
from typing import cast

import pytest

from store.database import Database
from store.models import Attempt, Job
from store.states import State
from store.trials import live_resources_by_job, live_trials
from tests.stored_rows import NOW, add_job
from tests.worker.test_time_limits import Endless
from worker.closing import BACKOFF_LIMIT_SECONDS, Retries, is_due
from worker.launchers.protocol import (
    AttemptPhase,
    AttemptRef,
    AttemptSpec,
    AttemptStatus,
    Exceeded,
    Launcher,
    LaunchFailed,
    Limit,
    MemoryUse,
    PreparationPhase,
)
from worker.pace import Pace
from worker.reconcile import Reconciler


class Refusing(Endless):
    """A platform that refuses to start anything until it is told otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.preparation = PreparationPhase.READY
        self.refusal: LaunchFailed | None = None
        self.sealed: list[int] = []

    def launch(self, spec: AttemptSpec) -> None:
        if self.refusal is not None:
            raise self.refusal
        super().launch(spec)

    def stop(self, ref: AttemptRef, grace_seconds: float) -> None:
        if ref in self.statuses:
            super().stop(ref, grace_seconds)
        else:
            self.sealed.append(ref.attempt)

    def end(self, ref: AttemptRef, status: AttemptStatus) -> None:
        self.statuses[ref] = status


class Running:
    """A plain job with one trial, looked at when the test says what time it is."""

    def __init__(self, database: Database) -> None:
        self.platform = Refusing()
        self.now = NOW
        self.database = database
        with database.write() as session:
            self.job_pk = add_job(session, training_input={"pythonModule": "m", "packageUris": ["/p"]}).id
        pace = Pace(0.0, 30.0, 0.0, 0.0, max_lost_attempts=2, retry_backoff_seconds=10.0)
        self._reconciler = Reconciler(
            database, cast(Launcher, self.platform), pace, "a worker", lambda: self.now
        )

    def at(self, seconds: float) -> Job:
        self.now = NOW + seconds
        self._reconciler.reconcile(self.job_pk)
        self._reconciler.reconcile(self.job_pk)
        with self.database.read() as session:
            return session.get_one(Job, self.job_pk)

    def attempts(self) -> Sequence[Attempt]:
        with self.database.read() as session:
            return live_trials(session, self.job_pk)[0].attempts

    def holds(self) -> int:
        with self.database.read() as session:
            return len(live_resources_by_job(session).get(self.job_pk, []))


@pytest.fixture
def running(database: Database) -> Running:
    return Running(database)


def test_what_can_not_be_started_for_now_is_tried_again_later_and_holds_nothing_meanwhile(
    running: Running,
) -> None:
    running.platform.refusal = LaunchFailed("Resource temporarily unavailable", for_now=True)
    running.at(0)
    assert [(a.number, a.failure_class, a.not_before) for a in running.attempts()] == [
        (1, "LAUNCH", None),
        (2, None, NOW + 10),
    ]
    assert running.holds() == 0
    assert running.platform.sealed == [1], "nobody starts the first any more"
    running.platform.refusal = None
    running.at(9)
    assert running.platform.statuses == {}
    running.at(10)
    assert [ref.attempt for ref in running.platform.statuses] == [2]
    assert running.holds() == 1
    assert running.attempts()[-1].not_before is None


def test_each_wait_is_twice_as_long_and_the_last_failure_is_the_trials(running: Running) -> None:
    running.platform.refusal = LaunchFailed("No space left on device", for_now=True)
    running.at(0)
    running.at(10)
    assert running.attempts()[-1].not_before == NOW + 10 + 20
    job = running.at(30)
    assert job.state == State.FAILED
    assert job.error_message == (
        "The replica master 0 could not be started: No space left on device. It was tried 3 times."
    )


def test_what_never_can_be_started_is_not_tried_again(running: Running) -> None:
    running.platform.refusal = LaunchFailed("there is no Python at /nowhere")
    job = running.at(0)
    assert job.state == State.FAILED
    assert "there is no Python at /nowhere" in (job.error_message or "")


def test_a_clock_that_is_set_back_makes_nobody_wait_longer() -> None:
    attempt = Attempt(not_before=NOW + 10)
    assert not is_due(attempt, NOW)
    assert not any(
        is_due(Attempt(not_before=at + BACKOFF_LIMIT_SECONDS), at) for at in (NOW + 0.1, NOW + 0.7)
    )
    assert is_due(attempt, NOW + 10)
    assert is_due(attempt, NOW - 3600)
    assert not is_due(Attempt(not_before=None), NOW)


def test_waits_have_a_limit() -> None:
    assert Retries(9, 5.0).seconds_after(3) == 20.0
    assert Retries(9, 5.0).seconds_after(10**6) == BACKOFF_LIMIT_SECONDS


@pytest.mark.parametrize(("exit_code", "state"), [(0, State.SUCCEEDED), (1, State.FAILED)])
def test_the_most_memory_that_it_took_is_kept_of_every_attempt(
    running: Running, exit_code: int, state: State
) -> None:
    running.at(0)
    [ref] = running.platform.statuses
    running.platform.end(ref, AttemptStatus(AttemptPhase.ENDED, exit_code, memory=MemoryUse(12345)))
    assert running.at(1).state == state
    with running.database.read() as session:
        [attempt] = session.query(Attempt).all()
    assert (attempt.evidence or {})["peak_memory_bytes"] == 12345


def test_a_limit_of_time_that_the_platform_kept_fails_the_trial_and_is_not_tried_again(
    running: Running,
) -> None:
    running.at(0)
    [ref] = running.platform.statuses
    exceeded = Exceeded(Limit.TIME, "The replica master 0 ran longer than the 60 s that it may.")
    running.platform.end(ref, AttemptStatus(AttemptPhase.ENDED, -9, exceeded=exceeded))
    job = running.at(1)
    assert (job.state, job.error_message) == (State.FAILED, exceeded.sentence)
    with running.database.read() as session:
        [attempt] = session.query(Attempt).all()
    assert attempt.failure_class == "TIMEOUT"
