"""What a suggester is told never holds anything that is not a finite number."""

import math

import pytest

from tuning.trials import FinishedTrial, Goal, Outcome, Point


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_stay_outside(value: float) -> None:
    with pytest.raises(ValueError, match=r"step 3.*finite"):
        Point(3, value)
    with pytest.raises(ValueError, match=r"trial 7.*finite"):
        FinishedTrial(7, {"x": 1.0}, Outcome.COMPLETED, value)


def test_a_trial_may_end_without_an_objective() -> None:
    assert FinishedTrial(7, {"x": 1.0}, Outcome.COMPLETED, None).objective is None


def test_better_is_strict_and_follows_the_goal() -> None:
    assert Goal.MAXIMIZE.is_better(2.0, 1.0)
    assert Goal.MINIMIZE.is_better(1.0, 2.0)
    assert not any(goal.is_better(1.0, 1.0) for goal in Goal)
