"""Ended jobs are cleared a part at a time, and never while anybody needs what they have."""

from typing import Any

import pytest
from sqlalchemy import func, select

from store import clearing
from store.clearing import Cleared, Progress, clear_some, next_to_clear
from store.database import Database
from store.log_entries import tell
from store.measurements import add_measurements, ended_curves
from store.models import Job, LogEntry, Measurement, Trial
from store.states import State
from store.trials import add_trial, finish_trial, shown_trials
from tests.stored_rows import NOW, add_job
from worker.metrics.measurement import Measurement as Measured

GOALS = list(Cleared)


def _ended(database: Database, name: str, end: float = NOW, **given: Any) -> int:
    """A job that ended, with three trials of four steps and as many log entries."""
    with database.write() as session:
        job = add_job(session, name, State.RUNNING, **given)
        for number in (1, 2, 3):
            trial = add_trial(session, job, number, {"x": number}, NOW)
            session.flush()
            points = [Measured(step, step / 10, NOW, source) for step in range(4) for source in (0, 1)]
            add_measurements(session, trial.id, points)
            trial.final_step, trial.final_value = 3, 0.3
            finish_trial(job, trial, State.SUCCEEDED, NOW)
            tell(session, job, *("said" for _ in range(4)), now=NOW)
        job.state, job.end_time, job.next_check_at = State.SUCCEEDED, end, None
        return job.id


def _next(database: Database, goal: Cleared, before: float = NOW + 1) -> str | None:
    with database.read() as session:
        found = next_to_clear(session, goal, before)
    return None if found is None else found.job_id


def _clear(database: Database, key: int, goal: Cleared) -> list[Progress]:
    went = [Progress.MORE]
    while went[-1] is Progress.MORE:
        with database.write() as session:
            went.append(clear_some(session, key, goal, "cleared", NOW + 9))
    return went[1:]


def _rows(database: Database, table: type[Measurement] | type[LogEntry]) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def _shown(database: Database, key: int) -> list[Any]:
    with database.read() as session:
        return list(shown_trials(session, [key], curves=True)[key])


@pytest.mark.parametrize("batch", [1, 5, 9, 10_000])
@pytest.mark.parametrize("goal", GOALS)
def test_all_of_one_job_goes_whatever_a_part_is_and_nothing_of_others(
    database: Database, goal: Cleared, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clearing, "BATCH", batch)
    monkeypatch.setattr(clearing, "TRIALS", 2)
    key, other = _ended(database, "cleared"), _ended(database, "other")
    before, of_other = _shown(database, key), _shown(database, other)
    went = _clear(database, key, goal)
    assert went[-1] is Progress.DONE
    assert len(went) >= 24 / max(batch, 2), "a part at a time"
    assert _rows(database, Measurement) == 24
    after = _shown(database, key)
    if goal is Cleared.COMPACTED:
        assert after == before, "every answer is what it was"
        assert _rows(database, LogEntry) == 24
    else:
        assert [trial._replace(curve=None) for trial in before] == [
            trial._replace(curve=None) for trial in after
        ]
        assert {trial.curve for trial in after} == {"[]"}
        with database.read() as session:
            entries = select(LogEntry.message).where(LogEntry.job_pk == key)
            assert session.scalars(entries).all() == ["cleared"], "its log says so"
    assert _shown(database, other) == of_other
    assert _clear(database, key, goal) == [Progress.NOT_NOW], "once"


def test_the_oldest_comes_first_and_none_too_early_or_twice(database: Database) -> None:
    keys = {name: _ended(database, name, NOW + end) for name, end in (("b", 2), ("a", 1), ("c", 3))}
    with database.write() as session:
        add_job(session, "runs", State.RUNNING)
    goal = Cleared.COMPACTED
    assert _next(database, goal, NOW + 1) is None
    assert _next(database, goal, NOW + 2.5) == "a"
    _clear(database, keys["a"], goal)
    assert _next(database, goal, NOW + 2.5) == "b"
    _clear(database, keys["b"], goal)
    assert _next(database, goal, NOW + 2.5) is None
    assert _next(database, Cleared.REMOVED, NOW + 2.5) == "a", "compacted before, removed later"
    _clear(database, keys["a"], Cleared.REMOVED)
    assert _next(database, Cleared.REMOVED, NOW + 1.5) is None
    assert _clear(database, keys["a"], Cleared.COMPACTED) == [Progress.NOT_NOW]


def test_what_a_live_job_continues_is_compacted_but_not_removed(database: Database) -> None:
    first = _ended(database, "first")
    second = _ended(database, "second", NOW + 0.5, previous_id=first)
    with database.write() as session:
        heir = add_job(session, "heir", State.RUNNING, previous_id=second).id
    assert _next(database, Cleared.REMOVED) is None
    assert _clear(database, first, Cleared.REMOVED) == [Progress.NOT_NOW]
    with database.read() as session:
        trials = session.scalars(select(Trial.id).where(Trial.job_pk == first)).all()
        curves = ended_curves(session, trials)
    assert _clear(database, first, Cleared.COMPACTED)[-1] is Progress.DONE
    with database.read() as session:
        assert ended_curves(session, trials) == curves
        assert curves[trials[0]] == [(step, step / 10) for step in range(4)]
    with database.write() as session:
        session.get_one(Job, heir).end_time = NOW
    assert _next(database, Cleared.REMOVED) == "first"


def test_a_curve_that_was_never_kept_in_one_piece_is_before_its_points_go(database: Database) -> None:
    key = _ended(database, "old")
    before = _shown(database, key)
    with database.write() as session:
        for trial in session.scalars(select(Trial)):
            trial.curve = None
    _clear(database, key, Cleared.COMPACTED)
    assert _shown(database, key) == before


def test_two_at_once_do_not_wait_for_each_other(database: Database) -> None:
    if database.is_sqlite:
        return  # One writer at a time.
    key = _ended(database, "job")
    with database.write() as one, database.write() as other:
        assert clear_some(one, key, Cleared.REMOVED, "", NOW) is Progress.DONE
        assert clear_some(other, key, Cleared.REMOVED, "", NOW) is Progress.NOT_NOW
