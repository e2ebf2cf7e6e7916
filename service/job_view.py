"""How a stored job looks on the wire (docs/contract.md 1.7, 2.7, 2.8): plain JSON, defaults left out.

Plain dictionaries, not models: a job can have thousands of measurements, and every answer carries them. Those
of an ended trial are JSON text already (`Trial.curve`), and are put into the answer as they are.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy.orm import Session

from api_schemas.enums import GoalType
from api_schemas.hyperparameters import DEFAULT_METRIC_TAG
from api_schemas.values import format_value
from service.ended_outputs import EndedOutputs
from service.etags import etag_of
from service.stop_view import stop_reasons, stopping_report
from store.decisions import stops_early, stops_of
from store.jobs import places_in_queue
from store.measurements import curves_of, metric
from store.models import Decision, Job
from store.states import FINISHED, State
from store.trials import ShownTrial, places_in_line, shown_trials

TELLS_WHY = frozenset({State.FAILED, State.CANCELLING, State.CANCELLED})
"""States in which errorMessage is shown."""

NO_POINTS = "[]"
"""The curve of an ended trial that has none."""

SECONDS_AN_HOUR = 3600.0


def job_wire(session: Session, job: Job, *, now: float | None = None) -> dict[str, Any]:
    """The whole resource, with every trial and measurement.

    Args:
        now: until when running trials have run; by default the time it is.
    """
    (wire,) = _wires(session, [job], True, time.time() if now is None else now)
    return wire


def jobs_wire(session: Session, jobs: Sequence[Job], ended: EndedOutputs) -> list[dict[str, Any]]:
    """The same for a list, without `allMetrics`: a page of large jobs would have millions of them.

    Args:
        ended: what is known of ended jobs; learns of those in this list.
    """
    known = {job.id: ended.get(job.id) for job in jobs if job.state in FINISHED}
    new = iter(_wires(session, [job for job in jobs if known.get(job.id) is None], False, time.time()))
    wires = []
    for job in jobs:
        output = known.get(job.id)
        if output is not None:
            wire = _job(job)
        else:
            wire = next(new)
            if job.state in FINISHED:
                output = orjson.dumps(wire["trainingOutput"]) if "trainingOutput" in wire else b""
                ended.keep(job.id, output)
        if output:
            wire["trainingOutput"] = orjson.Fragment(output)
        wires.append(wire)
    return wires


def etag(job: Job) -> str:
    """Changes with every change a client can make."""
    return etag_of(f"{job.project}/{job.job_id}/{job.version}")


def timestamp(seconds: float) -> str:
    """RFC 3339, UTC, whole seconds."""
    # strftime takes four times as long, and there are two of these in every trial.
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()[:19] + "Z"


def best_first(trials: Sequence[ShownTrial], maximize: bool) -> list[ShownTrial]:
    """Trials by final value, ties by number; after them those that FAILED, last those without a value."""

    def rank(trial: ShownTrial) -> tuple[bool, bool, float, int]:
        if trial.final_value is None:
            return (True, False, 0.0, trial.number)
        value = -trial.final_value if maximize else trial.final_value
        return (False, trial.state == State.FAILED, value, trial.number)

    return sorted(trials, key=rank)


def _wires(session: Session, jobs: Sequence[Job], curves: bool, now: float) -> list[dict[str, Any]]:
    places, line = places_in_queue(session, jobs), places_in_line(session, jobs)
    # What has not left the queue has no trials.
    begun = [job.id for job in jobs if job.start_time is not None]
    trials = shown_trials(session, begun, curves) if begun else {}
    stops = stops_of(session, [job.id for job in jobs if job.id in trials and stops_early(job)])
    wires = []
    for job in jobs:
        wire = _job(job)
        if job.id in places:
            wire["jobPosition"] = str(places[job.id])
        if job.id in line:
            place, why = line[job.id]
            wire["jobPosition"] = str(place)
            if why:
                # Ours: v1 had no place to say what a job waits for.
                wire["waitReason"] = why
        elif job.platform_waits and job.state not in FINISHED:
            wire["waitReason"] = job.platform_waits
        output = _output(session, job, trials.get(job.id, []), stops.get(job.id, []), curves, now)
        if output:
            wire["trainingOutput"] = output
        wires.append(wire)
    return wires


def _job(job: Job) -> dict[str, Any]:
    """What its own row tells."""
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
    return wire


def _output(
    session: Session,
    job: Job,
    trials: Sequence[ShownTrial],
    stops: Sequence[Decision],
    curves: bool,
    now: float,
) -> dict[str, Any]:
    output: dict[str, Any] = {}
    units = round(sum((trial.end_time or now) - trial.start_time for trial in trials) / SECONDS_AN_HOUR, 2)
    if units > 0:
        output["consumedMLUnits"] = units
    if job.hyperparameters is not None:
        output |= _search_output(session, job.hyperparameters, trials, stops, curves)
    return output


def _search_output(
    session: Session,
    search: Mapping[str, Any],
    trials: Sequence[ShownTrial],
    stops: Sequence[Decision],
    curves: bool,
) -> dict[str, Any]:
    # The search in wire form, as it is stored: parsing one for each job of a list takes longer than the rest.
    output: dict[str, Any] = {
        "isHyperparameterTuningJob": True,
        "hyperparameterMetricTag": search.get("hyperparameterMetricTag") or DEFAULT_METRIC_TAG,
    }
    completed = sum(trial.state == State.SUCCEEDED for trial in trials)
    if completed:
        output["completedTrialCount"] = str(completed)
    if trials:
        ordered = best_first(trials, maximize=search.get("goal") != GoalType.MINIMIZE.name)
        # Running trials have none in one piece yet, nor have those that ended when none was kept.
        loose = [trial.id for trial in trials if trial.curve is None] if curves else []
        points = {pk: [metric(*point) for point in curve] for pk, curve in curves_of(session, loose).items()}
        reasons = stop_reasons(stops)
        output["trials"] = [
            _trial(trial, points.get(trial.id, []), reasons.get(trial.number)) for trial in ordered
        ]
    if (report := stopping_report(stops)) is not None:
        output["earlyStopping"] = report
    return output


def _trial(
    trial: ShownTrial, loose_points: Sequence[dict[str, Any]], stop: dict[str, Any] | None
) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "trialId": str(trial.number),
        "hyperparameters": {name: format_value(value) for name, value in trial.values.items()},
        "startTime": timestamp(trial.start_time),
        "state": trial.state,
    }
    if trial.end_time is not None:
        wire["endTime"] = timestamp(trial.end_time)
    if trial.final_value is not None:
        wire["finalMetric"] = metric(trial.final_step or 0, trial.final_value)
    if trial.stopped_early:
        wire["isTrialStoppedEarly"] = True
    if stop is not None and (trial.stopped_early or "isTrialKept" in stop):
        wire["earlyStop"] = stop
    if loose_points:
        wire["allMetrics"] = loose_points
    elif trial.curve is not None and trial.curve != NO_POINTS:
        wire["allMetrics"] = orjson.Fragment(trial.curve)
    if trial.error_message:
        # Ours: v1 had no place to say why a trial failed or has no metric.
        wire["errorMessage"] = trial.error_message
    return wire
