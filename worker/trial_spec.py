"""What a trial's process must see (docs/contract.md 4): arguments, CLOUD_ML_* variables and its cluster.

Knows nothing of any platform; the launchers translate what it builds.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api_schemas.jobs import Scheduling, TrainingInput
from api_schemas.locations import local_path
from api_schemas.values import format_value
from store.objects.files import ObjectFiles
from store.objects.names import Place, scheme_of
from tuning.space import Value
from worker.cluster import CHIEF, MASTER, Cluster, replicas_of
from worker.containers import containers_of
from worker.launchers.protocol import AttemptRef, AttemptSpec, Runtime


@dataclass(frozen=True, slots=True)
class JobInput:
    """The part of a job that its trials' processes depend on."""

    training_input: TrainingInput
    wire: Mapping[str, Any]
    """The same in wire form, for the variables that quote it."""
    metric_tag: str | None
    """None for plain training."""
    objects_dir: Path | None = None
    """Where trials find what is behind gs://; None: that is for them to reach."""


def trial_job_dir(
    training_input: TrainingInput, trial: int, objects_dir: Path | None = None
) -> Path | Place | None:
    """What one trial is given: `<jobDir>/<n>` when tuning (docs/contract.md 4.2), else jobDir.

    Of a gs:// in the service's own store it is the directory behind it, so that a trainer needs no library to
    write there; another store's stays what it is, and so does s3://.
    """
    if not training_input.job_dir:
        return None
    top = _top(training_input.job_dir, objects_dir)
    return top / str(trial) if training_input.is_tuning else top


def _top(job_dir: str, objects_dir: Path | None) -> Path | Place:
    if scheme_of(job_dir) is not None:
        place = Place.parse(job_dir)
        if place.scheme == "gs" and objects_dir is not None:
            return ObjectFiles(objects_dir).path(place)
        return place
    path = local_path(job_dir)
    assert path is not None  # The door took no other.
    return path


def attempt_spec(job: JobInput, ref: AttemptRef, values: Mapping[str, Value]) -> AttemptSpec:
    """Describe one attempt at a trial with these values, which are in the order of the params."""
    training_input = job.training_input
    job_dir = trial_job_dir(training_input, ref.trial, job.objects_dir)
    description = _snake_case(job.wire)
    if job_dir is not None:
        description["job_dir"] = str(job_dir)
    flags = _flags(values, job_dir)
    return AttemptSpec(
        ref=ref,
        module=training_input.python_module or "",
        args=(*(training_input.args or ()), *flags),
        environment=_environment(job, ref, description),
        job_dir=job_dir,
        has_packages=bool(training_input.package_uris),
        cluster=Cluster(
            replicas=replicas_of(training_input),
            primary=_primary_name(training_input),
            trial=None if job.metric_tag is None else str(ref.trial),
            job=description,
            runs_container=_runs_container(training_input),
        ),
        containers=containers_of(training_input, flags),
        runtime=runtime_of(training_input),
        service_account=training_input.service_account or "",
        priority=(training_input.scheduling or Scheduling()).priority,
        max_seconds=(training_input.scheduling or Scheduling()).max_running_seconds,
    )


def runtime_of(training_input: TrainingInput) -> Runtime:
    """What its Python modules are written for."""
    return Runtime(training_input.runtime_version or "", training_input.python_version or "")


def _flags(values: Mapping[str, Value], job_dir: Path | Place | None) -> tuple[str, ...]:
    """What follows the user's own arguments: argparse takes the last one of a flag that is given twice."""
    flags = [f"--{name}={format_value(value)}" for name, value in values.items()]
    last = [] if job_dir is None else ["--job-dir", str(job_dir)]
    return (*flags, *last)


def _environment(job: JobInput, ref: AttemptRef, description: Mapping[str, Any]) -> dict[str, str]:
    environment = {
        "CLOUD_ML_JOB_ID": ref.job.job_id,
        "CLOUD_ML_PROJECT_ID": ref.job.project,
        "CLOUD_ML_JOB": json.dumps(description),
    }
    if job.metric_tag is not None:
        environment["CLOUD_ML_TRIAL_ID"] = str(ref.trial)
        environment["CLOUD_ML_HP_METRIC_TAG"] = job.metric_tag
    return environment


def _primary_name(training_input: TrainingInput) -> str:
    """`master` before runtime 2.0, else `chief`, also without a runtime; a container may choose."""
    if _runs_container(training_input):
        return CHIEF if training_input.use_chief_in_tf_config else MASTER
    version = training_input.runtime_version
    return MASTER if version is not None and version.startswith(("0.", "1.")) else CHIEF


def _runs_container(training_input: TrainingInput) -> bool:
    return training_input.master_config is not None and bool(training_input.master_config.image_uri)


def _snake_case(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {re.sub(r"(?=[A-Z])", "_", key).lower(): _snake_case(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_snake_case(item) for item in value]
    return value
