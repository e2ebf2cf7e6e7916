"""Jobs: creating, finding, listing, cancelling, and the lease that says who may act on one."""

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Double, Select, bindparam, case, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from api_schemas.job_filter import Filter
from store.clock import database_now
from store.job_filter import matches
from store.models import Job
from store.states import FINISHED, JOB_TRANSITIONS, State, check_transition

FIRST_WINDOW = 32
"""Jobs that are held against a filter at first; then twice as many, as long as there is time."""
CLOCK_NOISE = 1.0
"""Seconds by which a clock may be put right without being set back."""


class DuplicateJob(Exception):
    """The project already has a job of this name."""


class LeaseLost(Exception):
    """Another worker has taken the job over; nothing of this step may be written."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to act on one job, until it expires or another takes it."""

    job_pk: int
    owner: str
    fence: int
    seconds: float


@dataclass(frozen=True, slots=True)
class NewJob:
    """What is known of a job when it is accepted."""

    project: str
    job_id: str
    training_input: dict[str, Any]
    hyperparameters: dict[str, Any] | None
    labels: dict[str, str]
    seed: int
    previous_id: int | None = None


def create_job(session: Session, new: NewJob, now: float) -> Job:
    """Accept a job; it is due at once.

    Raises:
        DuplicateJob: the project has a job of this name. The session can't be used further.
    """
    job = Job(
        project=new.project,
        job_id=new.job_id,
        training_input=new.training_input,
        hyperparameters=new.hyperparameters,
        labels=dict(new.labels),
        version=1,
        state=State.QUEUED,
        create_time=now,
        seed=new.seed,
        previous_id=new.previous_id,
        finished_trials=0,
        next_check_at=now,
        lease_fence=0,
    )
    session.add(job)
    try:
        session.flush()
    except IntegrityError as error:
        raise DuplicateJob(new.job_id) from error
    return job


def find_job(session: Session, project: str, job_id: str) -> Job | None:
    """The project's job of this name."""
    return session.scalar(select(Job).where(Job.project == project, Job.job_id == job_id))


def job_key(session: Session, project: str, job_id: str) -> int | None:
    """The key of the project's job of this name."""
    return session.scalar(select(Job.id).where(Job.project == project, Job.job_id == job_id))


@dataclass(frozen=True, slots=True)
class JobPage:
    """Some of a project's jobs, newest first."""

    jobs: Sequence[Job]
    next_before: int | None
    """The jobs of the next page are older than this one; None: there are none."""


def list_jobs(
    session: Session,
    project: str,
    limit: int,
    before_pk: int | None = None,
    filter_: Filter | None = None,
    seconds: float = math.inf,
) -> JobPage:
    """At most `limit` of the project's jobs, newest first.

    Pages are told apart by the key: what is added while they are read comes before the first one, so none is
    shown twice, and none is left out that was there when the first was read. PostgreSQL gives a job its key
    when it is inserted and shows it when that is committed. So of jobs created at the same moment a later one
    can be seen first, and paging that begins just then passes the other by.

    Args:
        before_pk: only jobs older than that one.
        filter_: only jobs that it is about.
        seconds: after which no further jobs are held against the filter. The page then has fewer, or none.
    """
    older = _older_than(project, before_pk)
    if filter_ is None:
        jobs = session.scalars(older.limit(limit + 1)).all()
        return _page(jobs, limit)
    deadline = time.monotonic() + seconds
    found: list[Job] = []
    window = FIRST_WINDOW
    while True:
        last = session.scalar(older.with_only_columns(Job.id).offset(window - 1).limit(1))
        here = older if last is None else older.where(Job.id >= last)
        found += session.scalars(here.where(matches(filter_)).limit(limit + 1 - len(found)))
        if last is None or len(found) > limit:
            return _page(found, limit)
        if time.monotonic() > deadline:
            return JobPage(found, last)
        older, window = _older_than(project, last), window * 2


def _older_than(project: str, key: int | None) -> Select[Job]:
    jobs = select(Job).where(Job.project == project).order_by(Job.id.desc())
    return jobs if key is None else jobs.where(Job.id < key)


