"""A job's log: adding to it, and reading it by pages.

Whoever adds holds the job's row: the worker by its lease, the door by the transaction that creates the job.
So a job's entries come to be in the order of their times, and a reader who passed a place has missed nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, insert, select, tuple_
from sqlalchemy.orm import Session

from store.models import Job, LogEntry

SERVICE = "service"
"""The task_name of what the service itself says."""
BATCH = 5000
"""Rows a statement."""
ROWS_FETCHED = 200
"""At a time: a message may be large, so a page is not fetched as a whole before it is cut."""

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
    last = session.scalar(select(func.max(LogEntry.time_ns)).where(LogEntry.job_pk == job_pk))
    first = max(int(now * 1e9), (last or 0) + 1)
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
    session: Session, scope: Scope, where: ColumnElement[bool], limit: int, max_rows: int, max_characters: int
) -> EntryPage:
    """The first entries of a scope for which a condition holds.

    Args:
        where: over the columns of LogEntry and Job.
        limit: entries, at most.
        max_rows: how many rows are looked at, so that a rare match can't make it last for ever.
        max_characters: of messages, after which no further entry is taken.
    """
    conditions = _in_scope(scope)
    keys = [key.desc() if scope.descending else key.asc() for key in (LogEntry.time_ns, LogEntry.id)]
    # The last row that is looked at, if there are more.
    bound = session.execute(
        select(LogEntry.time_ns, LogEntry.id).where(*conditions).order_by(*keys).offset(max_rows).limit(1)
    ).one_or_none()
    until = None if bound is None else Place(*bound)
    if until is not None:
        last = tuple_(until.time_ns, until.id)
        conditions.append(last <= _PLACE if scope.descending else last >= _PLACE)
    query = (
        select(
            LogEntry.id,
            LogEntry.project,
            Job.job_id,
            LogEntry.time_ns,
            LogEntry.task_name,
            LogEntry.trial,
            LogEntry.severity,
            LogEntry.message,
        )
        .join(Job, Job.id == LogEntry.job_pk)
        .where(*conditions, where)
        .order_by(*keys)
        .limit(limit + 1)
        .execution_options(yield_per=ROWS_FETCHED)
    )
    entries: list[StoredEntry] = []
    characters = 0
    with session.execute(query) as rows:
        for row in rows:
            if len(entries) == limit or characters >= max_characters:
                return EntryPage(entries, entries[-1].place)
            entries.append(StoredEntry(*row))
            characters += len(entries[-1].message)
    return EntryPage(entries, until)


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
