"""Accepting a job: every rule that needs more than the request itself."""

import secrets
from collections.abc import Iterator

from sqlalchemy.orm import Session

from api_schemas.errors import AlreadyExists, FieldViolation, InvalidArgument
from api_schemas.jobs import Job as WireJob
from api_schemas.jobs import TrainingInput
from api_schemas.wire import to_wire
from service.config import DoorConfig
from service.local_places import place_violations
from service.resume import effective_hyperparameters
from store.jobs import DuplicateJob, NewJob, create_job
from store.models import Job

SEED_BITS = 32


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
    violations = [
        *place_violations(training_input, config.local_paths),
        *([] if config.runs_containers else _needs_containers(training_input)),
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
        return create_job(session, new, now)
    except DuplicateJob as error:
        raise AlreadyExists(
            f"Field: job.job_id Error: There is such a job already: projects/{project}/jobs/{new.job_id}."
        ) from error


def _needs_containers(training_input: TrainingInput) -> Iterator[FieldViolation]:
    because = "The local launcher of this service runs Python packages as processes of this machine"
    if training_input.master_config is not None and training_input.master_config.image_uri:
        yield FieldViolation(
            "master_config.image_uri", f"{because}; images need a launcher that runs containers."
        )
    for field in ("worker_count", "parameter_server_count", "evaluator_count"):
        if getattr(training_input, field):
            yield FieldViolation(field, f"{because}, one a trial; several replicas are not served yet.")
