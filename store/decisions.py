"""The ledger of what the search decided."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.models import Decision


def decisions_of(session: Session, job_pk: int) -> Sequence[Decision]:
    """A job's decisions in the order they were made."""
    return session.scalars(select(Decision).where(Decision.job_pk == job_pk).order_by(Decision.id)).all()
