"""Trials and their attempts."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, func, null, select
from sqlalchemy.orm import Session, aliased, joinedload, object_session

from store.measurements import curves_of, points_json
from store.models import Attempt, Job, Trial
from store.states import (
    FINISHED,
    LIVE_ATTEMPT,
    TRIAL_TRANSITIONS,
    AttemptState,
    IllegalTransition,
    State,
    check_transition,
)

_ANY = aliased(Attempt)
_ENDED_BY = (Attempt.trial_pk == Trial.id) & (
    Attempt.number == select(func.max(_ANY.number)).where(_ANY.trial_pk == Trial.id).scalar_subquery()
)
"""Of an ended trial: its last attempt."""
SLOTS_LOCK = 0x5645524E
"""The number of the lock, one of the database's own; any that nobody else takes."""


class ShownTrial(NamedTuple):
    """What answers tell of a trial. Plain, since an answer can hold thousands; the fields are `Trial`'s."""

    job_pk: int
    id: int
    number: int
    values: dict[str, Any]
    state: State
    stopped_early: bool
    error_message: str | None
    start_time: float
    end_time: float | None
    final_step: int | None
    final_value: float | None
    curve: str | None


def add_trial(
    session: Session,
    job: Job,
    number: int,
    values: dict[str, Any],
    now: float,
    resources: dict[str, Any] | None = None,
) -> Trial:
    """Write the intent to run a trial: the trial, and its first attempt in LAUNCHING."""
    trial = Trial(
        job_pk=job.id,
        number=number,
        values=values,
        state=State.PREPARING,
        stopped_early=False,
        start_time=now,
    )
    trial.attempts = [new_attempt(job, 1, now, resources)]
    session.add(trial)
    return trial


def new_attempt(job: Job, number: int, now: float, resources: dict[str, Any] | None = None) -> Attempt:
    """The intent to try once (more)."""
    return Attempt(
        job_pk=job.id, number=number, state=AttemptState.LAUNCHING, resources=resources, start_time=now
    )


def finish_trial(job: Job, trial: Trial, new: State, now: float, error_message: str | None = None) -> None:
    """Close a trial, give it its place among the job's ended ones and keep its curve in one piece.

    Raises:
        IllegalTransition: it has ended already.
    """
    if trial.finish_order is not None:
        raise IllegalTransition(f"trial {trial.number} has ended as {trial.state}; it can't become {new}")
    check_transition(TRIAL_TRANSITIONS, trial.state, new)
    trial.state = new
    trial.end_time = now
    trial.error_message = error_message
    job.finished_trials += 1
    trial.finish_order = job.finished_trials
    session = object_session(trial)
    if session is not None and trial.id is not None:
        trial.curve = points_json(curves_of(session, [trial.id])[trial.id])


def trials_of(session: Session, job: Job) -> Sequence[Trial]:
    """All of a job's trials, by number."""
    return session.scalars(select(Trial).where(Trial.job_pk == job.id).order_by(Trial.number)).all()


def shown_trials(session: Session, jobs: Iterable[int], curves: bool) -> dict[int, list[ShownTrial]]:
    """What answers tell of these jobs' trials, by number: {job key: trials}, empty lists included.

    Args:
        curves: whether to read what `Trial.curve` holds; else it is None.
    """
    shown: dict[int, list[ShownTrial]] = {key: [] for key in jobs}
    for row in session.execute(_SHOWN[curves], {"jobs": list(shown)}):
        shown[row[0]].append(ShownTrial(*row))
    return shown


def _shown(curves: bool) -> Select[Any]:
    names = ShownTrial._fields if curves else ShownTrial._fields[:-1]
    return (
        select(*(getattr(Trial, name) for name in names), *([] if curves else [null()]))
        .where(Trial.job_pk.in_(bindparam("jobs", expanding=True)))
        .order_by(Trial.job_pk, Trial.number)
    )


_SHOWN = {curves: _shown(curves) for curves in (True, False)}
"""Made once: making this query takes longer than a small answer to it."""


def live_trials(session: Session, job_pk: int) -> Sequence[Trial]:
    """The trials that have not ended, by number, with their attempts."""
    return session.scalars(_LIVE, {"job": job_pk}).unique().all()


_LIVE = (
    select(Trial)
    .where(Trial.job_pk == bindparam("job"), Trial.finish_order.is_(None))
    .order_by(Trial.number)
    .options(joinedload(Trial.attempts))
)


def count_ended(session: Session, job: Job, classes: Collection[str]) -> tuple[int, int]:
    """(how many of a job's trials have SUCCEEDED, how many FAILED with a failure of these classes)."""
    states = select(func.count()).where(Trial.job_pk == job.id, Trial.state == State.SUCCEEDED)
    failed = (
        select(func.count())
        .join_from(Trial, Attempt, _ENDED_BY)
        .where(Trial.job_pk == job.id, Trial.state == State.FAILED, Attempt.failure_class.in_(classes))
    )
    return session.scalar(states) or 0, session.scalar(failed) or 0


