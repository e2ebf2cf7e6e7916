"""NNI's curve-fitting assessor, `Curvefitting`: stop what will not come near the best completed trial.

Domhan et al. 2015, "Speeding up Automatic Hyperparameter Optimization of Deep Neural Networks by
Extrapolation of Learning Curves". The trial's own curve is continued by an ensemble of curves of five
families, each fitted by least squares and weighted by how well it fits. When the ensemble's value at
`epoch_num` falls short of `threshold` times the best completed trial's, the trial is stopped.

Two things differ from NNI's. There the objective itself is multiplied by the threshold, which means nothing
for losses and for negative objectives: here 0 is what the middle one of the completed trials reported first,
1 is what the best reported last, and the threshold is a share of that way. And where the ensemble can't tell
the end, since its curves disagree or none fits well, nothing is stopped.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from tuning.stopping.curves import FinishedCurves, best_of, by_step, quantile
from tuning.stopping.protocol import StopDecision
from tuning.trials import Goal, Point

Array: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

_NOISE = 0.003
"""A fit is never taken to be closer than this share of the way."""
_AGREED = 0.1
"""The deviation of the ensemble at the end, as a share of the way, up to which it is believed."""
_POINTS = 40
"""As many of a trial's reports are fitted at most, evenly spread and the last one among them."""


@dataclass(frozen=True, slots=True)
class CurveFittingAssessor:
    """The rule; arguments have NNI's names.

    Attributes:
        goal: which objectives are better.
        epoch_num: the step to predict; 0: the last one of the longest completed trial.
        start_step: as many reports are judged by nobody, 0 or more.
        threshold: what share of the way to the best completed trial has to be reached.
        gap: a trial is judged at every so many reports, 1 or more.

    Raises:
        ValueError: when an argument is out of its range.
    """

    goal: Goal
    epoch_num: int = 0
    start_step: int = 6
    threshold: float = 0.95
    gap: int = 1

    def __post_init__(self) -> None:
        if self.epoch_num < 0 or self.start_step < 0 or self.gap < 1 or not 0.0 < self.threshold <= 1.0:
            raise ValueError(
                "epoch_num and start_step are 0 or more, gap 1 or more, threshold above 0 and at most 1"
            )

    def decide(
        self,
        running: Sequence[Point],
        finished: FinishedCurves,
        beside: Sequence[Sequence[Point]] = (),
    ) -> StopDecision | None:
        """See `StoppingRule.decide`."""
        points = by_step(running)
        completed = finished.completed
        # Between two multiples of the gap the earlier one's judgement holds.
        points = points[: len(points) - (len(points) - self.start_step) % self.gap]
        if len(points) <= max(self.start_step, 3) or not completed:
            return None
        first = quantile([curve.values[0] for curve in completed], 0.5)
        best = best_of((curve.values[-1] for curve in completed), self.goal)
        end = self.epoch_num or max(curve.steps[-1] for curve in completed)
        way = best / 2 - first / 2  # Halves, since the difference of the largest doubles is none.
        if points[-1].step >= end or not self.goal.is_better(best, first) or abs(way) < 1e-300:
            return None
        reached = np.array([(point.value / 2 - first / 2) / way for point in points])
        if not np.isfinite(reached).all():
            return None
        steps = np.array([float(point.step) for point in points])
        predicted = _continued(steps, np.clip(reached, -10.0, 10.0), float(end))
        if predicted is None or predicted >= self.threshold:
            return None
        value, threshold = (2 * (first / 2 + share * way) for share in (predicted, self.threshold))
        if not self.goal.is_better(threshold, value):
            return None
        return StopDecision("curvefitting", points[-1].step, value, threshold, len(completed), True)


def _continued(steps: Array, reached: Array, end: float) -> float | None:
    """The ensemble's value at the end; None where it can't tell."""
    chosen = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), _POINTS)).round().astype(int))
    times, seen = np.append(steps[chosen] - steps[0], end - steps[0]) / (end - steps[0]), reached[chosen]
    # Time begins at what the trial did before its first report.
    times = times + times[1]
    likely, ends, doubts = [], [], []
    for shape in _shapes(times):
        known, last = shape[:-1] - shape[:-1].mean(), shape[-1] - shape[:-1].mean()
        size = float(known @ known)
        if size < 1e-12:
            continue
        slope = float(known @ seen) / size
        missed = float(np.mean((seen.mean() + slope * known - seen) ** 2)) + _NOISE**2
        likely.append(-0.5 * len(seen) * float(np.log(missed)))
        ends.append(float(seen.mean() + slope * last))
        doubts.append(missed * (1.0 / len(seen) + float(last**2) / size))
    if not ends:
        return None
    weights = np.exp(np.array(likely) - max(likely))
    weights /= weights.sum()
    mean = float(weights @ np.array(ends))
    variance = float(weights @ ((np.array(ends) - mean) ** 2 + np.array(doubts)))
    return mean if variance <= _AGREED**2 else None


def _shapes(times: Array) -> Iterator[Array]:
    """Curves that go to a level; each stands for all that are so many times it, plus so much."""
    for power in (0.1, 0.25, 0.5, 1.0, 2.0):
        yield times**-power
    for rate in np.geomspace(1.0, 64.0, 13):
        yield np.exp(-rate * times)
        yield np.exp(-((rate * times) ** 0.5))
    for middle in (0.01, 0.03, 0.1, 0.3):
        for power in (1.0, 2.0):
            yield 1.0 / (1.0 + (times / middle) ** power)
    yield 1.0 / np.log(times / times[0] + 1.0)
