"""Grid search: the order of its points, what it refuses, and its cost."""

import pytest

from tuning.space import Categorical, Double, Integer, Space
from tuning.suggest.grid_search import GridSearch
from tuning.trials import FinishedTrial, Goal, Outcome, PendingTrial

SPACE = Space((Integer("n", 1, 2), Categorical("c", ("a", "b"))))


def test_the_first_parameter_turns_fastest() -> None:
    assert GridSearch(SPACE, Goal.MINIMIZE, 0).suggest([], [], 9) == [
        {"n": 1, "c": "a"},
        {"n": 2, "c": "a"},
        {"n": 1, "c": "b"},
        {"n": 2, "c": "b"},
    ]


def test_gaps_are_filled_in_order() -> None:
    history = [FinishedTrial(1, {"n": 2, "c": "a"}, Outcome.FAILED, None)]
    pending = [PendingTrial(2, {"n": 1, "c": "b"})]
    assert GridSearch(SPACE, Goal.MINIMIZE, 0).suggest(history, pending, 9) == [
        {"n": 1, "c": "a"},
        {"n": 2, "c": "b"},
    ]


def test_a_continuous_parameter_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"'lr'.*DOUBLE"):
        GridSearch(Space((Integer("n", 1, 2), Double("lr", 0.0, 1.0))), Goal.MINIMIZE, 0)


def test_a_double_of_one_value_is_allowed() -> None:
    grid = GridSearch(Space((Double("lr", 0.1, 0.1), Integer("n", 1, 2))), Goal.MINIMIZE, 0)
    assert grid.suggest([], [], 9) == [{"lr": 0.1, "n": 1}, {"lr": 0.1, "n": 2}]


def test_a_grid_of_any_size_costs_only_its_trials() -> None:
    space = Space(tuple(Integer(f"n{i}", 0, 10**9) for i in range(10)))
    history = [FinishedTrial(i, space.at(i), Outcome.COMPLETED, 0.0) for i in range(100)]
    assert GridSearch(space, Goal.MINIMIZE, 0).suggest(history, [], 1) == [space.at(100)]
