"""Jobs that find no room wait in a line, say so, keep their limits of time, and leave it when they end."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from sqlalchemy import select

from store.database import Database
from store.jobs import request_cancel
from store.models import Job, LogEntry
from store.objects.names import Place
from store.states import State
from store.trials import is_in_line
from tests.stored_rows import NOW, add_job
from tests.worker.test_time_limits import HALF_AN_HOUR, PACE, Endless
from worker.launchers.protocol import (
    AttemptPhase,
    AttemptRef,
    AttemptStatus,
    Launcher,
    MetricPlaces,
    PreparationPhase,
)
from worker.reconcile import Reconciler
from worker.resources import Machine

PARAMS = [{"parameterName": "x", "type": "DOUBLE", "minValue": 0.0, "maxValue": 1.0}]


class Platform(Endless):
    """One on which a trial measures nothing."""

    machine = Machine(cpus=2)

    def metric_places(self, ref: AttemptRef, job_dir: Path | Place | None) -> MetricPlaces:
        return MetricPlaces((), Path("/nowhere/output.metrics"))


class Line:
    """Jobs on a machine of two slots, looked at when the test says so."""

    def __init__(self, database: Database) -> None:
        self.platform = Platform()
        self.platform.preparation = PreparationPhase.READY
        self.now = NOW
        self.database = database
        self._reconciler = Reconciler(
            database, cast(Launcher, self.platform), PACE, "a worker", lambda: self.now
        )

    def add(self, name: str, trials: int = 0, **training: Any) -> int:
        search = {"params": PARAMS, "maxTrials": trials, "maxParallelTrials": trials} if trials else None
        given: dict[str, Any] = {"pythonModule": "m", "packageUris": ["/p"], **training}
        with self.database.write() as session:
            return add_job(session, name, training_input=given, hyperparameters=search).id

    def look(self, *keys: int) -> list[Job]:
        """The jobs after a look at each, in this order."""
        for key in keys:
            self._reconciler.reconcile(key)
        with self.database.read() as session:
            return [session.get_one(Job, key) for key in keys]

    def cancel(self, key: int) -> None:
        with self.database.write() as session:
            request_cancel(session.get_one(Job, key), "by its user", self.now)

    def live(self, name: str) -> Sequence[AttemptRef]:
        statuses = self.platform.statuses
        return [ref for ref in statuses if ref.job.job_id == name and is_running(statuses[ref])]

    def end_one(self, name: str) -> None:
        ref = self.live(name)[0]
        self.platform.statuses[ref] = AttemptStatus(AttemptPhase.ENDED, 0)

    def said(self, key: int) -> list[str]:
        with self.database.read() as session:
            query = select(LogEntry.message).where(LogEntry.job_pk == key).order_by(LogEntry.id)
            return [each for each in session.scalars(query) if each.startswith("Waiting for room")]


def is_running(status: AttemptStatus) -> bool:
    return status.phase is AttemptPhase.RUNNING


def test_who_waits_for_room_is_cancelled_after_its_max_wait_time(database: Database) -> None:
    line = Line(database)
    first, waits = line.add("first", 2), line.add("waits", scheduling={"maxWaitTime": "1800s"})
    line.look(first, waits)
    line.now += HALF_AN_HOUR - 1
    (job,) = line.look(waits)
    assert (job.state, is_in_line(job.waiting)) == (State.PREPARING, True)
    assert job.waiting is not None
    assert job.waiting["why"] == "A trial needs 1 CPU slot; free are 0 of 2 CPU slots."
    line.now += 1
    (job,) = line.look(waits)
    assert job.state == State.CANCELLED
    assert job.error_message == "The job waited longer than its maxWaitTime of 1800 s and was cancelled."
    assert job.running_time is None
    assert line.said(waits) == ["Waiting for room on this machine: a trial needs 1 CPU slot."], "once"


def test_waiting_does_not_count_as_running_until_it_runs(database: Database) -> None:
    line = Line(database)
    first, waits = line.add("first", 2), line.add("waits", scheduling={"maxRunningTime": "60s"})
    line.look(first, waits)
    line.now += 3600
    assert line.look(waits)[0].state == State.PREPARING
    line.end_one("first")
    line.look(first, waits)
    line.now += 60
    assert line.look(waits)[0].state == State.RUNNING
    assert line.live("waits")
    line.now += 1
    line.look(waits)
    assert line.look(waits)[0].state == State.CANCELLED
    assert not line.live("waits"), "and what ran was stopped"


def test_a_job_that_runs_without_a_trial_has_its_limit_all_the_same(database: Database) -> None:
    line = Line(database)
    line.platform.machine = Machine(cpus=1)
    first, second = line.add("first", 2, scheduling={"maxRunningTime": "60s"}), line.add("second")
    line.look(first, second)
    line.now += 1
    line.end_one("first")
    (job, _) = line.look(first, second)
    assert (job.state, is_in_line(job.waiting)) == (State.RUNNING, True), "the other has waited for longer"
    assert line.live("second")
    line.now += 61
    assert line.look(first)[0].state == State.CANCELLED


def test_who_is_cancelled_leaves_the_line(database: Database) -> None:
    line = Line(database)
    first, second, third = line.add("first", 2), line.add("second"), line.add("third")
    line.look(first, second, third)
    line.cancel(second)
    line.end_one("first")
    line.look(first, third)
    assert line.live("third"), "though the one before it has not been looked at since"
    assert line.look(second)[0].state == State.CANCELLED


def test_a_job_that_took_all_gives_later_ones_as_much(database: Database) -> None:
    line = Line(database)
    first, second = line.add("first", 20), line.add("second", 20)
    with database.write() as session:
        for key in (first, second):
            job = session.get_one(Job, key)
            job.hyperparameters = {**(job.hyperparameters or {}), "maxParallelTrials": 2}
    jobs = line.look(first, second)
    assert (len(line.live("first")), len(line.live("second"))) == (2, 0)
    assert [is_in_line(job.waiting) for job in jobs] == [False, True]
    line.end_one("first")
    jobs = line.look(first, second, first)
    assert (len(line.live("first")), len(line.live("second"))) == (1, 1)
    assert [job.waiting is not None and job.waiting["why"] is None for job in jobs] == [True] * 3, "want more"
    for _ in range(3):
        line.end_one("first")
        line.look(second, first)
        assert (len(line.live("first")), len(line.live("second"))) == (1, 1), "nor does one take it all again"


def test_what_is_missing_is_told_anew_and_the_place_is_kept(database: Database) -> None:
    line = Line(database)
    first = line.add("first", 2)
    waits = line.add("waits", scaleTier="CUSTOM", masterType="m", workerType="m", workerCount="1")
    line.look(first, waits)
    line.now += 5
    line.end_one("first")
    line.cancel(first)
    (job,) = line.look(waits)
    line.end_one("first")
    assert job.waiting is not None
    assert job.waiting["since"] == NOW
    line.look(first)
    (job,) = line.look(waits)
    assert job.waiting is None
    assert line.live("waits")