def _page(jobs: Sequence[Job], limit: int) -> JobPage:
    return JobPage(jobs, None) if len(jobs) <= limit else JobPage(jobs[:limit], jobs[limit - 1].id)


def places_in_queue(session: Session, jobs: Iterable[Job]) -> dict[int, int]:
    """Places from 1 of those that are QUEUED, counting every project's older jobs that have not begun.

    {job key: place}
    """
    waiting = {job.id for job in jobs if job.state == State.QUEUED}
    if not waiting:
        return {}
    rows = session.execute(_PLACES, {"first": min(waiting), "last": max(waiting)})
    return {key: place for key, place in rows if key in waiting}


def _places() -> Select[int, int]:
    # Those before the first that is asked for are only counted, which is quicker than numbering them.
    queued, key = Job.state == State.QUEUED, Job.id
    ahead = select(func.count(key)).where(queued, key < bindparam("first")).scalar_subquery()
    place = ahead + func.row_number().over(order_by=key)
    return select(key, place).where(queued, key.between(bindparam("first"), bindparam("last")))


_PLACES = _places()
"""Made once: making this query takes longer than answering it."""


def set_state(job: Job, new: State, error_message: str | None = None) -> None:
    """Move the job on.

    Raises:
        IllegalTransition: `new` may not follow the state it is in.
    """
    check_transition(JOB_TRANSITIONS, job.state, new)
    job.state = new
    if error_message is not None:
        job.error_message = error_message


def request_cancel(job: Job, reason: str, now: float) -> bool:
    """Ask for the job's end; true if that changed anything. An ended or ending job stays as it is."""
    if job.state in FINISHED or job.state == State.CANCELLING:
        return False
    set_state(job, State.CANCELLING, reason)
    job.verdict = State.CANCELLED
    job.version += 1
    job.next_check_at = now
    return True


def lock_job(session: Session, project: str, job_id: str) -> Job | None:
    """The job, held against other writers until the transaction ends."""
    query = select(Job).where(Job.project == project, Job.job_id == job_id).with_for_update()
    return session.scalar(query)


def due_jobs(session: Session, limit: int, farthest: float) -> Sequence[int]:
    """Keys of jobs that should be looked at now, longest due first; leased ones left out.

    Args:
        farthest: in seconds. What is to be looked at later than that, or leased for longer, is from before
            the clock was set back, and must not wait until it has caught up.
    """
    # PostgreSQL looks up by index only what it need not ask again for every row, as it must its clock.
    now = select(database_now()).scalar_subquery()
    far = select(database_now() + (farthest + CLOCK_NOISE)).scalar_subquery()
    query = (
        select(Job.id)
        .where(
            or_(Job.next_check_at <= now, Job.next_check_at > far),
            or_(Job.lease_expires_at.is_(None), Job.lease_expires_at < now, Job.lease_expires_at > far),
        )
        .order_by(Job.next_check_at)
        .limit(limit)
    )
    return session.scalars(query).all()


def acquire_lease(
    session: Session, job_pk: int, owner: str, seconds: float, *, farthest: float | None = None
) -> Lease | None:
    """Take the job for `seconds`, unless another worker holds it or it has ended.

    It is due again when they are over; if it is before, somebody has asked for a look meanwhile. A lease that
    would last longer than this one is from before the clock was set back, and holds no more: if its owner
    lives, the fencing number tells it.

    Args:
        farthest: only if it is due, as `due_jobs` has it; None: whether it is or not.
    """
    given = {"key": job_pk, "new_owner": owner, "seconds": seconds}
    if farthest is not None:
        given["farthest"] = farthest
    fence = session.scalar(_ACQUIRE[farthest is not None], given)
    return None if fence is None else Lease(job_pk, owner, fence, seconds)


def hold_lease(session: Session, lease: Lease) -> Job:
    """Renew the lease as the first statement of a step's transaction; the row, which is given, stays locked
    until it ends.

    A worker that slept past its lease may go on only if nobody has taken the job since: the fencing number
    tells.

    Raises:
        LeaseLost: somebody has.
    """
    held: Job | None = session.scalar(
        _HOLD, {**_shown_by(lease), "owner": lease.owner, "seconds": lease.seconds}
    )
    if held is None:
        raise LeaseLost(f"job {lease.job_pk} was taken over from {lease.owner}")
    return held


