"""Trials and attempts: who lives, who ended, in which order."""

import pytest
from sqlalchemy.exc import IntegrityError

from store.database import Database
from store.models import Trial
from store.states import AttemptState, IllegalTransition, State
from store.trials import (
    add_trial,
    finish_trial,
    finished_since,
    live_attempts_by_job,
    live_trials,
    new_attempt,
    running_jobs,
    trials_of,
)
from tests.stored_rows import NOW, add_ended_trial, add_job


def test_a_new_trial_is_an_intent_with_one_attempt(database: Database) -> None:
    with database.write() as session:
        job = add_job(session)
        add_trial(session, job, 1, {"b": 0.5, "a": 3}, NOW)
    with database.read() as session:
        (trial,) = live_trials(session, job.id)
    assert trial.state is State.PREPARING
    assert [(attempt.number, attempt.state) for attempt in trial.attempts] == [(1, AttemptState.LAUNCHING)]
    assert list(trial.values.items()) == [("b", 0.5), ("a", 3)]
    assert isinstance(trial.values["a"], int)


def test_live_trials_come_by_number_with_their_attempts_in_order(database: Database) -> None:
    with database.write() as session:
        job, other = add_job(session, "job"), add_job(session, "other")
        for number in (3, 1, 2):
            add_trial(session, job, number, {}, NOW).attempts.append(new_attempt(job, 2, NOW))
        add_trial(session, other, 1, {}, NOW)
        add_ended_trial(session, job, 4)
    with database.read() as session:
        live = live_trials(session, job.id)
        assert [trial.number for trial in trials_of(session, job)] == [1, 2, 3, 4]
    assert [trial.number for trial in live] == [1, 2, 3]
    assert [[attempt.number for attempt in trial.attempts] for trial in live] == [[1, 2]] * 3


def test_ended_trials_come_in_the_order_of_their_end(database: Database) -> None:
    with database.write() as session:
        job = add_job(session)
        trials = [add_trial(session, job, number, {}, NOW) for number in (1, 2, 3)]
        for trial, state in zip(
            reversed(trials), (State.SUCCEEDED, State.FAILED, State.CANCELLED), strict=True
        ):
            finish_trial(job, trial, state, NOW + trial.number)
        assert job.finished_trials == 3
    with database.read() as session:
        assert [trial.number for trial in finished_since(session, job.id, 0)] == [3, 2, 1]
        assert [trial.number for trial in finished_since(session, job.id, 2)] == [1]
        assert list(finished_since(session, job.id, 3)) == []


@pytest.mark.parametrize("again", [State.SUCCEEDED, State.FAILED, State.RUNNING])
def test_a_trial_ends_once(database: Database, again: State) -> None:
    with database.write() as session:
        job = add_job(session)
        trial = add_ended_trial(session, job, 1, state=State.SUCCEEDED)
        with pytest.raises(IllegalTransition):
            finish_trial(job, trial, again, NOW + 1, "twice")
        assert (trial.state, trial.end_time, trial.finish_order) == (State.SUCCEEDED, NOW, 1)
        assert job.finished_trials == 1


def test_a_number_is_given_once_in_a_job(database: Database) -> None:
    with database.write() as session:
        job = add_job(session)
        add_trial(session, job, 1, {}, NOW)
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(Trial(job_pk=job.id, number=1, values={}, start_time=NOW))


def test_live_attempts_are_counted_for_each_job(database: Database) -> None:
    with database.write() as session:
        busy, idle = add_job(session, "busy"), add_job(session, "idle")
        launching, running, ended = (add_trial(session, busy, number, {}, NOW) for number in (1, 2, 3))
        running.attempts[0].state = AttemptState.RUNNING
        ended.attempts[0].state = AttemptState.ENDED
        session.flush()
        assert live_attempts_by_job(session) == {busy.id: 2}
        assert launching.attempts[0].state is AttemptState.LAUNCHING
        assert idle.id not in live_attempts_by_job(session)


def test_only_jobs_in_running_share_the_slots(database: Database) -> None:
    with database.write() as session:
        jobs = {state: add_job(session, f"job_{state}", state) for state in State}
        assert running_jobs(session) == {jobs[State.RUNNING].id}
