"""Measurements: each once, none bent, only finite ones ranked."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.database import Database
from store.measurements import (
    BATCH,
    add_measurements,
    curve_of,
    curves_of,
    curves_of_job,
    last_value,
    supersede,
    value_of,
)
from store.trials import add_trial
from tests.stored_rows import NOW, add_job
from worker.metrics.measurement import Measurement


@pytest.fixture
def trials(database: Database) -> list[int]:
    """Keys of three trials of one job."""
    with database.write() as session:
        job = add_job(session)
        rows = [add_trial(session, job, number, {}, NOW) for number in (1, 2, 3)]
        session.flush()
        return [row.id for row in rows]


def _add(database: Database, trial: int, *measured: Measurement) -> None:
    with database.write() as session:
        add_measurements(session, trial, measured)


def _at(step: int, value: float, wall_time: float = 1.0, source: int = 0) -> Measurement:
    return Measurement(step, value, wall_time, source)


def _stored(database: Database, trial: int) -> list[tuple[int, float]]:
    with database.read() as session:
        return [(row.step, value_of(row)) for row in curve_of(session, trial)]


def _last(database: Database, trial: int) -> tuple[int, float] | None:
    with database.read() as session:
        return last_value(session, trial)


def _curves(database: Database, trials: Sequence[int]) -> dict[int, list[tuple[int, float]]]:
    with database.read() as session:
        return curves_of(session, trials)


class TestAdding:
    def test_adding_twice_adds_once(self, database: Database, trials: list[int]) -> None:
        for _ in range(2):
            _add(database, trials[0], _at(1, 0.1), _at(2, 0.2))
        assert _stored(database, trials[0]) == [(1, 0.1), (2, 0.2)]

    def test_what_is_there_stays_and_what_is_new_is_added(
        self, database: Database, trials: list[int]
    ) -> None:
        _add(database, trials[0], _at(1, 0.1))
        _add(database, trials[0], _at(1, 9.9), _at(2, 0.2))
        assert _stored(database, trials[0]) == [(1, 0.1), (2, 0.2)]

    def test_one_step_told_at_two_times_or_by_two_files_is_two_rows(
        self, database: Database, trials: list[int]
    ) -> None:
        _add(database, trials[0], _at(1, 0.1), _at(1, 0.2, wall_time=2.0), _at(1, 0.3, source=1))
        assert len(_stored(database, trials[0])) == 3

    def test_trials_have_their_own(self, database: Database, trials: list[int]) -> None:
        _add(database, trials[0], _at(1, 0.1))
        _add(database, trials[1], _at(1, 0.2))
        assert _stored(database, trials[1]) == [(1, 0.2)]
        assert _stored(database, trials[2]) == []

    def test_more_than_a_batch_is_kept_whole(self, database: Database, trials: list[int]) -> None:
        points = [_at(step, step / 2) for step in range(2 * BATCH + 1)]
        _add(database, trials[0], *points)
        _add(database, trials[0], *points[-10:], _at(5000, 1.0))
        assert len(_stored(database, trials[0])) == 2 * BATCH + 2

    def test_nothing_is_nothing(self, database: Database, trials: list[int]) -> None:
        _add(database, trials[0])
        assert _stored(database, trials[0]) == []

    @given(st.floats(), st.integers(-(2**63), 2**63 - 1))
    @settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_any_value_at_any_step_comes_back_as_it_was(
        self, database: Database, trials: list[int], value: float, step: int
    ) -> None:
        with database.write() as session:
            add_measurements(session, trials[0], [_at(step, value)])
            (row,) = curve_of(session, trials[0])
            kept = (row.step, value_of(row))
            session.delete(row)
        assert kept[0] == step
        assert kept[1] == value or (math.isnan(value) and math.isnan(kept[1]))


class TestLastValue:
    def test_it_is_the_highest_step_in_whatever_order_they_came(
        self, database: Database, trials: list[int]
    ) -> None:
        _add(database, trials[0], _at(10, 0.5, wall_time=1.0), _at(2, 0.9, wall_time=5.0))
        assert _last(database, trials[0]) == (10, 0.5)

    def test_a_step_told_twice_counts_as_told_last(self, database: Database, trials: list[int]) -> None:
        _add(database, trials[0], _at(10, 0.5, wall_time=9.0), _at(10, 0.9, wall_time=5.0))
        assert _last(database, trials[0]) == (10, 0.5)

    def test_without_measurements_there_is_none(self, database: Database, trials: list[int]) -> None:
        assert _last(database, trials[0]) is None

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_a_last_one_that_is_no_number_leaves_none(
        self, database: Database, trials: list[int], value: float
    ) -> None:
        """A run that diverged must not be ranked by what it once reached."""
        _add(database, trials[0], _at(1, 0.9), _at(2, value))
        assert _last(database, trials[0]) is None

    def test_a_number_after_one_that_is_none_counts(self, database: Database, trials: list[int]) -> None:
        _add(database, trials[0], _at(1, math.nan), _at(2, 0.0))
        assert _last(database, trials[0]) == (2, 0.0)


class TestLaterAttempts:
    def test_what_a_later_attempt_measures_anew_is_no_more_what_an_earlier_one_did(
        self, database: Database, trials: list[int]
    ) -> None:
        _add(database, trials[0], *(_at(step, 0.1, source=source) for step in (1, 2, 3) for source in (0, 1)))
        _add(database, trials[1], _at(2, 0.1))
        with database.write() as session:
            supersede(session, trials[0], step=2, source=2)
            add_measurements(session, trials[0], [_at(2, 0.7, source=2)])
            supersede(session, trials[0], step=2, source=2)
        assert _curves(database, trials[:2]) == {trials[0]: [(1, 0.1), (2, 0.7)], trials[1]: [(2, 0.1)]}


class TestCurves:
    def test_points_come_by_step_whatever_order_they_came_in(
        self, database: Database, trials: list[int]
    ) -> None:
        _add(database, trials[0], _at(3, 0.3), _at(1, 0.1), _at(2, 0.2))
        assert _curves(database, trials) == {
            trials[0]: [(1, 0.1), (2, 0.2), (3, 0.3)],
            trials[1]: [],
            trials[2]: [],
        }

    def test_what_is_no_number_is_left_out(self, database: Database, trials: list[int]) -> None:
        points = [_at(1, 0.1), _at(2, math.nan), _at(3, math.inf), _at(4, -math.inf), _at(5, 0.0)]
        _add(database, trials[0], *points)
        assert _curves(database, trials[:1]) == {trials[0]: [(1, 0.1), (5, 0.0)]}

    def test_a_step_told_twice_is_one_point_with_what_was_told_last(
        self, database: Database, trials: list[int]
    ) -> None:
        _add(database, trials[0], _at(1, 0.7, wall_time=2.0), _at(1, 0.1, wall_time=1.0))
        assert _curves(database, trials[:1]) == {trials[0]: [(1, 0.7)]}

    def test_all_curves_of_a_job_are_those_of_its_trials_only(
        self, database: Database, trials: list[int]
    ) -> None:
        with database.write() as session:
            other = add_trial(session, add_job(session, "other"), 1, {}, NOW)
            session.flush()
            key, job = other.id, 1
        _add(database, trials[0], _at(1, 0.1))
        _add(database, key, _at(1, 0.2))
        with database.read() as session:
            assert curves_of_job(session, job) == {trials[0]: [(1, 0.1)]}

    def test_no_trials_have_no_curves(self, database: Database) -> None:
        assert _curves(database, []) == {}
