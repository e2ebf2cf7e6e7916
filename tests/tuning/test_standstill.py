"""The default search at a standstill: when it is at one, and that it then looks further away."""

from collections.abc import Iterable
from math import sqrt

import pytest

from tuning.space import Double, Space, Values
from tuning.suggest.bayesian import GaussianProcessSearch
from tuning.suggest.bayesian.standstill import margin, trials_since_better
from tuning.trials import FinishedTrial, Goal, Outcome, PendingTrial, Point

SQUARE = Space((Double("x", -5.0, 5.0), Double("y", -5.0, 5.0)))
SEEDS = range(3)


def completed(*objectives: float) -> list[FinishedTrial]:
    return [
        FinishedTrial(i, {"x": i / 10, "y": 0.0}, Outcome.COMPLETED, value)
        for i, value in enumerate(objectives)
    ]


@pytest.mark.parametrize(
    ("objectives", "since"),
    [
        ((), 0),
        ((3.0,), 0),
        ((3.0, 2.0, 1.0), 0),
        ((1.0, 2.0, 3.0), 2),
        ((3.0, 1.0, 2.0, 1.0, 1.0), 3),
        ((1.0, 1.0, 1.0), 2),
    ],
)
def test_it_is_counted_from_the_last_better_trial(objectives: tuple[float, ...], since: int) -> None:
    assert trials_since_better(completed(*objectives), Goal.MINIMIZE) == since
    assert trials_since_better(completed(*(-value for value in objectives)), Goal.MAXIMIZE) == since


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_gains_that_are_next_to_nothing_are_none(unit: float) -> None:
    objectives = [5.0, 4.0, 3.0, 2.0, 1.0, 1.0 - 1e-5, 1.0 - 2e-5]
    assert trials_since_better(completed(*(unit * value for value in objectives)), Goal.MINIMIZE) == 2
    objectives[-1] = 0.9
    assert trials_since_better(completed(*(unit * value for value in objectives)), Goal.MINIMIZE) == 0


def test_many_gains_that_are_next_to_nothing_add_up() -> None:
    objectives = [5.0, 4.0, 3.0, 2.0, 1.0, *(1.0 - 4e-4 * i for i in range(1, 31))]
    assert trials_since_better(completed(*objectives), Goal.MINIMIZE) < 10


@pytest.mark.parametrize("objectives", [(1e308, -1e308, 0.0), (5e-324, 0.0, 0.0), (1.0, 1.0 - 1e-16, 1.0)])
def test_any_objectives_can_be_compared(objectives: tuple[float, ...]) -> None:
    assert 0 <= trials_since_better(completed(*objectives), Goal.MINIMIZE) <= 2


def test_only_completed_trials_are_better() -> None:
    others = [
        FinishedTrial(3, {"x": 3.0, "y": 0.0}, Outcome.STOPPED_EARLY, -9.0, (Point(1, -9.0),)),
        FinishedTrial(4, {"x": 4.0, "y": 0.0}, Outcome.FAILED, -9.0),
        FinishedTrial(5, {"x": 5.0, "y": 0.0}, Outcome.COMPLETED, None),
    ]
    assert trials_since_better([*completed(3.0, 2.0, 1.0), *others], Goal.MINIMIZE) == 3


@pytest.mark.parametrize(("parameters", "patience"), [(1, 5), (2, 5), (3, 6), (12, 24)])
def test_more_is_asked_every_other_time_once_the_model_had_its_trials(parameters: int, patience: int) -> None:
    asked = [idle for idle in range(patience + 6) if margin(idle, parameters) > 0.0]
    assert asked == [patience, patience + 2, patience + 4]


def standing_still(trials: int) -> list[FinishedTrial]:
    """An edge is all but flat and good, anything else is not; the last `trials` have brought no gain."""
    rough = [({"x": 5.0 - i, "y": 2.0 * (i * 2 % 5) - 4.0}, 2.0 + i * 4 % 7) for i in range(10)]
    edge = [({"x": -5.0, "y": y}, 0.1 + 0.005 * (5.0 - y)) for y in range(-5, 6)]
    idle = [({"x": -5.0, "y": y}, 0.1 + 0.005 * (5.0 - y)) for y in (i - 4.5 for i in range(trials))]
    return [
        FinishedTrial(i, values, Outcome.COMPLETED, objective)
        for i, (values, objective) in enumerate([*rough, *edge, *idle])
    ]


def distance(point: Values, others: Iterable[Values]) -> float:
    """How far from the nearest of the others a point is."""
    return min(sqrt(sum((float(point[k]) - float(other[k])) ** 2 for k in "xy")) for other in others)


def test_it_looks_further_away_every_other_time_until_one_is_better() -> None:
    def distances(history: list[FinishedTrial]) -> list[float]:
        searches = [GaussianProcessSearch(SQUARE, Goal.MINIMIZE, seed) for seed in SEEDS]
        return [
            distance(search.suggest(history, [], 1)[0], (trial.values for trial in history))
            for search in searches
        ]

    for trials in (0, 4, 6):
        assert max(distances(standing_still(trials))) < 0.12
    for trials in (5, 7):
        assert min(distances(standing_still(trials))) > 0.15
    better = FinishedTrial(99, {"x": -5.0, "y": 4.75}, Outcome.COMPLETED, 0.05)
    assert max(distances([*standing_still(5), better])) < 0.12


def test_trials_under_way_and_those_of_a_batch_prolong_a_standstill() -> None:
    history = standing_still(3)
    under_way = PendingTrial(50, {"x": -5.0, "y": 4.75})
    known = [*(trial.values for trial in history), under_way.values]
    for seed in SEEDS:
        first, second = GaussianProcessSearch(SQUARE, Goal.MINIMIZE, seed).suggest(history, [under_way], 2)
        assert distance(first, known) < 0.12
        assert distance(second, known) > 1.0
