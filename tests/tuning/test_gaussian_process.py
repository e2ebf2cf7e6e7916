"""The default search: that it learns, from what it learns, and that its model is what it says."""

from collections.abc import Callable
from itertools import product
from math import exp, pi, sqrt
from statistics import median

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import approx_fprime
from threadpoolctl import threadpool_info

from tuning.space import Categorical, Discrete, Double, Integer, Scale, Space, Value
from tuning.suggest import make_suggester
from tuning.suggest.bayesian import GaussianProcessSearch, model
from tuning.suggest.bayesian.features import Features
from tuning.suggest.bayesian.improvement import log_improvement, log_improvement_slopes
from tuning.suggest.bayesian.maximum import Promise
from tuning.suggest.bayesian.model import Data, GaussianProcess, Shape, fit
from tuning.suggest.bayesian.one_thread import one_thread
from tuning.suggest.bayesian.outcomes import objectives, standardised
from tuning.trials import FinishedTrial, Goal, Outcome, PendingTrial, Point

SQUARE = Space((Double("x", -5.0, 5.0), Double("y", -5.0, 5.0)))
MIXED = Space(
    (
        Double("x", 0.0, 1.0),
        Categorical("c", ("a", "b", "c")),
        Discrete("d", (1.0, 10.0, 1000.0)),
        Integer("n", 1, 1000, Scale.UNIT_LOG_SCALE),
    )
)


def best_of(
    algorithm: str,
    space: Space,
    loss: Callable[[dict[str, Value]], float],
    trials: int,
    seed: int,
    goal: Goal = Goal.MINIMIZE,
) -> float:
    sign = 1.0 if goal is Goal.MINIMIZE else -1.0
    suggester = make_suggester(algorithm, space, goal, seed)
    history: list[FinishedTrial] = []
    for number in range(trials):
        [point] = suggester.suggest(history, [], 1)
        history.append(FinishedTrial(number, point, Outcome.COMPLETED, sign * loss(point)))
    return min(sign * (trial.objective or 0.0) for trial in history)


def test_it_begins_in_the_middle_and_goes_on_differently_for_each_seed() -> None:
    first, second = zip(
        *(GaussianProcessSearch(SQUARE, Goal.MINIMIZE, seed).suggest([], [], 2) for seed in range(3)),
        strict=True,
    )
    assert list(first) == [{"x": 0.0, "y": 0.0}] * 3
    assert len({point["x"] for point in second}) == 3


@pytest.mark.parametrize("goal", list(Goal))
def test_it_finds_the_foot_of_a_valley(goal: Goal) -> None:
    def valley(point: dict[str, Value]) -> float:
        x, y = float(point["x"]), float(point["y"])
        return (x - 1.0) ** 2 + 10.0 * (y + 2.0 - 0.5 * x) ** 2

    best = median(best_of("DEFAULT", SQUARE, valley, 25, seed, goal) for seed in range(3))
    assert best < 0.01 * median(best_of("RANDOM_SEARCH", SQUARE, valley, 25, seed) for seed in range(3))


@pytest.mark.parametrize("scale", list(Scale))
def test_every_scale_and_kind_is_learned(scale: Scale) -> None:
    space = Space(
        (Double("x", 1e-3, 1e3, scale), Integer("n", 1, 1000, scale), Categorical("c", ("a", "b", "c")))
    )
    goal_unit = space.to_unit(space.from_unit([0.7, 0.7, 0.9]))

    def loss(point: dict[str, Value]) -> float:
        return sum((u - v) ** 2 for u, v in zip(space.to_unit(point), goal_unit, strict=True))

    found = median(best_of("DEFAULT", space, loss, 25, seed) for seed in range(3))
    assert found < 0.1 * median(best_of("RANDOM_SEARCH", space, loss, 25, seed) for seed in range(3))


