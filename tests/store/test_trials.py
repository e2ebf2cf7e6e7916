"""Trials and attempts: who lives, who ended, in which order."""

import math
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.exc import IntegrityError

from store.database import Database
from store.measurements import add_measurements
from store.models import Job, Trial
from store.states import AttemptState, IllegalTransition, State
from store.trials import (
    ShownTrial,
    add_trial,
    finish_trial,
    finished_since,
    hold_slots,
    live_resources_by_job,
    live_trials,
    new_attempt,
    sharers,
    shown_trials,
    trials_of,
)
from tests.stored_rows import NOW, add_ended_trial, add_job
from worker.metrics.measurement import Measurement


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


def test_a_trial_that_ends_keeps_its_curve_in_one_piece(database: Database) -> None:
    """What is not finite is left out, a step told twice counts once: as the curve was while it ran."""
    with database.write() as session:
        job = add_job(session)
        measured, silent = (add_trial(session, job, number, {}, NOW) for number in (1, 2))
        session.flush()
        points = [(0, 0.5), (7, math.nan), (9, 1 / 3), (8, 1e300), (9, 0.0)]
        rows = [Measurement(step, value, float(at), 0) for at, (step, value) in enumerate(points)]
        add_measurements(session, measured.id, rows)
        finish_trial(job, measured, State.SUCCEEDED, NOW)
        finish_trial(job, silent, State.FAILED, NOW)
    with database.read() as session:
        shown = shown_trials(session, [job.id], curves=True)[job.id]
    assert [trial.curve for trial in shown] == [
        '[{"objectiveValue":0.5},{"trainingStep":"8","objectiveValue":1e+300},'
        '{"trainingStep":"9","objectiveValue":0.0}]',
        "[]",
    ]


def test_what_is_shown_of_trials_is_what_is_stored_of_them(database: Database) -> None:
    with database.write() as session:
        tuned, empty, other = (add_job(session, name) for name in ("tuned", "empty", "other"))
        add_trial(session, tuned, 2, {"lr": 0.1, "units": "64"}, NOW + 1)
        ended = add_ended_trial(session, tuned, 1, {"lr": 0.2}, objective=0.25)
        ended.final_step, ended.stopped_early, ended.error_message = 7, True, "why"
        ended.curve = "[1]"
        add_trial(session, other, 1, {}, NOW)
    with database.read() as session:
        shown = shown_trials(session, [tuned.id, empty.id], curves=False)
        curves = shown_trials(session, [tuned.id], curves=True)
    assert shown.keys() == {tuned.id, empty.id}
    assert shown[empty.id] == []
    first, second = shown[tuned.id]
    assert first == ShownTrial(
        tuned.id, ended.id, 1, {"lr": 0.2}, State.SUCCEEDED, True, "why", NOW, NOW, 7, 0.25, None
    )
    assert (second.number, second.values, second.end_time) == (2, {"lr": 0.1, "units": "64"}, None)
    assert list(second.values) == ["lr", "units"], "in the order of the params"
    assert isinstance(second.state, State)
    assert [trial.curve for trial in curves[tuned.id]] == ["[1]", None]


def test_what_a_program_wrote_is_kept_without_what_no_text_may_have(database: Database) -> None:
    with database.write() as session:
        job = add_job(session)
        job.error_message = "\0"
        trial = add_trial(session, job, 1, {}, NOW)
        trial.error_message = "a\0b\n\x1bé"
    with database.read() as session:
        (trial,) = trials_of(session, job)
        assert trial.error_message == "a\ufffdb\n\x1bé"
        assert session.get_one(Job, job.id).error_message == "\ufffd"


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
        assert live_resources_by_job(session) == {busy.id: [None, None]}
        assert launching.attempts[0].state is AttemptState.LAUNCHING
        assert idle.id not in live_resources_by_job(session)


def test_who_holds_the_slots_counts_what_others_took(database: Database) -> None:
    """Without it, on PostgreSQL, both would see the last slot free."""
    with database.write() as session:
        jobs = [add_job(session, name) for name in ("one", "two", "three", "four")]
    together = threading.Barrier(len(jobs))

    def take_the_last(job: Job) -> None:
        together.wait(60)
        with database.write() as session:
            hold_slots(session)
            if not live_resources_by_job(session):
                add_trial(session, job, 1, {}, NOW)

    with ThreadPoolExecutor(len(jobs)) as pool:
        list(pool.map(take_the_last, jobs))
    with database.read() as session:
        assert sum(map(len, live_resources_by_job(session).values())) == 1


def test_those_that_share_the_slots_are_about_to_run_or_run(database: Database) -> None:
    with database.write() as session:
        jobs = {state: add_job(session, state.lower(), state=state) for state in State}
        for job in jobs.values():
            job.waiting = {"since": NOW}
        served = add_job(session, "served", state=State.RUNNING)
    with database.read() as session:
        assert sorted(sharers(session)) == [
            (jobs[State.PREPARING].id, State.PREPARING, {"since": NOW}),
            (jobs[State.RUNNING].id, State.RUNNING, {"since": NOW}),
            (served.id, State.RUNNING, None),
        ]
