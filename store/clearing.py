"""Letting go of what ended jobs have left in the database, a bounded part at a time.

Whatever is interrupted goes on where it stood: a job is marked when nothing is left of what was to go.
"""

from collections.abc import Sequence
from enum import Enum, StrEnum, auto
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session, undefer

from store.log_entries import tell
from store.measurements import curves_of, points_json
from store.models import Job, LogEntry, Measurement, Trial

BATCH = 5000
"""Rows that a transaction lets go of, at most, so that others need not wait for long."""
TRIALS = 500
"""Trials that a transaction looks at."""
NO_POINTS = "[]"


class Cleared(StrEnum):
    """What an ended job has been cleared of; each has all of those before it."""

    COMPACTED = "COMPACTED"
    """Single measurements. Curves are kept in one piece, so nothing that can be asked for is different."""
    REMOVED = "REMOVED"
    """Curves and log entries. The job, its trials and their final values stay."""


class Progress(Enum):
    """What became of clearing a part."""

    MORE = auto()
    DONE = auto()
    NOT_NOW = auto()
    """Another is at it, or has done it; or a job that has not ended continues its study."""


class EndedJob(NamedTuple):
    """A job to be cleared."""

    key: int
    project: str
    job_id: str


def next_to_clear(session: Session, goal: Cleared, ended_before: float) -> EndedJob | None:
    """The job that ended first of those that are to be cleared."""
    query = (
        select(Job.id, Job.project, Job.job_id)
        .where(_not_yet(goal), Job.end_time < ended_before, Job.next_check_at.is_(None))
        .order_by(Job.end_time)
        .limit(1)
    )
    if goal is Cleared.REMOVED:
        query = query.where(Job.id.not_in(_continued(session)))
    row = session.execute(query).first()
    return None if row is None else EndedJob(*row)


def clear_some(session: Session, job_pk: int, goal: Cleared, said: str, now: float) -> Progress:
    """Let go of a part of what an ended job has left.

    Args:
        said: what its log says of it afterwards, if that was cleared.
        now: in seconds.
    """
    # Held against a job that is being made to continue it: either that comes later, or is seen below.
    query = select(Job).where(Job.id == job_pk, _not_yet(goal)).with_for_update(skip_locked=True)
    job = session.scalar(query)
    if job is None or (goal is Cleared.REMOVED and job_pk in _continued(session)):
        return Progress.NOT_NOW
    if goal is Cleared.REMOVED:
        # All at once: what a study is told of a job is the same for as long as it is asked.
        has_one = or_(Trial.curve.is_(None), Trial.curve != NO_POINTS)
        session.execute(update(Trial).where(Trial.job_pk == job_pk, has_one).values(curve=NO_POINTS))
    elif _keep_curves(session, job_pk):
        return Progress.MORE
    left = BATCH - _drop_measurements(session, job_pk, BATCH)
    if goal is Cleared.REMOVED and left > 0:
        left -= _drop_entries(session, job_pk, left)
    if left <= 0:
        return Progress.MORE
    job.cleared = goal
    if goal is Cleared.REMOVED:
        tell(session, job, said, now=now)
    return Progress.DONE


def _not_yet(goal: Cleared) -> ColumnElement[bool]:
    if goal is Cleared.COMPACTED:
        return Job.cleared.is_(None)
    return or_(Job.cleared.is_(None), Job.cleared == Cleared.COMPACTED)


def _continued(session: Session) -> set[int]:
    """Keys of the jobs whose studies are continued by jobs that have not ended, however indirectly."""
    found: set[int] = set()
    query = select(Job.previous_id).where(Job.end_time.is_(None), Job.previous_id.is_not(None))
    new = set(session.scalars(query))
    while new:
        found |= {key for key in new if key is not None}
        earlier = select(Job.previous_id).where(Job.id.in_(new), Job.previous_id.is_not(None))
        new = set(session.scalars(earlier)) - found
    return found


def _keep_curves(session: Session, job_pk: int) -> bool:
    """Keep in one piece the curves of trials that ended when none was kept; true if there were some."""
    query = (
        select(Trial)
        .where(Trial.job_pk == job_pk, Trial.curve.is_(None))
        .options(undefer(Trial.curve))
        .limit(TRIALS)
    )
    trials = session.scalars(query).all()
    curves = curves_of(session, [trial.id for trial in trials])
    for trial in trials:
        trial.curve = points_json(curves[trial.id])
    return bool(trials)


def _drop_measurements(session: Session, job_pk: int, limit: int) -> int:
    """Of the first trials that have any; gives how many, or at least so many as may be if there are more."""
    measured = select(Measurement.step).where(Measurement.trial_pk == Trial.id).exists()
    query = select(Trial.id).where(Trial.job_pk == job_pk, measured).order_by(Trial.id).limit(TRIALS)
    dropped: int = 0
    trials: Sequence[int] = session.scalars(query).all()
    for trial in trials:
        of_trial = Measurement.trial_pk == trial
        steps = select(Measurement.step).where(of_trial).order_by(Measurement.step)
        last = session.scalar(steps.offset(limit - dropped - 1).limit(1))
        beyond = [] if last is None else [Measurement.step <= last]
        gone = delete(Measurement).where(of_trial, *beyond).execution_options(synchronize_session=False)
        dropped += session.execute(gone).rowcount  # type: ignore[attr-defined]
        if dropped >= limit:
            return dropped
    return limit if len(trials) == TRIALS else dropped


def _drop_entries(session: Session, job_pk: int, limit: int) -> int:
    keys = select(LogEntry.id).where(LogEntry.job_pk == job_pk).limit(limit)
    gone = delete(LogEntry).where(LogEntry.id.in_(keys)).execution_options(synchronize_session=False)
    dropped: int = session.execute(gone).rowcount  # type: ignore[attr-defined]
    return dropped