def line(*pairs: tuple[float, float]) -> list[FinishedTrial]:
    """Completed trials at y = 0, from pairs of x and objective."""
    return [
        FinishedTrial(i, {"x": x, "y": 0.0}, Outcome.COMPLETED, objective)
        for i, (x, objective) in enumerate(pairs)
    ]


SLOPE = [(-5.0 + i, float(i)) for i in range(11)]
"""Eleven trials along x; the objective rises with x, so small x is better."""


def xs(history: list[FinishedTrial], pending: list[PendingTrial] | None = None) -> list[float]:
    points = [
        GaussianProcessSearch(SQUARE, Goal.MINIMIZE, seed).suggest(history, pending or [], 1)[0]
        for seed in range(3)
    ]
    return [float(point["x"]) for point in points]


def test_it_goes_where_the_objective_is_better() -> None:
    assert max(xs(line(*SLOPE))) < -3.0
    assert min(xs(line(*((x, -value) for x, value in SLOPE)))) > 3.0


def test_it_keeps_away_from_where_trials_fail() -> None:
    history = line(*SLOPE[3:])
    failed = [
        FinishedTrial(8 + i, {"x": x, "y": y}, Outcome.FAILED, None)
        for i, (x, y) in enumerate(product((-4.8, -4.2, -3.6), (-4.0, -1.5, 0.0, 1.5, 4.0)))
    ]
    assert max(xs(history)) < -4.0
    assert min(xs(history + failed)) > -3.5


def test_trials_under_way_keep_suggestions_apart() -> None:
    history = line(*SLOPE)
    [first] = GaussianProcessSearch(SQUARE, Goal.MINIMIZE, 0).suggest(history, [], 1)
    [second] = GaussianProcessSearch(SQUARE, Goal.MINIMIZE, 0).suggest(history, [PendingTrial(11, first)], 1)
    assert sum((float(first[k]) - float(second[k])) ** 2 for k in "xy") > 0.25


def curve(*values: float) -> tuple[Point, ...]:
    return tuple(Point(step, value) for step, value in enumerate(values, start=1))


def test_a_stopped_trial_counts_by_where_it_would_have_ended() -> None:
    """Losses fall with training: by its last value alone the stopped trial would be the worst."""
    completed = [
        FinishedTrial(i, {"x": float(i), "y": 0.0}, Outcome.COMPLETED, i / 10, curve(10.0 + i / 10, i / 10))
        for i in range(5)
    ]
    stopped = FinishedTrial(5, {"x": 5.0, "y": 0.0}, Outcome.STOPPED_EARLY, 10.3, curve(10.3))
    lessons = objectives([*completed, stopped], Goal.MINIMIZE)
    assert lessons.trials[-1] is stopped
    assert lessons.objectives[-1] == pytest.approx(lessons.objectives[3], abs=0.02)


def test_a_stopped_trial_is_doubted_as_much_as_completed_curves_cross() -> None:
    def variance(crossing: float) -> float:
        signs = (1, -1, 1, -1, 1, -1)
        completed = [
            FinishedTrial(
                i, {"x": i, "y": 0.0}, Outcome.COMPLETED, i / 10, curve(i / 10 + crossing * sign, i / 10)
            )
            for i, sign in enumerate(signs)
        ]
        stopped = FinishedTrial(6, {"x": 5.0, "y": 0.0}, Outcome.STOPPED_EARLY, 0.3, curve(0.3))
        lessons = objectives([*completed, stopped], Goal.MINIMIZE)
        assert lessons.doubts.tolist() == [1.0] * 7
        assert lessons.variances[:6].tolist() == [0.0] * 6
        return float(lessons.variances[6])

    assert variance(0.0) < 0.01
    assert variance(0.0) < variance(0.1) < variance(0.3)


def test_what_was_predicted_holds_the_model_less_than_what_was_measured() -> None:
    rows, seen = np.array([[0.0], [1.0]]), np.array([-1.0, 1.0])
    data = Data(rows, seen, np.ones(2), np.array([0.0, 0.5]))
    expected, deviation = GaussianProcess(Shape(np.array([0.3]), 1e-4), data, np.array([False])).predict(rows)
    assert expected[0] == pytest.approx(-1.0, abs=0.01)
    assert expected[1] < 0.8
    assert deviation[1] > 2.0 * deviation[0]


