"""A suggester that fails holds up its own job, and that only for as long as it fails."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from store.database import Database
from store.models import Job
from store.states import State
from store.trials import trials_of
from tests.stored_rows import add_job
from tests.worker.test_time_limits import PACE, Endless
from tuning.suggest.random_search import RandomSearch
from worker.launchers.protocol import AttemptRef, Launcher, MetricPlaces, PreparationPhase
from worker.reconcile import Reconciler
from worker.resources import Machine

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
def test_its_job_is_put_off_and_the_others_go_on(
    database: Database, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    suggest = RandomSearch.suggest
    broken = True

    def fail_for_seed_13(self: RandomSearch, *given: Any) -> Any:
        if broken and self._seed == 13:
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
        for _ in range(3):
            assert look_at(theirs) == (State.RUNNING, 0)
            assert look_at(other) == (State.RUNNING, 1)
    assert [line["event"] for line in logged].count("look at a job failed") == 3
    broken = False
    assert look_at(theirs) == (State.RUNNING, 1)
