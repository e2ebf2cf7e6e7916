"""A job that continues the study of an earlier one (docs/contract.md 6.5)."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import Session

from api_schemas.errors import FailedPrecondition, FieldViolation, InvalidArgument
from api_schemas.hyperparameters import HyperparameterSpec
from api_schemas.parsing import refuse
from api_schemas.search_rules import hyperparameter_violations
from store.jobs import find_job
from store.models import Job
from store.states import FINISHED

FIELD = "hyperparameters.resume_previous_job_id"
INHERITED = ("goal", "params", "forbidden", "hyperparameterMetricTag")
"""Fields that may be left out, by JSON name: the study itself, which may not differ."""
ALGORITHM = ("algorithm", "searchAlgorithm")
"""Inherited too, if neither is given."""


def effective_hyperparameters(
    session: Session, project: str, posted: dict[str, Any] | None
) -> tuple[dict[str, Any] | None, int | None]:
    """The spec as posted with what it inherits, in wire form, and the key of the job it continues.

    Raises:
        InvalidArgument: no such tuning job, a field that differs from the study's, or an algorithm that can't
            search its parameters.
        FailedPrecondition: the earlier job has not ended, or has no trial to learn from.
    """
    if posted is None or "resumePreviousJobId" not in posted:
        return posted, None
    name = posted["resumePreviousJobId"]
    previous = find_job(session, project, name)
    if previous is None or previous.hyperparameters is None:
        what = "is not a job of this project" if previous is None else "is not a hyperparameter tuning job"
        raise InvalidArgument([FieldViolation(FIELD, f"'{name}' {what}.")])
    _check_ended(previous)
    left_out = INHERITED if any(key in posted for key in ALGORITHM) else (*INHERITED, *ALGORITHM)
    inherited = {key: previous.hyperparameters[key] for key in left_out if key in previous.hyperparameters}
    effective = {**inherited, **posted}
    refuse(
        FieldViolation(
            f"hyperparameters.{field}",
            f"Differs from that of '{name}', whose study is continued; leave it out or give the same.",
        )
        for field in _differing(effective, previous.hyperparameters)
    )
    # The rules have seen what was posted; only here is it known what is searched, and how.
    refuse(hyperparameter_violations(HyperparameterSpec.model_validate(effective)))
    return effective, previous.id


def _differing(effective: dict[str, Any], study: dict[str, Any]) -> Iterator[str]:
    """Fields in which two specs in wire form, each given in full, are of different studies."""
    new, old = HyperparameterSpec.model_validate(effective), HyperparameterSpec.model_validate(study)
    if new.effective_goal != old.effective_goal:
        yield "goal"
    if new.params != old.params:
        yield "params"
    if new.forbidden != old.forbidden:
        yield "forbidden"
    if new.effective_metric_tag != old.effective_metric_tag:
        yield "hyperparameter_metric_tag"


def _check_ended(previous: Job) -> None:
    if previous.state not in FINISHED:
        raise FailedPrecondition(
            f"Job '{previous.job_id}' is {previous.state}; its study can be continued once it has ended."
        )
    if previous.finished_trials == 0:
        raise FailedPrecondition(
            f"Job '{previous.job_id}' ended without a single trial; there is nothing to continue."
        )