def test_a_stopped_trial_without_peers_is_no_better_than_the_median() -> None:
    completed = line(*((float(i), float(i)) for i in range(5)))
    stopped = FinishedTrial(5, {"x": 4.5, "y": 0.0}, Outcome.STOPPED_EARLY, -100.0, curve(-100.0))
    lessons = objectives([*completed, stopped], Goal.MINIMIZE)
    assert lessons.objectives[-1] == lessons.objectives[2]
    assert lessons.doubts[-1] > 1.0


def test_failed_trials_count_as_the_worst_and_silent_ones_not_at_all() -> None:
    silent = FinishedTrial(3, {"x": 3.0, "y": 0.0}, Outcome.COMPLETED, None)
    failed = FinishedTrial(4, {"x": 4.0, "y": 0.0}, Outcome.FAILED, 0.0)
    told, values, _, _ = objectives([*line((0, 1.0), (1, 5.0), (2, 2.0)), silent, failed], Goal.MAXIMIZE)
    assert [trial.number for trial in told] == [0, 1, 2, 4]
    assert values[3] == max(values[:3]) == values[0]


@pytest.mark.parametrize(
    "values",
    [[], [3.0], [1.0, 1.0], [1e308, -1e308, 0.0], [1e-300, 2e-300], [0.0, 0.0, 1.0], [1e-310, 0.0]],
)
def test_any_objectives_can_be_standardised(values: list[float]) -> None:
    result = standardised(np.array(values))
    assert np.isfinite(result).all()
    assert np.array_equal(np.argsort(result, kind="stable"), np.argsort(values, kind="stable"))


def test_one_diverged_trial_does_not_flatten_the_others() -> None:
    with_it, without = standardised(np.array([1.0, 2.0, 3.0, 4.0, 1e9])), standardised(np.arange(1.0, 6.0))
    assert with_it[:3] == pytest.approx(without[:3])
    assert with_it[-1] < 30.0


@pytest.mark.parametrize("mean", [-2.0, -0.1, 0.0, 0.3, 4.0])
def test_the_improvement_is_its_integral(mean: float) -> None:
    deviation, best = 0.7, 0.2
    expected, _ = quad(
        lambda y: (best - y) * exp(-0.5 * ((y - mean) / deviation) ** 2) / (deviation * sqrt(2 * pi)),
        mean - 12 * deviation,
        best,
    )
    assert np.exp(log_improvement(best, np.array([mean]), np.array([deviation])))[0] == pytest.approx(
        expected, rel=1e-6
    )


def test_the_improvement_falls_without_a_break_however_far_away() -> None:
    z = np.concatenate([np.linspace(-60.0, 60.0, 2001), -np.geomspace(60.0, 1e5, 2001)])
    z = np.unique(z)
    values = log_improvement(0.0, -z, np.ones_like(z))
    assert np.isfinite(values).all()
    assert (np.diff(values) > 0.0).all()
    slopes, _ = log_improvement_slopes(0.0, -z, np.ones_like(z))
    assert np.isfinite(slopes).all()
    middle = (slopes[1:] + slopes[:-1]) / 2
    assert -np.diff(values) / np.diff(z) == pytest.approx(middle, rel=1e-2)


def some_data(count: int = 25) -> tuple[Data, Features]:
    random = np.random.default_rng(0)
    features = Features(MIXED)
    rows = features.rows(random.random((count, 4)).tolist())
    values = np.sin(5 * rows[:, 0]) + (rows[:, 1] == 1.0) * 0.5 + rows[:, 2] * rows[:, 3]
    return Data(
        rows,
        standardised(values),
        np.where(np.arange(count) % 5, 1.0, 100.0),
        np.where(np.arange(count) % 5, 0.0, 0.1),
    ), features