def release_lease(session: Session, lease: Lease) -> bool:
    """Give the job back, if it is still held; true if it is due again already."""
    return bool(session.scalar(_RELEASE, _shown_by(lease)))


def _shown_by(lease: Lease) -> dict[str, int]:
    return {"key": lease.job_pk, "fence": lease.fence}


# Statements of every look, made once and of columns rather than attributes: to make them takes longer than to
# execute them.
_JOBS = Job.__table__.c
_UPDATE = update(Job.__table__).where(_JOBS.id == bindparam("key"))  # type: ignore[arg-type]
_UNTIL = database_now() + bindparam("seconds", type_=Double())
_HELD = _UPDATE.where(_JOBS.lease_fence == bindparam("fence"))


def _acquire(if_due: bool) -> ReturningUpdate[int]:
    now, noise = database_now(), CLOCK_NOISE
    free = or_(
        _JOBS.lease_expires_at.is_(None),
        _JOBS.lease_expires_at < now,
        _JOBS.lease_expires_at > _UNTIL + noise,
    )
    due: ColumnElement[bool] = _JOBS.next_check_at.is_not(None)
    if if_due:
        far = now + bindparam("farthest", type_=Double()) + noise
        due = or_(_JOBS.next_check_at <= now, _JOBS.next_check_at > far)
    return (
        _UPDATE.where(due, free)
        .values(
            lease_owner=bindparam("new_owner"),
            lease_expires_at=_UNTIL,
            lease_fence=_JOBS.lease_fence + 1,
            next_check_at=_UNTIL,
        )
        .returning(_JOBS.lease_fence)
    )


_ACQUIRE = {if_due: _acquire(if_due) for if_due in (True, False)}
_HOLD = (
    select(Job)
    .from_statement(
        _HELD.where(_JOBS.lease_owner == bindparam("owner")).values(lease_expires_at=_UNTIL).returning(*_JOBS)
    )
    .execution_options(populate_existing=True)
)
_RELEASE = _HELD.values(lease_owner=None, lease_expires_at=None).returning(
    _JOBS.next_check_at <= database_now()
)
_ASK_ALL = (
    _UPDATE.where(_JOBS.next_check_at > database_now())
    .values(next_check_at=database_now())
    .returning(_JOBS.id)
)
_ASK_SINCE = _ASK_ALL.where(_JOBS.lease_fence == bindparam("fence"))


def not_yet_due(session: Session, job_pks: Sequence[int]) -> dict[int, int]:
    """Those of the jobs that are to be looked at later, in the order given: {job key: looks at it so far}."""
    if not job_pks:
        return {}
    later = select(Job.id, Job.lease_fence).where(Job.id.in_(job_pks), Job.next_check_at > database_now())
    found: dict[int, int] = dict(session.execute(later).all())
    return {key: found[key] for key in job_pks if key in found}


def ask_for_look(session: Session, job_pk: int, looks: int | None = None) -> bool:
    """Make the job due now; false if it is already, or has ended. Who looks at it meanwhile looks again.

    Args:
        looks: so many looks at it have been begun; false, too, if there are more by now.
    """
    if looks is None:
        return session.scalar(_ASK_ALL, {"key": job_pk}) is not None
    return session.scalar(_ASK_SINCE, {"key": job_pk, "fence": looks}) is not None


def release_leases(session: Session, name: str) -> None:
    """Give back what the owners `<name>/…` hold: for a process that knows they are gone.

    Raises nothing, and changes nothing of others: a process that lives keeps what it has.
    """
    due = case((Job.next_check_at.is_not(None), database_now()))
    session.execute(
        update(Job)
        .where(Job.lease_owner.startswith(f"{name}/", autoescape=True))
        .values(lease_owner=None, lease_expires_at=None, next_check_at=due)
        .execution_options(synchronize_session=False)
    )