def ended_last(session: Session, job: Job, count: int) -> Sequence[tuple[State, str | None]]:
    """(state, class of failure) of the trials that ended last, the last first, at most so many."""
    query = (
        select(Trial.state, Attempt.failure_class)
        .join_from(Trial, Attempt, _ENDED_BY)
        .where(Trial.job_pk == job.id, Trial.finish_order.is_not(None))
        .order_by(Trial.finish_order.desc())
        .limit(count)
    )
    return [(state, failure_class) for state, failure_class in session.execute(query)]


def last_without_objective(session: Session, job: Job) -> Trial | None:
    """Of the trials that SUCCEEDED the one that ended last; None if any trial of the job has an objective."""
    own = select(Trial).where(Trial.job_pk == job.id)
    if session.scalar(own.where(Trial.final_value.is_not(None)).limit(1)) is not None:
        return None
    return session.scalar(
        own.where(Trial.state == State.SUCCEEDED).order_by(Trial.finish_order.desc()).limit(1)
    )


def failure_classes(session: Session, trials: Collection[int]) -> dict[int, str | None]:
    """{trial key: class of the failure that ended it}."""
    query = (
        select(Trial.id, Attempt.failure_class)
        .join_from(Trial, Attempt, _ENDED_BY)
        .where(Trial.id.in_(trials))
    )
    return dict(session.execute(query).all())


def finished_since(session: Session, job_pk: int, order: int) -> Sequence[Trial]:
    """The trials that ended after the `order`-th, in order of their end. Ended trials never change."""
    query = (
        select(Trial).where(Trial.job_pk == job_pk, Trial.finish_order > order).order_by(Trial.finish_order)
    )
    return session.scalars(query).all()


def hold_slots(session: Session) -> None:
    """Let no other transaction that asks for this count slots and take some until this one ends."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(SLOTS_LOCK)))
    # On SQLite there is one writer at a time.


def live_attempts(session: Session) -> set[tuple[str, str, int, int]]:
    """All attempts that run or are about to: (project, job id, number of the trial, of the attempt)."""
    query = (
        select(Job.project, Job.job_id, Trial.number, Attempt.number)
        .join(Trial, Trial.id == Attempt.trial_pk)
        .join(Job, Job.id == Attempt.job_pk)
        .where(Attempt.state.in_(LIVE_ATTEMPT))
    )
    return {(project, job, trial, attempt) for project, job, trial, attempt in session.execute(query)}


def jobs_in_preparation(session: Session) -> set[tuple[str, str]]:
    """The jobs whose packages may be being installed: (project, job id)."""
    query = select(Job.project, Job.job_id).where(Job.state.in_((State.PREPARING, State.CANCELLING)))
    return {(project, job) for project, job in session.execute(query)}


def live_resources_by_job(session: Session) -> dict[int, list[dict[str, Any] | None]]:
    """What the attempts that run or are about to have been given: {job key: one each}, over all projects.

    Those that wait to be tried again have nothing.
    """
    found: dict[int, list[dict[str, Any] | None]] = {}
    for job_pk, resources in session.execute(_LIVE_RESOURCES):
        found.setdefault(job_pk, []).append(resources)
    return found


_LIVE_RESOURCES = select(Attempt.job_pk, Attempt.resources).where(
    Attempt.state.in_(LIVE_ATTEMPT), Attempt.not_before.is_(None)
)


class Sharer(NamedTuple):
    """A job that shares the platform's slots, or is about to."""

    job_pk: int
    state: State
    waiting: dict[str, Any] | None
    """`Job.waiting`."""


def sharers(session: Session) -> list[Sharer]:
    """The jobs in PREPARING and RUNNING, over all projects."""
    return [Sharer(*row) for row in session.execute(_SHARERS)]


_SHARERS = select(Job.id, Job.state, Job.waiting).where(Job.state.in_((State.PREPARING, State.RUNNING)))


def is_in_line(waiting: Mapping[str, Any] | None) -> bool:
    """Whether a job whose `Job.waiting` is this has no trial at all; else it wants more of them, or none."""
    # In rows of earlier releases every job that waits has none, and nothing says why.
    return waiting is not None and waiting.get("why", "") is not None


def places_in_line(session: Session, jobs: Iterable[Job]) -> dict[int, tuple[int, str]]:
    """Of those that wait for room on the machine: {job key: (place from 1, why)}, over all projects."""
    asked = {job.id for job in jobs if job.state not in FINISHED and is_in_line(job.waiting)}
    if not asked:
        return {}
    line = [
        (each.waiting["since"], each.job_pk, each.waiting.get("why", ""))
        for each in sharers(session)
        if each.waiting is not None and is_in_line(each.waiting)
    ]
    places = enumerate(sorted(line), start=1)
    return {key: (place, why) for place, (_, key, why) in places if key in asked}
