"""A job of which nothing new is heard is looked at less often, and nothing is written of it."""

from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import event, select

from store.database import Database
from store.jobs import Lease, request_cancel
from store.measurements import curves_of
from store.models import Job, Trial
from store.objects.names import Place
from store.states import State
from tests.stored_rows import add_job
from tests.worker.test_asked_looks import NOW, PACE, POLL
from tests.worker.test_time_limits import Endless
from worker.cluster import PRIMARY, Replica
from worker.launchers.protocol import (
    AttemptPhase,
    AttemptRef,
    AttemptStatus,
    Launcher,
    MetricPlaces,
    PreparationPhase,
    Stream,
)
from worker.quiet import QUIET_POLLS
from worker.reconcile import Reconciler
from worker.resources import Machine
from worker.view import View

LINE = '{{"timestamp": 1.0, "trial": "1", "loss": {0}.5, "global_step": "{0}"}}\n'
LONG = 1000 * POLL


class Platform(Endless):
    machine = Machine(cpus=2)

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.preparation = PreparationPhase.READY
        self.hypertune_file = folder / "output.metrics"
        self.printed = b""

    def metric_places(self, ref: AttemptRef, job_dir: Path | Place | None) -> MetricPlaces:
        return MetricPlaces((), self.hypertune_file)

    def read_output(
        self, ref: AttemptRef, stream: Stream, offset: int, limit: int, replica: Replica = PRIMARY
    ) -> bytes:
        return self.printed[offset : offset + limit] if stream is Stream.OUT else b""


class Running:
    """A job whose only trial runs, and one worker that looks at it."""

    def __init__(self, database: Database, folder: Path, **scheduling: str) -> None:
        self.platform = Platform(folder)
        self.now = NOW
        self._database = database
        search = {
            "maxTrials": 1,
            "hyperparameterMetricTag": "loss",
            "params": [{"parameterName": "x", "type": "DOUBLE", "minValue": 0.0, "maxValue": 1.0}],
        }
        training: dict[str, Any] = {"pythonModule": "m", "scheduling": scheduling}
        with database.write() as session:
            job = add_job(session, training_input=training, hyperparameters=search)
            job.create_time = NOW
            self.key = job.id
        self.reconciler = Reconciler(
            database, cast(Launcher, self.platform), PACE, "a worker", lambda: self.now
        )
        for _ in range(2):
            self.pause()

    def look(self) -> Job:
        assert self.reconciler.reconcile(self.key)
        with self._database.read() as session:
            return session.get_one(Job, self.key)

    def pause(self) -> float:
        """Seconds until the next look, after one now."""
        due = self.look().next_check_at
        assert due is not None
        return due - self.now

    def report(self, step: int) -> None:
        with self.platform.hypertune_file.open("a") as file:
            file.write(LINE.format(step))

    def steps(self) -> list[int]:
        with self._database.read() as session:
            trial = session.scalars(select(Trial.id)).one()
            return [step for step, _ in curves_of(session, [trial])[trial]]


@pytest.fixture
def running(database: Database, tmp_path: Path) -> Running:
    return Running(database, tmp_path)


def test_the_longer_nothing_was_heard_the_later_it_is_looked_at_again(running: Running) -> None:
    assert running.pause() == POLL
    running.now += 20 * POLL
    assert running.pause() == pytest.approx(2 * POLL)
    running.now += LONG
    assert running.pause() == QUIET_POLLS * POLL


def test_what_it_measures_ends_the_quiet(running: Running) -> None:
    running.now += LONG
    running.report(1)
    assert running.pause() == POLL
    assert running.steps() == [1]
    assert running.pause() == POLL
    running.now += 20 * POLL
    assert running.pause() == pytest.approx(2 * POLL)


def test_what_it_prints_ends_the_quiet(running: Running) -> None:
    running.now += LONG
    running.platform.printed = b"epoch 1\n"
    assert running.pause() == POLL


def test_a_quiet_job_is_cancelled_at_once(database: Database, running: Running) -> None:
    running.now += LONG
    running.pause()
    with database.write() as session:
        request_cancel(session.get_one(Job, running.key), "by its owner", running.now)
    running.look()
    assert running.look().state == State.CANCELLED


def test_a_quiet_job_keeps_to_its_time(database: Database, tmp_path: Path) -> None:
    running = Running(database, tmp_path, maxRunningTime=f"{LONG + 20}s")
    running.now += LONG
    assert running.pause() == 20
    running.now += 21
    running.look()
    assert running.look().state == State.CANCELLED


def test_a_job_ends_whose_worker_died_between_its_last_trial_and_its_own_end(
    database: Database, running: Running
) -> None:
    (ref,) = running.platform.statuses
    running.platform.statuses[ref] = AttemptStatus(AttemptPhase.ENDED, 0)

    class Died(BaseException):
        pass

    def die(lease: Lease, view: View) -> None:
        raise Died

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(running.reconciler, "_succeed", die)
        with pytest.raises(Died):
            running.look()
    assert running.look().state == State.SUCCEEDED


def test_trials_of_which_nothing_is_new_are_not_read_again_unless_another_worker_has_had_them(
    database: Database, running: Running
) -> None:
    reads: list[str] = []

    def note(*given: Any) -> None:
        if "FROM trials" in given[2]:
            reads.append(given[2])

    running.pause()
    event.listen(database.engine, "before_cursor_execute", note)
    running.pause()
    assert reads == []
    running.report(1)
    other = Reconciler(database, cast(Launcher, running.platform), PACE, "another", lambda: running.now)
    assert other.reconcile(running.key)
    reads.clear()
    running.pause()
    assert reads, "which has stored what it measured"
    assert running.steps() == [1]
    running.pause()
    reads.clear()
    running.pause()
    assert reads == []


def test_nothing_is_written_of_trials_that_show_nothing_new(database: Database, running: Running) -> None:
    running.report(1)
    running.pause()
    trials: list[str] = []

    def note(*given: Any) -> None:
        if given[2].startswith(("UPDATE trials", "INSERT", "UPDATE attempts")):
            trials.append(given[2])

    event.listen(database.engine, "before_cursor_execute", note)
    running.pause()
    assert trials == []
    running.report(2)
    running.pause()
    assert trials != []
