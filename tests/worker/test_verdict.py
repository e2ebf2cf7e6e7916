"""What the end of trials means for their job."""

import pytest
from sqlalchemy.orm import Session

from api_schemas.hyperparameters import HyperparameterSpec
from api_schemas.values import format_value
from store.database import Database
from store.models import Job, Trial
from store.states import State
from tests.stored_rows import add_ended_trial, add_job
from worker.verdict import verdict


def test_a_failed_trials_values_are_told_as_the_answer_writes_them(database: Database) -> None:
    values = {"lr": 0.6052271692181944, "layers": 2, "batch": 64.0, "kind": "a b"}
    assert repr(values["lr"]) != format_value(0.6052271692181944), "or this shows nothing"
    with database.write() as session:
        job = add_job(session, state=State.RUNNING, hyperparameters={})
        trial = add_ended_trial(session, job, 1, values, State.FAILED)
        trial.error_message = "Out of luck."
        told = verdict(session, job, HyperparameterSpec(), [trial])
    assert told == (
        State.FAILED,
        "Hyperparameter Tuning Trial #1 Failed before any other successful trials were completed. "
        "Trial #1 with lr=0.60522716921819442, layers=2, batch=64, kind=a b: Out of luck.",
    )


def _ended(session: Session, job: Job, *classes: str | None) -> list[Trial]:
    """Trials that ended in this order, each with a failure of its class; None: well."""
    trials = []
    for number, failure_class in enumerate(classes, start=1):
        state = State.SUCCEEDED if failure_class is None else State.FAILED
        trial = add_ended_trial(session, job, number, {"x": 1}, state)
        trial.attempts[-1].failure_class = failure_class
        trials.append(trial)
    return trials


@pytest.mark.parametrize(
    ("classes", "why"),
    [
        (("LOST", "LOST"), None),
        (("LOST", "LAUNCH", "CONFIG"), "3 trials in a row failed through no fault of the program."),
        ((None, "LOST", "LOST", "LOST"), "3 trials in a row"),
        (("LOST", "LOST", None, "LOST"), None),
        (("LOST", "USER_ERROR", "LOST", "LOST"), None),
        (("USER_ERROR", "LOST", "LOST", "OOM_GPU"), None),
        (
            ("USER_ERROR", "OOM_HOST", "LOST", "DISK"),
            "Hyperparameter Tuning Trial #4 Failed before any other",
        ),
    ],
)
def test_only_the_owners_failures_count_and_the_platforms_do_in_a_row(
    database: Database, classes: tuple[str | None, ...], why: str | None
) -> None:
    with database.write() as session:
        job = add_job(session, state=State.RUNNING, hyperparameters={})
        trials = _ended(session, job, *classes)
        told = verdict(session, job, HyperparameterSpec(max_trials=10, max_parallel_trials=3), trials[-1:])
    assert (told is not None) == (why is not None)
    assert told is None or (told[1] or "").startswith(why or "")


@pytest.mark.parametrize(("max_trials", "failed", "ends"), [(1, 1, True), (9, 1, False), (9, 2, True)])
def test_one_failure_of_the_platform_ends_the_job_only_if_it_asks_for_one_trial(
    database: Database, max_trials: int, failed: int, ends: bool
) -> None:
    spec = HyperparameterSpec(max_trials=max_trials, max_failed_trials=1)
    with database.write() as session:
        job = add_job(session, state=State.RUNNING, hyperparameters={})
        trials = _ended(session, job, *["LOST"] * failed)
        assert (verdict(session, job, spec, trials[-1:]) is not None) == ends


def test_max_failed_trials_counts_each_trial_once_and_the_owners_only(database: Database) -> None:
    spec = HyperparameterSpec(max_trials=10, max_parallel_trials=5, max_failed_trials=2)
    with database.write() as session:
        job = add_job(session, state=State.RUNNING, hyperparameters={})
        trials = _ended(session, job, "LOST", "USER_ERROR", "LOST", "DISK")
        told = verdict(session, job, spec, trials[3:])
    assert told is not None
    assert (told[1] or "").startswith("2 trials failed; maxFailedTrials is 2. Trial #4 with x=1")
