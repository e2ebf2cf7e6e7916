"""Random search: even in scaled space, and without repeats however little is left."""

from collections import Counter
from math import log10

import pytest

from tuning.space import Double, Integer, Scale, Space
from tuning.suggest.random_search import RandomSearch
from tuning.trials import FinishedTrial, Goal, Outcome

# Of 1,000 even draws, the count in one of four equal parts has a standard deviation of 14; 5 of them are 70.
EVEN = pytest.approx(250, abs=70)


def test_log_parameters_are_drawn_evenly_in_their_logarithm() -> None:
    space = Space((Double("lr", 1e-4, 1.0, Scale.UNIT_LOG_SCALE),))
    points = RandomSearch(space, Goal.MINIMIZE, 0).suggest([], [], 1000)
    decades = Counter(int(-log10(float(point["lr"]))) for point in points)
    assert [decades[decade] for decade in range(4)] == [EVEN] * 4


def test_every_whole_number_is_as_likely_as_its_neighbours() -> None:
    space = Space((Integer("layers", 1, 4), Double("x", 0.0, 1.0)))
    drawn = Counter(point["layers"] for point in RandomSearch(space, Goal.MINIMIZE, 0).suggest([], [], 1000))
    assert [drawn[layers] for layers in range(1, 5)] == [EVEN] * 4


def test_the_last_points_left_are_found_and_drawn_evenly() -> None:
    """Four points left of 4,000: draws alone would rarely meet one."""
    space = Space((Integer("n", 0, 3999),))
    left = {7, 1000, 1001, 3999}
    tried = [n for n in range(4000) if n not in left]
    history = [FinishedTrial(n, {"n": n}, Outcome.COMPLETED, 0.0) for n in tried]
    found = Counter(
        RandomSearch(space, Goal.MINIMIZE, seed).suggest(history, [], 1)[0]["n"] for seed in range(60)
    )
    assert set(found) == left


def test_a_point_taken_back_is_not_drawn_while_it_is_under_way() -> None:
    """A trial that vanished shortens the history, so the next draw repeats an earlier stream."""
    space = Space((Double("x", 0.0, 1.0),))
    search = RandomSearch(space, Goal.MINIMIZE, 0)
    first, second = search.suggest([], [], 2)
    history = [FinishedTrial(1, second, Outcome.COMPLETED, 0.0)]
    assert search.suggest(history, [], 1)[0] not in (first, second)
