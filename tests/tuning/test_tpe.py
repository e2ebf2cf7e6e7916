"""TPE: that it learns, from what it learns, and that it stays quick."""

import logging
from collections.abc import Callable
from statistics import median

import pytest

from tuning.space import Categorical, Double, Integer, Scale, Space, Value
from tuning.suggest import make_suggester
from tuning.suggest.tpe import STARTUP_TRIALS, TPE
from tuning.trials import FinishedTrial, Goal, Outcome, PendingTrial, Point

SQUARE = Space((Double("x", -5.0, 5.0), Double("y", -5.0, 5.0)))


def distance(point: dict[str, Value]) -> float:
    return (float(point["x"]) - 1.0) ** 2 + (float(point["y"]) + 2.0) ** 2


def best_of(algorithm: str, goal: Goal, loss: Callable[[dict[str, Value]], float], seed: int) -> float:
    sign = 1.0 if goal is Goal.MINIMIZE else -1.0
    suggester = make_suggester(algorithm, SQUARE, goal, seed)
    history: list[FinishedTrial] = []
    for number in range(40):
        [point] = suggester.suggest(history, [], 1)
        history.append(FinishedTrial(number, point, Outcome.COMPLETED, sign * loss(point)))
    return min(sign * (trial.objective or 0.0) for trial in history)


@pytest.mark.parametrize("goal", list(Goal))
def test_it_beats_random_search_on_a_quadratic(goal: Goal) -> None:
    seeds = range(9)
    tpe = median(best_of("TPE", goal, distance, seed) for seed in seeds)
    random = median(best_of("RANDOM_SEARCH", goal, distance, seed) for seed in seeds)
    assert tpe < random / 3


def history_at(values: list[tuple[float, float]], space: Space = SQUARE) -> list[FinishedTrial]:
    """Completed trials at y = 0, from pairs of x and objective."""
    return [
        FinishedTrial(i, {"x": x, "y": 0.0}, Outcome.COMPLETED, objective)
        for i, (x, objective) in enumerate(values)
    ]


def mean_x(history: list[FinishedTrial], pending: list[PendingTrial] | None = None) -> float:
    points = [TPE(SQUARE, Goal.MINIMIZE, seed).suggest(history, pending or [], 1)[0] for seed in range(15)]
    return sum(float(point["x"]) for point in points) / len(points)


SLOPE = [(-5.0 + i / 2, float(i)) for i in range(20)]
"""Twenty trials along x; the objective rises with x, so small x is better."""


def test_it_goes_where_the_objective_is_better() -> None:
    assert mean_x(history_at(SLOPE)) < -2.5
    assert mean_x(history_at([(x, -value) for x, value in SLOPE])) > 2.5


@pytest.mark.parametrize("unread", [Outcome.FAILED, Outcome.COMPLETED])
def test_failed_trials_and_trials_without_objective_do_not_steer_it(unread: Outcome) -> None:
    history = history_at(SLOPE)
    objective = -1e9 if unread is Outcome.FAILED else None
    noise = [FinishedTrial(20 + i, {"x": 4.0 + i / 50, "y": 0.0}, unread, objective) for i in range(20)]
    assert mean_x(history + noise) < -2.5


def test_trials_stopped_early_never_rank_before_completed_ones() -> None:
    """Where an objective gets worse as training goes on, a trial stopped at once shows the best value."""
    history = history_at(SLOPE)
    stopped = [
        FinishedTrial(
            20 + i, {"x": 4.0 + i / 50, "y": 0.0}, Outcome.STOPPED_EARLY, -100.0, (Point(1, -100.0),)
        )
        for i in range(10)
    ]
    assert mean_x(history + stopped) < -2.5


def test_trials_stopped_early_still_count_as_learned_from() -> None:
    stopped = [
        FinishedTrial(i, {"x": x, "y": 0.0}, Outcome.STOPPED_EARLY, value, (Point(1, value),))
        for i, (x, value) in enumerate(reversed(SLOPE))
    ]
    assert mean_x(stopped) < -2.0


def test_of_trials_stopped_early_the_longest_lived_rank_first() -> None:
    stopped = [
        FinishedTrial(i, {"x": x, "y": 0.0}, Outcome.STOPPED_EARLY, 1.0, (Point(round(100 * (5 - x)), 1.0),))
        for i, (x, _) in enumerate(reversed(SLOPE))
    ]
    assert mean_x(stopped) < -2.0


def test_pending_trials_keep_suggestions_apart() -> None:
    """A crowd under way at the best place so far pushes the next suggestions away from it."""

    def crowd(x: float) -> list[PendingTrial]:
        return [PendingTrial(20 + i, {"x": x + i / 50, "y": 0.0}) for i in range(30)]

    history = history_at(SLOPE)
    assert mean_x(history, crowd(-5.0)) > mean_x(history, crowd(4.0)) + 0.1


def test_it_starts_as_random_search() -> None:
    """The first points are those of random search with the same seed, until enough trials have ended."""
    random = make_suggester("RANDOM_SEARCH", SQUARE, Goal.MINIMIZE, 5)
    history = history_at(SLOPE)
    tpe = TPE(SQUARE, Goal.MINIMIZE, 5)
    start, enough = history[: STARTUP_TRIALS - 1], history[:STARTUP_TRIALS]
    assert tpe.suggest(start, [], 3) == random.suggest(start, [], 3)
    assert tpe.suggest(enough, [], 1) != random.suggest(enough, [], 1)


def test_a_trial_that_taught_nothing_does_not_repeat_the_last_suggestion() -> None:
    history = history_at(SLOPE)
    tpe = TPE(SQUARE, Goal.MINIMIZE, 5)
    [point] = tpe.suggest(history, [], 1)
    failed = FinishedTrial(20, point, Outcome.FAILED, None)
    [after] = tpe.suggest([*history, failed], [], 1)
    assert abs(float(after["x"]) - float(point["x"])) > 1e-6


@pytest.mark.parametrize("scale", list(Scale))
def test_every_scale_of_doubles_and_integers_is_learned(scale: Scale) -> None:
    space = Space((Double("x", 1e-3, 1e3, scale), Integer("n", 1, 1000, scale), Categorical("c", ("a", "b"))))
    target = {"x": space.parameters[0].from_unit(0.7), "n": space.parameters[1].from_unit(0.7), "c": "b"}
    goal_unit = space.to_unit(target)

    def run(algorithm: str, seed: int) -> float:
        suggester = make_suggester(algorithm, space, Goal.MINIMIZE, seed)
        history: list[FinishedTrial] = []
        for number in range(35):
            [point] = suggester.suggest(history, [], 1)
            loss = sum((u - v) ** 2 for u, v in zip(space.to_unit(point), goal_unit, strict=True))
            history.append(FinishedTrial(number, point, Outcome.COMPLETED, loss))
        return min(trial.objective or 0.0 for trial in history)

    assert median(run("TPE", s) for s in range(5)) < median(run("RANDOM_SEARCH", s) for s in range(5))


def test_it_says_nothing_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("optuna")
    logger.addHandler(caplog.handler)
    try:
        TPE(SQUARE, Goal.MINIMIZE, 0).suggest(history_at(SLOPE), [], 2)
    finally:
        logger.removeHandler(caplog.handler)
    assert caplog.records == []
