"""How long a job may wait and run (docs/contract.md 2.4): a limit that runs out cancels it, and says so."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from store.database import Database
from store.models import Job
from store.states import State
from tests.stored_rows import NOW, add_job
from worker.cluster import PRIMARY, Replica
from worker.launchers.protocol import (
    AttemptPhase,
    AttemptRef,
    AttemptSpec,
    AttemptStatus,
    JobRef,
    Launcher,
    PackagesSpec,
    Preparation,
    PreparationPhase,
    Stream,
)
from worker.pace import Pace
from worker.reconcile import Reconciler
from worker.resources import Machine

HALF_AN_HOUR = 1800.0
PACE = Pace(
    poll_seconds=0.0, lease_seconds=30.0, stop_grace_seconds=0.0, trouble_seconds=0.0, max_lost_attempts=0
)


class Endless:
    """A platform on which installing takes until it is told, and a trial until it is stopped."""

    machine = Machine(cpus=1)
    objects_dir: Path | None = None
    launches_at_once = 1

    def __init__(self) -> None:
        self.preparation = PreparationPhase.UNDER_WAY
        self.first = AttemptStatus(AttemptPhase.RUNNING)
        self.statuses: dict[AttemptRef, AttemptStatus] = {}

    def prepare(self, spec: PackagesSpec) -> Preparation:
        return Preparation(self.preparation)

    def abandon_preparation(self, job: JobRef) -> bool:
        return True

    def launch(self, spec: AttemptSpec) -> None:
        self.statuses.setdefault(spec.ref, self.first)

    def observe(self, refs: Sequence[AttemptRef]) -> dict[AttemptRef, AttemptStatus]:
        return {ref: self.statuses.get(ref, AttemptStatus(AttemptPhase.ABSENT)) for ref in refs}

    def stop(self, ref: AttemptRef, grace_seconds: float) -> None:
        self.statuses[ref] = AttemptStatus(AttemptPhase.ENDED, -15, told_to_stop=True)

    def last_lines(self, ref: AttemptRef, limit: int, replica: Replica = PRIMARY) -> str:
        return ""

    def read_output(
        self, ref: AttemptRef, stream: Stream, offset: int, limit: int, replica: Replica = PRIMARY
    ) -> bytes:
        return b""


class Waiting:
    """One job, looked at when the test says what time it is."""

    def __init__(self, database: Database, **scheduling: str) -> None:
        self.platform = Endless()
        self.now = NOW
        self._database = database
        training: dict[str, Any] = {"pythonModule": "m", "packageUris": ["/p"], "scheduling": scheduling}
        with database.write() as session:
            self._job_pk = add_job(session, training_input=training).id
        self._reconciler = Reconciler(
            database, cast(Launcher, self.platform), PACE, "a worker", lambda: self.now
        )

    def at(self, seconds: float) -> Job:
        """The job after a look at it this long after it was created."""
        self.now = NOW + seconds
        self._reconciler.reconcile(self._job_pk)
        # The first look tells what runs to stop; the next sees that it did.
        self._reconciler.reconcile(self._job_pk)
        with self._database.read() as session:
            return session.get_one(Job, self._job_pk)


def test_a_job_that_waits_in_the_queue_for_too_long_never_starts(database: Database) -> None:
    job = Waiting(database, maxWaitTime="1800s").at(HALF_AN_HOUR)
    assert job.state == State.CANCELLED
    assert job.error_message == "The job waited longer than its maxWaitTime of 1800 s and was cancelled."
    assert (job.start_time, job.end_time) == (None, NOW + HALF_AN_HOUR)


def test_preparing_counts_as_waiting(database: Database) -> None:
    waiting = Waiting(database, maxWaitTime="1800s")
    assert waiting.at(5.0).state == State.PREPARING
    assert waiting.at(HALF_AN_HOUR - 1).state == State.PREPARING
    job = waiting.at(HALF_AN_HOUR)
    assert job.state == State.CANCELLED
    assert "maxWaitTime" in (job.error_message or "")
    assert job.start_time == NOW + 5.0


def test_a_job_that_runs_waits_no_more(database: Database) -> None:
    waiting = Waiting(database, maxWaitTime="1800s")
    waiting.platform.preparation = PreparationPhase.READY
    assert waiting.at(0.0).state == State.RUNNING
    assert waiting.at(10 * HALF_AN_HOUR).state == State.RUNNING


def test_running_is_counted_from_when_it_began_to_run(database: Database) -> None:
    waiting = Waiting(database, maxRunningTime="60s")
    assert waiting.at(1000.0).state == State.PREPARING
    waiting.platform.preparation = PreparationPhase.READY
    assert waiting.at(2000.0).state == State.RUNNING
    assert waiting.at(2060.0).state == State.RUNNING
    job = waiting.at(2061.0)
    assert job.state == State.CANCELLED
    assert job.error_message == "The job ran longer than its maxRunningTime of 60 s and was cancelled."
    assert job.end_time == NOW + 2061.0


@pytest.mark.parametrize("none", [{}, {"maxRunningTime": "0s"}])
def test_without_a_limit_a_job_may_run_for_a_week(database: Database, none: dict[str, str]) -> None:
    waiting = Waiting(database, **none)
    waiting.platform.preparation = PreparationPhase.READY
    week = 7 * 24 * 3600.0
    assert waiting.at(0.0).state == State.RUNNING
    assert waiting.at(week).state == State.RUNNING
    assert waiting.at(week + 1).state == State.CANCELLED
