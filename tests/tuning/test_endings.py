"""Where curves will end: what completed ones say of it, and how sure that is."""

from collections.abc import Callable
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning.endings import Endings, Reports, Spread
from tuning.trials import Goal

STEPS = tuple(range(1, 11))


def reports(curve: Callable[[int], float], steps: tuple[int, ...] = STEPS) -> Reports:
    return Reports(steps, [curve(step) for step in steps])


def falling(end: float) -> Reports:
    return reports(lambda step: end + exp(-step))


ENDS = [0.1 * n for n in range(1, 11)]


def test_a_curve_that_runs_in_parallel_to_the_others_ends_as_far_from_them() -> None:
    endings = Endings([falling(end) for end in ENDS], Goal.MINIMIZE)
    found = endings.of(2, falling(0.34).by(2))
    assert found is not None
    assert endings.spread.objective(found.mean) == pytest.approx(0.34, abs=0.02)


def test_curves_that_meet_in_the_end_leave_nothing_of_an_early_lead() -> None:
    endings = Endings([reports(lambda s, n=n: 1.0 + n * (10 - s)) for n in range(10)], Goal.MINIMIZE)
    early, late = endings.of(1, 1.0), endings.of(1, 82.0)
    assert early is not None
    assert late is not None
    assert endings.spread.objective(early.mean) == pytest.approx(endings.spread.objective(late.mean), abs=1.0)


def test_the_better_end_is_the_larger_one_where_the_goal_says_so() -> None:
    endings = Endings([reports(lambda s, n=n: n - exp(-s)) for n in range(10)], Goal.MAXIMIZE)
    good, bad = endings.of(5, 8.0), endings.of(5, 1.0)
    assert good is not None
    assert bad is not None
    middle = float(endings.spread.units([4.5])[0])
    assert good.chance_below(middle) > 0.9
    assert bad.chance_below(middle) < 0.1


def test_the_doubt_shrinks_as_the_end_comes_near() -> None:
    """The n-th curve wanders: how it stands early says less than how it stands late."""
    ends = [((n * 7) % 12) / 12 for n in range(12)]
    curves = [reports(lambda s, n=n, e=e: e * s / 10 + n / 12 * (10 - s) / 10) for n, e in enumerate(ends)]
    endings = Endings(curves, Goal.MINIMIZE)
    found = [endings.of(step, 0.5) for step in (1, 5, 9)]
    deviations = [each.deviation for each in found if each is not None]
    assert deviations == sorted(deviations, reverse=True)
    assert deviations[2] < 0.5 * deviations[0]


def test_a_curve_that_stands_where_no_other_did_is_doubted() -> None:
    curves = [reports(lambda s, n=n: 0.5 + n / 100 + (n * n % 7) * (10 - s) / 5000) for n in range(10)]
    endings = Endings(curves, Goal.MINIMIZE)
    inside, outside = endings.of(5, 0.545), endings.of(5, 0.1)
    assert inside is not None
    assert outside is not None
    assert outside.deviation > 2.0 * inside.deviation


def test_few_curves_leave_more_doubt_than_many() -> None:
    def deviation(count: int) -> float:
        ends = [(n * 0.618) % 1.0 for n in range(1, count + 1)]
        curves = [
            reports(lambda s, n=n, e=e: e + 0.2 * ((n * 0.414) % 1.0) * (10 - s)) for n, e in enumerate(ends)
        ]
        found = Endings(curves, Goal.MINIMIZE).of(5, 1.0)
        assert found is not None
        return found.deviation

    assert deviation(4) > 1.2 * deviation(40)


def test_nothing_is_said_before_the_others_had_reported_nor_after_their_end() -> None:
    endings = Endings([falling(end) for end in ENDS], Goal.MINIMIZE)
    assert endings.of(0, 1.0) is None
    assert endings.of(9, 1.0) is not None
    assert endings.of(10, 1.0) is None


def test_steps_between_reports_count_as_the_report_before() -> None:
    slow = [reports(lambda s, e=e: e + exp(-s), (1, 5, 10)) for e in ENDS]
    between, before = Endings(slow, Goal.MINIMIZE).of(7, 0.5), Endings(slow, Goal.MINIMIZE).of(5, 0.5)
    assert between is not None
    assert before is not None
    assert between.mean == before.mean


@given(
    st.lists(
        st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=4),
        min_size=1,
        max_size=6,
    ),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(Goal),
)
def test_any_finite_curves_give_finite_answers(curves: list[list[float]], value: float, goal: Goal) -> None:
    endings = Endings([Reports(range(1, len(c) + 1), c) for c in curves], goal)
    found = endings.of(1, value)
    if found is not None:
        assert 0.0 <= found.chance_below(float(endings.ends.min())) <= 1.0
        assert found.deviation > 0.0
        for unit in (found.mean, found.mean - found.deviation, found.mean + found.deviation):
            assert abs(endings.spread.objective(unit)) < float("inf")


@given(st.floats(-1e6, 1e6))
def test_units_lead_back_to_the_objective(value: float) -> None:
    spread = Spread([0.0, 1.0, 2.0, 5.0], Goal.MINIMIZE)
    unit = float(spread.units([value])[0])
    if -9.0 < unit < 10.0:
        assert spread.objective(unit) == pytest.approx(value, rel=1e-6, abs=1e-6)
