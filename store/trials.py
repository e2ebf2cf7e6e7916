"""Trials and their attempts."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from store.models import Attempt, Job, Trial
from store.states import (
    LIVE_ATTEMPT,
    TRIAL_TRANSITIONS,
    AttemptState,
    IllegalTransition,
    State,
    check_transition,
)


def add_trial(session: Session, job: Job, number: int, values: dict[str, Any], now: float) -> Trial:
    """Write the intent to run a trial: the trial, and its first attempt in LAUNCHING."""
    trial = Trial(
        job_pk=job.id,
        number=number,
        values=values,
        state=State.PREPARING,
        stopped_early=False,
        start_time=now,
    )
    trial.attempts = [new_attempt(job, 1, now)]
    session.add(trial)
    return trial


def new_attempt(job: Job, number: int, now: float) -> Attempt:
    """The intent to try once (more)."""
    return Attempt(job_pk=job.id, number=number, state=AttemptState.LAUNCHING, start_time=now)


def finish_trial(job: Job, trial: Trial, new: State, now: float, error_message: str | None = None) -> None:
    """Close a trial and give it its place among the job's ended ones.

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


def trials_of(session: Session, job: Job) -> Sequence[Trial]:
    """All of a job's trials, by number."""
    return session.scalars(select(Trial).where(Trial.job_pk == job.id).order_by(Trial.number)).all()


def live_trials(session: Session, job_pk: int) -> Sequence[Trial]:
    """The trials that have not ended, by number, with their attempts."""
    query = (
        select(Trial)
        .where(Trial.job_pk == job_pk, Trial.finish_order.is_(None))
        .order_by(Trial.number)
        .options(selectinload(Trial.attempts))
    )
    return session.scalars(query).all()


def finished_since(session: Session, job_pk: int, order: int) -> Sequence[Trial]:
    """The trials that ended after the `order`-th, in order of their end. Ended trials never change."""
    query = (
        select(Trial).where(Trial.job_pk == job_pk, Trial.finish_order > order).order_by(Trial.finish_order)
    )
    return session.scalars(query).all()


def live_attempts_by_job(session: Session) -> dict[int, int]:
    """How many attempts each job has running or about to: {job key: count}, over all projects."""
    query = (
        select(Attempt.job_pk, func.count()).where(Attempt.state.in_(LIVE_ATTEMPT)).group_by(Attempt.job_pk)
    )
    return dict(session.execute(query).all())


def running_jobs(session: Session) -> set[int]:
    """Keys of the jobs in RUNNING: those that share the platform's slots."""
    return set(session.scalars(select(Job.id).where(Job.state == State.RUNNING)))
