"""How a stored job looks on the wire (docs/contract.md 1.7, 2.7, 2.8): plain JSON, defaults left out.

Plain dictionaries, not models: a job can have thousands of measurements, and every answer carries them.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from api_schemas.hyperparameters import HyperparameterSpec
from api_schemas.values import format_value
from store.jobs import count_ahead
from store.measurements import curves_of_job
from store.models import Job, Trial
from store.states import State
from store.trials import trials_of

TELLS_WHY = frozenset({State.FAILED, State.CANCELLING, State.CANCELLED})
"""States in which errorMessage is shown."""

Curve = Sequence[tuple[int, float]]


def job_wire(session: Session, job: Job) -> dict[str, Any]:
    """The whole resource, with every trial and measurement."""
    wire: dict[str, Any] = {
        "jobId": job.job_id,
        "trainingInput": job.training_input,
        "createTime": timestamp(job.create_time),
        "state": job.state,
        "etag": etag(job),
    }
    if job.labels:
        wire["labels"] = job.labels
    if job.start_time is not None:
        wire["startTime"] = timestamp(job.start_time)
    if job.end_time is not None:
        wire["endTime"] = timestamp(job.end_time)
    if job.state in TELLS_WHY:
        # Clients raise it as it is: it may be vague, never missing.
        wire["errorMessage"] = job.error_message or f"The job is {job.state}."
    if job.state == State.QUEUED:
        wire["jobPosition"] = str(count_ahead(session, job))
    if job.hyperparameters is not None:
        wire["trainingOutput"] = _training_output(session, job)
    return wire


def etag(job: Job) -> str:
    """Eight bytes, base64, that change with every change a client can make."""
    digest = hashlib.sha256(f"{job.project}/{job.job_id}/{job.version}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()


def timestamp(seconds: float) -> str:
    """RFC 3339, UTC, whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def best_first(trials: Sequence[Trial], maximize: bool) -> list[Trial]:
    """Trials by final value, ties by number; those without one last."""

    def rank(trial: Trial) -> tuple[bool, float, int]:
        if trial.final_value is None:
            return (True, 0.0, trial.number)
        return (False, -trial.final_value if maximize else trial.final_value, trial.number)

    return sorted(trials, key=rank)


def _training_output(session: Session, job: Job) -> dict[str, Any]:
    spec = HyperparameterSpec.model_validate(job.hyperparameters)
    trials = trials_of(session, job)
    output: dict[str, Any] = {
        "isHyperparameterTuningJob": True,
        "hyperparameterMetricTag": spec.effective_metric_tag,
    }
    completed = sum(trial.state == State.SUCCEEDED for trial in trials)
    if completed:
        output["completedTrialCount"] = str(completed)
    if trials:
        curves = curves_of_job(session, job.id)
        ordered = best_first(trials, maximize=spec.effective_goal.name == "MAXIMIZE")
        output["trials"] = [_trial(trial, curves) for trial in ordered]
    return output


def _trial(trial: Trial, curves: Mapping[int, Curve]) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "trialId": str(trial.number),
        "hyperparameters": {name: format_value(value) for name, value in trial.values.items()},
        "startTime": timestamp(trial.start_time),
        "state": trial.state,
    }
    if trial.end_time is not None:
        wire["endTime"] = timestamp(trial.end_time)
    if trial.final_value is not None:
        wire["finalMetric"] = _metric(trial.final_step or 0, trial.final_value)
    if trial.stopped_early:
        wire["isTrialStoppedEarly"] = True
    curve = curves.get(trial.id)
    if curve:
        wire["allMetrics"] = [_metric(step, value) for step, value in curve]
    if trial.error_message:
        # Ours: v1 had no place to say why a trial failed or has no metric.
        wire["errorMessage"] = trial.error_message
    return wire


def _metric(step: int, value: float) -> dict[str, Any]:
    # A zero step is a default and left out; a zero objective is a result and never is.
    return {"trainingStep": str(step), "objectiveValue": value} if step else {"objectiveValue": value}
