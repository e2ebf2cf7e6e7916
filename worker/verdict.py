"""What the end of trials means for their job."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from api_schemas.hyperparameters import HyperparameterSpec
from api_schemas.values import format_value
from store.models import Job, Trial
from store.states import State
from store.trials import count_ended, ended_last
from worker.failure_classes import COUNTED
from worker.view import current

MANY_IN_A_ROW = 2
"""Trials that the platform failed, one after the other, after which it is not trusted with more."""


def verdict(
    session: Session, job: Job, spec: HyperparameterSpec | None, ended: Sequence[Trial]
) -> tuple[State, str | None] | None:
    """How the job ends, with its errorMessage, if the trials that just ended settle that."""
    if spec is None:
        return (ended[0].state, ended[0].error_message) if ended else None
    failed = [trial for trial in ended if trial.state == State.FAILED]
    if failed:
        session.flush()
    for trial in failed:
        own = current(trial).failure_class in COUNTED
        why = _too_many_failures(session, job, spec, trial) if own else _platform_fails(session, job, spec)
        if why is not None:
            return State.FAILED, f"{why} Trial #{trial.number} with {_values(trial)}: {trial.error_message}"
    return None


def _too_many_failures(session: Session, job: Job, spec: HyperparameterSpec, failed: Trial) -> str | None:
    """Why the job is to be given up for failures that are its owner's, if it is."""
    succeeded, failures = count_ended(session, job, COUNTED)
    limit = spec.max_failed_trials or 0
    if limit > 0:
        return f"{failures} trials failed; maxFailedTrials is {limit}." if failures >= limit else None
    # The service decides (docs/contract.md 3.3): it gives up when as many trials as run side by side have
    # failed before any went well.
    if succeeded > 0 or failures < spec.effective_max_parallel_trials:
        return None
    return (
        f"Hyperparameter Tuning Trial #{failed.number} Failed before any other successful trials were "
        "completed."
    )


def _platform_fails(session: Session, job: Job, spec: HyperparameterSpec) -> str | None:
    """Why the job is to be given up for failures that are the platform's, if it is: too many in a row."""
    many = min(max(MANY_IN_A_ROW, spec.effective_max_parallel_trials), spec.effective_max_trials)
    last = ended_last(session, job, many)
    classes = [failure_class for state, failure_class in last if state == State.FAILED]
    if len(classes) < many or any(each is None or each in COUNTED for each in classes):
        return None
    trials = "The only trial" if many == 1 else f"{many} trials in a row"
    return f"{trials} failed through no fault of the program."


def _values(trial: Trial) -> str:
    return ", ".join(f"{name}={format_value(value)}" for name, value in trial.values.items())
