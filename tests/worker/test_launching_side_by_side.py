"""Attempts are launched side by side where the platform can do that; what is refused is told of each."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from store.database import Database
from store.models import Job
from store.states import State
from store.trials import trials_of
from tests.stored_rows import NOW, add_job
from tests.worker.test_time_limits import PACE, Endless
from worker.launchers.protocol import (
    AttemptRef,
    AttemptSpec,
    Launcher,
    LaunchFailed,
    MetricPlaces,
    PreparationPhase,
)
from worker.reconcile import Reconciler
from worker.resources import Machine

TRIALS = 4


class Wide(Endless):
    """A platform on which a launch ends once as many others are under way as may be."""

    machine = Machine(cpus=TRIALS)
    launches_at_once = TRIALS

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.preparation = PreparationPhase.READY
        self.refuses: set[int] = set()
        self._folder = folder
        self._meeting = threading.Barrier(TRIALS, timeout=20)

    def launch(self, spec: AttemptSpec) -> None:
        if spec.ref.attempt == 1:
            self._meeting.wait()
        if spec.ref.trial in self.refuses:
            raise LaunchFailed("no room for this one")
        super().launch(spec)

    def metric_places(self, ref: AttemptRef, job_dir: Any) -> MetricPlaces:
        return MetricPlaces((), self._folder / "none")


@pytest.fixture
def job_pk(database: Database) -> int:
    search = {
        "goal": "MAXIMIZE",
        "hyperparameterMetricTag": "score",
        "maxTrials": TRIALS,
        "maxParallelTrials": TRIALS,
        "algorithm": "RANDOM_SEARCH",
        "params": [{"parameterName": "x", "type": "DOUBLE", "minValue": 0, "maxValue": 1}],
    }
    with database.write() as session:
        training = {"pythonModule": "m"}
        return add_job(session, training_input=training, hyperparameters=search).id


def test_launches_do_not_wait_for_each_other(database: Database, tmp_path: Path, job_pk: int) -> None:
    platform = Wide(tmp_path)
    Reconciler(database, cast(Launcher, platform), PACE, "a worker", lambda: NOW).reconcile(job_pk)
    assert sorted(ref.trial for ref in platform.statuses) == [1, 2, 3, 4]


def test_what_is_refused_is_told_of_its_own_trial_only(
    database: Database, tmp_path: Path, job_pk: int
) -> None:
    platform = Wide(tmp_path)
    platform.refuses = {2, 3}
    reconciler = Reconciler(database, cast(Launcher, platform), PACE, "a worker", lambda: NOW)
    for _ in range(3):
        reconciler.reconcile(job_pk)
    with database.read() as session:
        job = session.get_one(Job, job_pk)
        failed = {trial.number for trial in trials_of(session, job) if trial.state == State.FAILED}
    assert failed == {2, 3}


class Slow(Wide):
    """A platform that takes long for each trial, one after the other."""

    launches_at_once = 1

    def __init__(self, folder: Path, meanwhile: Callable[[int], None]) -> None:
        super().__init__(folder)
        self._meeting = threading.Barrier(1)
        self._meanwhile = meanwhile

    def launch(self, spec: AttemptSpec) -> None:
        self._meanwhile(spec.ref.trial)
        super().launch(spec)


def test_the_lease_is_renewed_while_many_are_launched(
    database: Database, tmp_path: Path, job_pk: int, passing: Callable[[float], None]
) -> None:
    until: list[float] = []

    def meanwhile(trial: int) -> None:
        with database.write() as session:
            job = session.get_one(Job, job_pk)
            assert job.lease_expires_at is not None
            until.append(job.lease_expires_at)
            job.lease_expires_at -= 1.0  # As if time had passed in the database, too.
        passing(PACE.lease_seconds / 2)

    platform = Slow(tmp_path, meanwhile)
    Reconciler(database, cast(Launcher, platform), PACE, "a worker", lambda: NOW).reconcile(job_pk)
    assert len(until) == TRIALS
    assert min(until) > until[0] - 0.5, "each found it renewed"


def test_who_has_lost_the_job_while_it_launched_launches_no_more(
    database: Database, tmp_path: Path, job_pk: int, passing: Callable[[float], None]
) -> None:
    def meanwhile(trial: int) -> None:
        passing(PACE.lease_seconds / 2)
        if trial == 2:
            with database.write() as session:
                session.get_one(Job, job_pk).lease_fence += 1

    platform = Slow(tmp_path, meanwhile)
    reconciler = Reconciler(database, cast(Launcher, platform), PACE, "a worker", lambda: NOW)
    assert not reconciler.reconcile(job_pk)
    assert sorted(ref.trial for ref in platform.statuses) == [1, 2]
