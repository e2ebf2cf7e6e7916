"""A job's log: adding to it, and reading it by pages.

Whoever adds holds the job's row: the worker by its lease, the door by the transaction that creates the job.
So a job's entries come to be in the order of their times, and a reader who passed a place has missed nothing.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, case, func, insert, select, tuple_
from sqlalchemy.orm import Session

from store.models import Job, LogEntry

SERVICE = "service"
"""The task_name of what the service itself says."""
BATCH = 5000
"""Rows a statement."""
ROWS_FETCHED = 20
"""At a time: a message may be large, and a filter take long, so what is looked at between two looks at the
limits is little."""

_PLACE = tuple_(LogEntry.time_ns, LogEntry.id)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where in the order of a log something stands."""

    time_ns: int
    id: int


@dataclass(frozen=True, slots=True)
class NewEntry:
    """What an entry says, before it has its place in the log."""

    task_name: str
    trial: int | None
    severity: str
    message: str


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry as it is read, with the name of its job."""

    id: int
    project: str
    job_id: str
    time_ns: int
    task_name: str
    trial: int | None
    severity: str
    message: str

    @property
    def place(self) -> Place:
        return Place(self.time_ns, self.id)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which of a project's entries a page is taken from: what an index can find.

    Attributes:
        job_pk: of this job only; None for every job of the project.
        low: not before this time, in nanoseconds.
        high: not after it.
        after: beyond this place, in the direction of reading.
        descending: newest first.
    """

    project: str
    job_pk: int | None = None
    low: int | None = None
    high: int | None = None
    after: Place | None = None
    descending: bool = False


@dataclass(frozen=True, slots=True)
class EntryPage:
    """A part of a log.

    Attributes:
        entries: in the order of reading.
        reached: up to where the scope has been looked through; None if that is its end.
    """

    entries: list[StoredEntry]
    reached: Place | None


def add_log_entries(
    session: Session, project: str, job_pk: int, entries: Sequence[NewEntry], now: float
) -> None:
    """Add to a job's log, in this order, at `now` in seconds, or just after its last entry if that is later.

    The caller holds the job's row.
    """
    if not entries:
        return
    # Nobody else adds to it until this transaction, and with it the session, is over.
    lasts = session.info.setdefault("last_entries", {})
    if job_pk not in lasts:
        query = select(func.max(LogEntry.time_ns)).where(LogEntry.job_pk == job_pk)
        lasts[job_pk] = session.scalar(query) or 0
    first = max(int(now * 1e9), lasts[job_pk] + 1)
    lasts[job_pk] = first + len(entries) - 1
    rows = [
        {
            "project": project,
            "job_pk": job_pk,
            "time_ns": first + place,
            "task_name": entry.task_name,
            "trial": entry.trial,
            "severity": entry.severity,
            "message": entry.message,
        }
        for place, entry in enumerate(entries)
    ]
    for start in range(0, len(rows), BATCH):
        session.execute(insert(LogEntry.__table__), rows[start : start + BATCH])  # type: ignore[arg-type]


def tell(
    session: Session,
    job: Job,
    *messages: str,
    now: float,
    severity: str = "INFO",
    trial: int | None = None,
) -> None:
    """Add what the service says of a job, or of one of its trials, at `now` in seconds."""
    said = [NewEntry(SERVICE, trial, severity, message) for message in messages]
    add_log_entries(session, job.project, job.id, said, now)


def read_log_entries(
    session: Session,
    scope: Scope,
    where: ColumnElement[bool],
    limit: int,
    max_rows: int,
    max_characters: int,
    seconds: float = math.inf,
) -> EntryPage:
    """The first entries of a scope for which a condition holds.

    However rare or costly to find they are, it does not last for ever: of the last three arguments, what is
    used up first ends the page.

    Args:
        where: over the columns of LogEntry and Job; never null.
        limit: entries, at most.
        max_rows: how many rows are looked at.
        max_characters: of the messages that are looked at, after which no further one is.
        seconds: after which no further row is looked at.
    """
    deadline = time.monotonic() + seconds
    keys = [key.desc() if scope.descending else key.asc() for key in (LogEntry.time_ns, LogEntry.id)]
    query = (
        select(
            LogEntry.time_ns,
            LogEntry.id,
            func.length(LogEntry.message),
            # Rows that do not match come along, as nothing but a place: so it is seen how far the look is.
            case((where, LogEntry.message)),
            LogEntry.project,
            Job.job_id,
            LogEntry.task_name,
            LogEntry.trial,
            LogEntry.severity,
        )
        .join(Job, Job.id == LogEntry.job_pk)
        .where(*_in_scope(scope))
        .order_by(*keys)
        .limit(max_rows + 1)
        .execution_options(yield_per=ROWS_FETCHED)
    )
    entries: list[StoredEntry] = []
    looked_at, characters, reached = 0, 0, None
    with session.execute(query) as rows:
        for time_ns, number, length, message, *others in rows:
            is_used_up = looked_at == max_rows or characters >= max_characters or time.monotonic() > deadline
            # However little may be looked at, each page gets on.
            if is_used_up and reached is not None:
                return EntryPage(entries, reached)
            if message is not None:
                if len(entries) == limit:
                    return EntryPage(entries, entries[-1].place)
                project, job_id, task_name, trial, severity = others
                entries.append(
                    StoredEntry(number, project, job_id, time_ns, task_name, trial, severity, message)
                )
            looked_at, characters, reached = looked_at + 1, characters + length, Place(time_ns, number)
    return EntryPage(entries, None)


def _in_scope(scope: Scope) -> list[ColumnElement[bool]]:
    # One of the two, never both: each has an index of its own, in the order of reading.
    owner = LogEntry.project == scope.project if scope.job_pk is None else LogEntry.job_pk == scope.job_pk
    conditions: list[ColumnElement[bool]] = [owner]
    if scope.low is not None:
        conditions.append(LogEntry.time_ns >= scope.low)
    if scope.high is not None:
        conditions.append(LogEntry.time_ns <= scope.high)
    if scope.after is not None:
        passed = tuple_(scope.after.time_ns, scope.after.id)
        conditions.append(passed > _PLACE if scope.descending else passed < _PLACE)
    return conditions
