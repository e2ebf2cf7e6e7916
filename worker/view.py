"""A job as one look at the database found it: what the worker's steps pass around."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from api_schemas.hyperparameters import HyperparameterSpec
from api_schemas.jobs import TrainingInput
from store.database import Database
from store.models import Attempt, Job, Trial
from store.trials import live_trials
from worker.launchers.protocol import AttemptRef, JobRef
from worker.trial_spec import JobInput


@dataclass(frozen=True, slots=True)
class View:
    """One job and its live trials. The rows are detached: to be read, not changed."""

    job: Job
    ref: JobRef
    input: JobInput
    spec: HyperparameterSpec | None
    """None for plain training."""
    live: Sequence[Trial]

    @property
    def max_trials(self) -> int:
        return 1 if self.spec is None else self.spec.effective_max_trials

    @property
    def max_parallel_trials(self) -> int:
        return 1 if self.spec is None else self.spec.effective_max_parallel_trials

    def attempt_ref(self, trial: Trial) -> AttemptRef:
        """Names the trial's current attempt."""
        return AttemptRef(self.ref, trial.number, current(trial).number)


def look(database: Database, job_pk: int, objects_dir: Path | None = None) -> View:
    """Read a job and its live trials in one snapshot.

    Args:
        objects_dir: where trials find what is behind gs://, if it is the service's own.
    """
    with database.read() as session:
        job, live = read_rows(session, job_pk)
    return view_of(job, live, objects_dir)


def read_rows(session: Session, job_pk: int) -> tuple[Job, Sequence[Trial]]:
    """What a view is of."""
    return session.get_one(Job, job_pk), live_trials(session, job_pk)


def view_of(job: Job, live: Sequence[Trial], objects_dir: Path | None = None) -> View:
    """What the rows say; see `look`."""
    wire = job.hyperparameters
    spec = None if wire is None else HyperparameterSpec.model_validate(wire)
    training_input = TrainingInput.model_validate(job.training_input)
    tag = None if spec is None else spec.effective_metric_tag
    job_input = JobInput(training_input, job.training_input, tag, objects_dir)
    return View(job, JobRef(job.project, job.job_id), job_input, spec, live)


def current(trial: Trial) -> Attempt:
    """The trial's last attempt: the only one that may live."""
    return trial.attempts[-1]