def test_the_gradient_of_the_fit_is_exact() -> None:
    data, features = some_data()
    squares = model.distances(data.rows, data.rows, features.is_category)
    at = np.array([-0.5, 0.2, 0.1, 0.4, -5.0])
    _, gradient = model._misfit(at, squares, data)
    expected = approx_fprime(at, lambda logs: model._misfit(logs, squares, data)[0], 1e-6)
    assert gradient == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_the_gradient_of_the_promise_is_exact() -> None:
    data, features = some_data()
    promise = Promise(GaussianProcess(fit(data, features.is_category), data, features.is_category), -1.0)
    row = np.array([0.31, 1.0, 0.5, 0.47])
    _, slopes = promise.with_slopes(row[None])
    expected = approx_fprime(row, lambda moved: promise.at(moved[None])[0], 1e-7)
    assert slopes[0][features.is_smooth] == pytest.approx(expected[features.is_smooth], rel=1e-2, abs=1e-3)


def test_the_model_believes_what_was_measured_and_doubts_what_was_guessed() -> None:
    data, features = some_data()
    process = GaussianProcess(Shape(np.full(4, 0.5), 1e-4), data, features.is_category)
    mean, deviation = process.predict(data.rows)
    measured = data.doubts == 1.0
    assert mean[measured] == pytest.approx(data.objectives[measured], abs=0.05)
    assert deviation[measured].max() < deviation[~measured].min()


def test_believing_what_is_expected_changes_no_expectation() -> None:
    data, features = some_data()
    shape = fit(data, features.is_category)
    process = GaussianProcess(shape, data, features.is_category)
    random = np.random.default_rng(1)
    believed, others = (features.rows(random.random((count, 4)).tolist()) for count in (3, 20))
    after = process.with_believed(shape, believed)
    assert after.predict(others)[0] == pytest.approx(process.predict(others)[0], abs=1e-5)
    assert (after.predict(others)[1] <= process.predict(others)[1] + 1e-9).all()


def test_of_many_trials_the_best_and_an_even_spread_are_kept() -> None:
    objectives = np.random.default_rng(0).permutation(1000).astype(float)
    kept = Data(np.arange(1000.0)[:, None], objectives, np.ones(1000), np.zeros(1000)).fewer(100)
    assert set(range(50)) <= set(kept.objectives)
    assert len(kept.objectives) == len(set(kept.rows[:, 0])) == 100
    assert np.histogram(kept.rows[:, 0], 5)[0].min() >= 10
    assert (objectives[kept.rows[:, 0].astype(int)] == kept.objectives).all()


def test_points_and_rows_are_each_others_inverse() -> None:
    features = Features(MIXED)
    for unit in np.random.default_rng(2).random((50, 4)).tolist():
        point = MIXED.draw(unit)
        assert features.point(features.row(point)) == pytest.approx(point)


def test_linear_algebra_keeps_to_one_thread() -> None:
    with one_thread():
        threads = {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}
    assert threads == {1}


def test_a_kernel_that_rounding_has_left_without_a_root_gets_some_noise() -> None:
    rows = np.array([[0.5], [0.5], [0.5 + 1e-12], [0.9]])
    data = Data(rows, np.array([0.0, 1.0, -1.0, 0.5]), np.ones(4), np.zeros(4))
    process = GaussianProcess(Shape(np.array([0.5]), 0.0), data, np.array([False]))
    mean, deviation = process.predict(np.array([[0.5], [0.1]]))
    assert np.isfinite(mean).all()
    assert (deviation > 0.0).all()
    with pytest.raises(np.linalg.LinAlgError):
        model.root_of(np.full((2, 2), np.nan))


def test_a_root_is_that_of_the_kernel_itself_where_it_has_one() -> None:
    kernel = np.array([[2.0, 0.5], [0.5, 1.0]])
    root = model.root_of(kernel)
    assert root @ root.T == pytest.approx(kernel, abs=1e-15)
