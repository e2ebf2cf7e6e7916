"""A suggester that fails holds up nothing: quasi-random points stand in, and the records say so."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from store.database import Database
from store.decisions import decisions_of
from store.models import Job, LogEntry
from store.states import State
from store.trials import trials_of
from tests.stored_rows import add_job
from tests.worker.test_time_limits import PACE, Endless
from tuning.suggest.random_search import RandomSearch
from worker import reconcile
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
from worker.study import Studies
from worker.taking_in import Intake
from worker.view import look

TUNING: dict[str, Any] = {
    "goal": "MAXIMIZE",
    "algorithm": "RANDOM_SEARCH",
    "maxTrials": 2,
    "params": [{"parameterName": "x", "type": "DOUBLE", "minValue": 0, "maxValue": 1}],
}


PATIENT = replace(PACE, trouble_seconds=60.0)


class Platform(Endless):
    machine = Machine(cpus=2)

    def metric_places(self, ref: AttemptRef, job_dir: Path | None) -> MetricPlaces:
        return MetricPlaces((), Path("/nowhere"))


@pytest.mark.parametrize("failure", [ValueError("singular matrix"), MemoryError(), RecursionError()])
def test_a_quasi_random_point_is_tried_instead_and_marked_so(
    database: Database, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    suggest = RandomSearch.suggest

    def fail_for_seed_13(self: RandomSearch, *given: Any) -> Any:
        if self._seed == 13:
            raise failure
        return suggest(self, *given)

    monkeypatch.setattr(RandomSearch, "suggest", fail_for_seed_13)
    training = {"pythonModule": "m", "packageUris": ["/p"]}
    with database.write() as session:
        theirs, other = (
            add_job(session, f"seed_{seed}", training_input=training, hyperparameters=TUNING, seed=seed).id
            for seed in (13, 14)
        )
    platform = Platform()
    platform.preparation = PreparationPhase.READY
    reconciler = Reconciler(database, cast(Launcher, platform), PATIENT, "a worker")

    def look_at(key: int) -> tuple[State, int]:
        reconciler.reconcile(key)
        with database.read() as session:
            job = session.get_one(Job, key)
            assert job.lease_owner is None
            return job.state, len(trials_of(session, job))

    with capture_logs() as logged:
        assert look_at(theirs) == (State.RUNNING, 1)
        assert look_at(other) == (State.RUNNING, 1)
    assert [line["event"] for line in logged].count("no suggestion") == 1
    with database.read() as session:
        [theirs_decided] = decisions_of(session, theirs)
        [other_decided] = decisions_of(session, other)
        said = [entry.message for entry in session.scalars(select(LogEntry).where(LogEntry.job_pk == theirs))]
    assert theirs_decided.algorithm == "QUASI_RANDOM"
    assert theirs_decided.outcome["insteadOf"] == "RANDOM_SEARCH"
    assert type(failure).__name__ in theirs_decided.outcome["because"]
    assert other_decided.algorithm == "RANDOM_SEARCH"
    assert "insteadOf" not in other_decided.outcome
    assert any("RANDOM_SEARCH gave no suggestion" in line and "quasi-random" in line for line in said)


def test_what_a_look_that_failed_has_seen_is_forgotten(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not written: the next look may find trials to have ended otherwise, in another order."""
    tuning = TUNING | {"maxTrials": 9, "maxParallelTrials": 2, "enableTrialEarlyStopping": True}
    with database.write() as session:
        training = {"pythonModule": "m", "packageUris": ["/p"]}
        key = add_job(session, training_input=training, hyperparameters=tuning).id
    platform, studies = Platform(), Studies()
    platform.preparation = PreparationPhase.READY
    reconciler = Reconciler(database, cast(Launcher, platform), PATIENT, "a worker", studies=studies)
    reconciler.reconcile(key)
    first, second = platform.statuses

    def ended() -> list[int]:
        view = look(database, key)
        study = studies.of(view)
        assert study is not None
        with database.read() as session:
            study.catch_up(session, session.get_one(Job, key))
        return [trial.number for trial in study._history]

    def is_seen_but_not_written(self: Intake, *given: Any) -> bool:
        take_in(self, *given)
        return True

    take_in = Intake.take_in
    running = platform.statuses[first]
    with monkeypatch.context() as patched:
        patched.setattr(Intake, "take_in", is_seen_but_not_written)
        patched.setattr(reconcile, "stop_hopeless", Mock(side_effect=RuntimeError("away")))
        platform.statuses[first] = AttemptStatus(AttemptPhase.ENDED, 0)
        with capture_logs():
            reconciler.reconcile(key)
    assert ended() == []
    platform.statuses |= {first: running, second: AttemptStatus(AttemptPhase.ENDED, 0)}
    reconciler.reconcile(key)
    assert ended() == [2]
