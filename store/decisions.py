"""The ledger of what the search decided."""

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.models import Decision, Job

STOP, KEEP, STOP_REPORT = "STOP", "KEEP", "STOP_REPORT"
"""To stop a trial; to keep one running that would be stopped, and see how it ends; what came of it all."""


def stops_early(job: Job) -> bool:
    """Whether the job asked for its trials to be stopped early."""
    return bool(job.hyperparameters and job.hyperparameters.get("enableTrialEarlyStopping"))


def decisions_of(session: Session, job_pk: int) -> Sequence[Decision]:
    """A job's decisions in the order they were made."""
    return session.scalars(select(Decision).where(Decision.job_pk == job_pk).order_by(Decision.id)).all()


def stops_of(session: Session, job_pks: Collection[int]) -> dict[int, list[Decision]]:
    """What was decided of early stopping in these jobs, by job, in the order it was."""
    found: dict[int, list[Decision]] = {pk: [] for pk in job_pks}
    if found:
        kinds = Decision.kind.in_((STOP, KEEP, STOP_REPORT))
        query = select(Decision).where(Decision.job_pk.in_(found), kinds).order_by(Decision.id)
        for decision in session.scalars(query):
            found[decision.job_pk].append(decision)
    return found
