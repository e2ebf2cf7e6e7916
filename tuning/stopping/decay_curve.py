"""Decay-curve prediction: stop what will hardly become the best (docs/contract.md 6.3).

Golovin et al. 2017, "Google Vizier", section 3.1: a Gaussian process over learning curves predicts where a
running trial will end, and the trial is stopped when the chance that this is better than the best so far is
low. Ours looks at how far a trial is above or below the completed ones at each step, in units of how far they
are apart there: the sum of a distance that lasts, of one that is forgotten over orders of magnitude of steps,
and of noise. How large each of them is, and how quickly the one is forgotten, is what makes the completed
curves most likely.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, TypeAlias

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.special import stdtr

from tuning.stopping.curves import Curve, FinishedCurves, by_step, quantile
from tuning.stopping.protocol import StopDecision
from tuning.trials import Goal, Point

Array: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

_PLACES = 8
"""At so many steps, evenly spread over orders of magnitude, curves are looked at."""
_PEERS = 200
"""So many completed curves are enough to learn from; the latest count."""
_START = np.log([0.5, 0.5, 1.0, 0.1])
"""The variances of what lasts and of what is forgotten, over how many e-folds of steps, and the noise."""
_WIDTH = 1.0
"""Parameters are log-normal around _START, this wide: few curves leave them where they are."""


@dataclass(frozen=True, slots=True)
class DecayCurvePrediction:
    """The rule.

    Attributes:
        goal: which objectives are better.
        probability: a trial is stopped when its chance of ending best is below this; at most 0.5.
        min_peers: how many completed trials must have trained as long as the middle one of them.

    Raises:
        ValueError: when an argument is out of its range.
    """

    goal: Goal
    probability: float = 0.05
    min_peers: int = 5

    def __post_init__(self) -> None:
        if not 0.0 < self.probability <= 0.5 or self.min_peers < 1:
            raise ValueError("probability is above 0 and at most 0.5, min_peers 1 or more")

    def decide(
        self,
        running: Sequence[Point],
        finished: FinishedCurves,
        beside: Sequence[Sequence[Point]] = (),
    ) -> StopDecision | None:
        """See `StoppingRule.decide`."""
        points = by_step(running)
        model = finished.remembered(("decay curve", self.goal), lambda: _learn(finished.completed, self.goal))
        if model is None or len(model.peers) < self.min_peers:
            return None
        points = [point for point in points if point.step >= model.start]
        if not points or points[-1].step >= model.end:
            return None
        mean, deviation = model.predict(points)
        best = float(model.last.units(model.last.values).min())
        # Student's: how far the completed ones are apart is itself known from few of them.
        few = len(model.peers)
        if stdtr(max(few - 1, 1), (best - mean) / (deviation * sqrt(1.0 + 1.0 / few))) >= self.probability:
            return None
        value, threshold = model.last.objective(mean), model.last.objective(best)
        if not self.goal.is_better(threshold, value):
            return None  # Equal after rounding.
        return StopDecision("decay_curve", points[-1].step, value, threshold, len(model.peers))


class _Spread:
    """How far objectives at one step are from the middle one of the completed trials; smaller is better.

    In units of the spread of the better half. Beyond one such unit on the bad side distances grow as
    logarithms only, so that what diverged doesn't hide how the rest differ.
    """

    def __init__(self, values: Sequence[float], goal: Goal) -> None:
        self.values = values
        self._sign = 1.0 if goal is Goal.MINIMIZE else -1.0
        # Shares of the largest, since doubles near their limit have no difference.
        self._largest = max(map(abs, values)) or 1.0
        shares = [self._sign * (value / self._largest) for value in values]
        self._middle = quantile(shares, 0.5)
        better = [share - self._middle for share in shares if share <= self._middle]
        unit = float(np.sqrt(np.mean(np.square(better))))
        self._unit = max(unit, 0.05 * (max(shares) - min(shares)), 1e-9)

    def units(self, objectives: Sequence[float]) -> Array:
        # What is out of all reach of the others is all the same, and its share of a tiny one finite.
        limit = 1e6 * self._largest if self._largest < 1e300 else np.inf
        shares = self._sign * (np.clip(objectives, -limit, limit) / self._largest)
        units = np.clip((shares - self._middle) / self._unit, -10.0, None)
        return np.where(units > 1.0, 1.0 + np.log(np.maximum(units, 1.0)), units)

    def objective(self, unit: float) -> float:
        linear = float(np.exp(min(unit - 1.0, 20.0))) if unit > 1.0 else unit
        share = linear * self._unit + self._middle
        limit = 1.7e308 / max(self._largest, 1.0)
        return self._sign * min(max(share, -limit), limit) * self._largest


@dataclass(frozen=True, slots=True)
class _Model:
    """What completed curves teach.

    Attributes:
        goal: which objectives are better.
        peers: those that trained up to `end`.
        start: the step by which most of them had reported.
        last: their spread there.
        parameters: see _START.
    """

    goal: Goal
    peers: list[Curve]
    start: int
    end: int
    last: _Spread
    parameters: Array

    def predict(self, points: Sequence[Point]) -> tuple[float, float]:
        """The mean and the deviation of where the trial will end, in units of the last step."""
        steps = _places(points[0].step, points[-1].step)
        values = _values([p.step for p in points], [p.value for p in points], steps)
        seen = [self.spread_at(step).units([value])[0] for step, value in zip(steps, values, strict=True)]
        covariance = _covariance([*steps, self.end], self.end, self.parameters)
        known, end = covariance[:-1, :-1], covariance[:-1, -1]
        factor = cho_factor(known, lower=True)
        mean = float(end @ cho_solve(factor, np.array(seen)))
        variance = float(covariance[-1, -1] - end @ cho_solve(factor, end))
        return mean, float(np.sqrt(max(variance, 1e-12)))

    def spread_at(self, step: int) -> _Spread:
        return _Spread([_values(peer.steps, peer.values, [step])[0] for peer in self.peers], self.goal)


def _learn(completed: Sequence[Curve], goal: Goal) -> _Model | None:
    """The model of these curves; None when they have nothing to teach."""
    if not completed:
        return None
    end = round(quantile([float(curve.steps[-1]) for curve in completed], 0.5))
    peers = [curve for curve in completed if curve.steps[-1] >= end][-_PEERS:]
    start = round(quantile([float(curve.steps[0]) for curve in peers], 0.5))
    if end <= start:
        return None
    steps = _places(start, end)
    last = _Spread([_values(peer.steps, peer.values, [end])[0] for peer in peers], goal)
    model = _Model(goal, peers, start, end, last, _START)
    spreads = [model.spread_at(step) for step in steps]
    distances = np.array([spread.units(spread.values) for spread in spreads])

    def unlikely(parameters: Array) -> float:
        try:
            factor = cho_factor(_covariance(steps, end, parameters), lower=True)
        except LinAlgError:
            return 1e10
        fit = 0.5 * float(np.sum(distances * cho_solve(factor, distances)))
        size = len(peers) * float(np.log(np.diag(factor[0])).sum())
        return fit + size + 0.5 * float((((parameters - _START) / _WIDTH) ** 2).sum())

    bounds = [(centre - 3 * _WIDTH, centre + 3 * _WIDTH) for centre in _START]
    found = minimize(unlikely, _START, method="L-BFGS-B", bounds=bounds, options={"maxiter": 30})
    return replace(model, parameters=found.x)


def _covariance(steps: Sequence[int], end: int, parameters: Array) -> Array:
    """Of a trial's distances at these steps."""
    lasting, forgotten, over, noise = np.exp(parameters)
    # What is below a sixty-fourth of the training counts as about the same time.
    times = np.log(np.maximum(np.array(steps) / max(end, 1), 0.0) + 1.0 / 64.0)
    near = np.exp(-np.abs(times[:, None] - times[None, :]) / over)
    covariance: Array = lasting + forgotten * near + noise * np.eye(len(times))
    return covariance


def _places(first: int, last: int) -> list[int]:
    """Some steps from the first to the last one, close together where curves are steep."""
    shares = (np.geomspace(1.0, 65.0, _PLACES) - 1.0) / 64.0
    return sorted({first + round((last - first) * share) for share in shares.tolist()})


def _values(steps: Sequence[int], values: Sequence[float], at: Sequence[int]) -> list[float]:
    """What a curve showed last by each of these steps; before its first report, that."""
    places = np.searchsorted(np.asarray(steps), np.asarray(at), side="right") - 1
    return [values[max(place, 0)] for place in places.tolist()]
