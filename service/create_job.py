"""Accepting a job: every rule that needs more than the request itself."""

import secrets
from collections.abc import Iterator, Mapping

from sqlalchemy.orm import Session

from api_schemas.accelerators import WHOLE, gpu_percent, gpus_by_role
from api_schemas.errors import AlreadyExists, FieldViolation, InvalidArgument
from api_schemas.jobs import Job as WireJob
from api_schemas.jobs import TrainingInput
from api_schemas.memory import memory_mb
from api_schemas.wire import to_wire
from service.cluster_offer import cluster_violations
from service.config import DoorConfig
from service.local_places import place_violations
from service.resume import effective_hyperparameters
from store.jobs import DuplicateJob, NewJob, create_job, job_key
from store.log_entries import tell
from store.models import Job
from store.objects.buckets import Buckets
from store.objects.files import ObjectFiles
from store.objects.names import Place, is_gs

SEED_BITS = 32
COUNTS = ("worker_count", "parameter_server_count", "evaluator_count")


def accept_job(session: Session, project: str, posted: WireJob, config: DoorConfig, now: float) -> Job:
    """Check a job that is well-formed against what this service can do, and store it.

    Raises:
        InvalidArgument, FailedPrecondition: it can't be run here; every violation is named.
        AlreadyExists: the project has a job of this name.
    """
    training_input = posted.training_input
    # The parser took no job without either.
    assert training_input is not None
    assert posted.job_id is not None
    if job_key(session, project, posted.job_id) is not None:
        # Before its places are looked at: the packages of a job that was accepted may be gone by now.
        raise _taken(project, posted.job_id)
    violations = [
        *place_violations(training_input, config.local_paths, config.objects_dir, config.reads_s3),
        *([] if config.runs_containers else _needs_containers(training_input)),
        *([] if config.cluster is None else cluster_violations(training_input, config.cluster)),
        *_too_many_replicas(training_input, config.max_replicas),
        *_too_many_gpus(training_input, posted.labels or {}, config.gpus),
        *_too_much_memory(training_input, posted.labels or {}, config.memory_mb),
    ]
    if violations:
        raise InvalidArgument(violations)
    wire = to_wire(training_input)
    hyperparameters, previous_id = effective_hyperparameters(session, project, wire.get("hyperparameters"))
    new = NewJob(
        project=project,
        job_id=posted.job_id,
        training_input=wire,
        hyperparameters=hyperparameters,
        labels=dict(posted.labels or {}),
        seed=secrets.randbits(SEED_BITS),
        previous_id=previous_id,
    )
    try:
        job = create_job(session, new, now)
    except DuplicateJob as error:
        raise _taken(project, new.job_id) from error
    _make_bucket(project, training_input, config)
    tell(
        session,
        job,
        "Validating job requirements...",
        "Job creation request has been successfully validated.",
        f"Job {job.job_id} is queued.",
        now=now,
    )
    return job


def _taken(project: str, job_id: str) -> AlreadyExists:
    return AlreadyExists(
        f"Field: job.job_id Error: There is such a job already: projects/{project}/jobs/{job_id}."
    )


def _make_bucket(project: str, training_input: TrainingInput, config: DoorConfig) -> None:
    """The bucket of a gs:// job dir comes into being with the job, and is its project's."""
    if config.objects_dir is not None and is_gs(training_input.job_dir or ""):
        bucket = Place.parse(training_input.job_dir or "").bucket
        Buckets(ObjectFiles(config.objects_dir)).ensure(bucket, project)


def _needs_containers(training_input: TrainingInput) -> Iterator[FieldViolation]:
    because = (
        "The local launcher of this service runs Python packages as processes of this machine; images need "
        "the launcher for Kubernetes, which runs containers"
    )
    for role in ("master", "worker", "parameter_server", "evaluator"):
        config = getattr(training_input, f"{role}_config")
        if config is not None and config.image_uri:
            yield FieldViolation(f"{role}_config.image_uri", f"{because}.")


def _counts(training_input: TrainingInput) -> dict[str, int]:
    """How many replicas there are beside the master."""
    return {field: getattr(training_input, field) or 0 for field in COUNTS}


def _too_many_replicas(training_input: TrainingInput, limit: int) -> Iterator[FieldViolation]:
    counts = _counts(training_input)
    replicas = 1 + sum(counts.values())
    if replicas > limit:
        yield FieldViolation(
            max(counts, key=counts.__getitem__),
            f"Each trial would have {replicas} replicas, the master included; "
            f"this service runs at most {limit} (VERNIER_MAX_REPLICAS).",
        )


def _too_many_gpus(
    training_input: TrainingInput, labels: Mapping[str, str], gpus: int | None
) -> Iterator[FieldViolation]:
    """What a trial could never have, even with the machine to itself."""
    try:
        percent = gpu_percent(labels)
    except ValueError as error:
        yield FieldViolation("labels", str(error))
        return
    asked = gpus_by_role(training_input)
    if gpus is None or not asked:
        return
    most = max(asked, key=asked.__getitem__)
    at = f"{most}_config.accelerator_config.count"
    if asked[most] > gpus:
        yield FieldViolation(
            at, f"Each {most} would have {asked[most]} GPUs; this machine has {gpus} (VERNIER_GPUS)."
        )
        return
    total = sum(
        count * (1 if role == "master" else getattr(training_input, f"{role}_count") or 0)
        for role, count in asked.items()
    )
    shares = gpus * (WHOLE // percent)
    if total > shares:
        yield FieldViolation(
            at,
            f"The replicas of a trial would have {total} GPUs; with {percent} percent of each, "
            f"this machine has {shares} (VERNIER_GPUS).",
        )


def _too_much_memory(
    training_input: TrainingInput, labels: Mapping[str, str], memory: int | None
) -> Iterator[FieldViolation]:
    """As with GPUs: unlike a CPU, memory can't be given twice."""
    try:
        asked = memory_mb(labels) * (1 + sum(_counts(training_input).values()))
    except ValueError as error:
        yield FieldViolation("labels", str(error))
        return
    if memory is not None and asked > memory:
        yield FieldViolation(
            "labels",
            f"Each trial would have {asked} MB of memory; this machine has {memory} (VERNIER_MEMORY_MB).",
        )
