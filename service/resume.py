"""A job that continues the study of an earlier one (CONTRACT.md 6.5)."""

from typing import Any

from sqlalchemy.orm import Session

from api_schemas.errors import FailedPrecondition, FieldViolation, InvalidArgument
from store.jobs import find_job
from store.models import Job
from store.states import FINISHED

FIELD = "hyperparameters.resume_previous_job_id"
SAME = {"goal": "goal", "params": "params", "hyperparameterMetricTag": "hyperparameter_metric_tag"}
"""Fields of the study itself, by JSON name: they may be left out, and may not differ."""
INHERITED = (*SAME, "algorithm")


def effective_hyperparameters(
    session: Session, project: str, posted: dict[str, Any] | None
) -> tuple[dict[str, Any] | None, int | None]:
    """The spec as posted with what it inherits, in wire form, and the key of the job it continues.

    Raises:
        InvalidArgument: no such tuning job, or a field that differs from the study's.
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
    inherited = {key: previous.hyperparameters[key] for key in INHERITED if key in previous.hyperparameters}
    differing = [
        FieldViolation(
            f"hyperparameters.{field}",
            f"Differs from that of '{name}', whose study is continued; leave it out or give the same.",
        )
        for key, field in SAME.items()
        if key in posted and posted[key] != inherited.get(key)
    ]
    if differing:
        raise InvalidArgument(differing)
    return {**inherited, **posted}, previous.id


def _check_ended(previous: Job) -> None:
    if previous.state not in FINISHED:
        raise FailedPrecondition(
            f"Job '{previous.job_id}' is {previous.state}; its study can be continued once it has ended."
        )
    if previous.finished_trials == 0:
        raise FailedPrecondition(
            f"Job '{previous.job_id}' ended without a single trial; there is nothing to continue."
        )
