"""Where a learning curve will end, learned from those of trials that ran to their end.

How far a trial is above or below the completed ones is counted, at each step, in units of how far those are
apart there (`Spread`). By how much that will change until the end is taken for a straight line in how far it
is, one for each step that is asked for (Bishop 2006, "Pattern recognition and machine learning", 3.3).
The line's height is free. Its slope is 0 before anything is known, where a trial keeps its place, give or
take 1, where its place would not matter at all. How far ends scatter around the line is averaged over. So few
curves, or such as all stand elsewhere, leave an end in doubt.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy.special import ndtr

from tuning.trials import Goal

Array: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

_PEERS = 200
"""So many completed curves are enough to learn from; the latest count."""
_SCATTER = np.geomspace(1e-3, 1.0, 13)
"""By so many shares of how far ends, or changes, are apart they may scatter around the line."""


class Reports(NamedTuple):
    """What a trial reported, by increasing step; never empty."""

    steps: Sequence[int]
    values: Sequence[float]

    def by(self, step: int) -> float:
        """What was reported last by this step; before the first report, that."""
        return self.values[max(bisect_right(self.steps, step) - 1, 0)]


class Ending(NamedTuple):
    """Where a trial will end, in units of `Endings.spread`: a mixture of normal distributions."""

    means: Array
    deviations: Array
    shares: Array

    @property
    def mean(self) -> float:
        return float(self.shares @ self.means)

    @property
    def deviation(self) -> float:
        return float(np.sqrt(self.shares @ (self.deviations**2 + (self.means - self.mean) ** 2)))

    def chance_below(self, unit: float) -> float:
        """The chance of ending better than this."""
        return float(self.shares @ ndtr((unit - self.means) / self.deviations))


class Spread:
    """How far objectives are from the middle one of some; smaller is better.

    In units of the spread of the better half. Beyond one such unit on the bad side distances grow as
    logarithms only, so that what diverged doesn't hide how the rest differ.
    """

    def __init__(self, values: Sequence[float], goal: Goal) -> None:
        self._sign = 1.0 if goal is Goal.MINIMIZE else -1.0
        # Shares of the largest, since doubles near their limit have no difference.
        self._largest = max(map(abs, values)) or 1.0
        shares = self._sign * (np.array(values) / self._largest)
        self._middle = float(np.median(shares))
        better = shares[shares <= self._middle] - self._middle
        self._unit = max(float(np.sqrt(np.mean(better**2))), 1e-3 * float(np.ptp(shares)), 1e-9)

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


class Endings:
    """What completed curves teach.

    Attributes:
        peers: those that trained at least as long as the middle one of them, up to `end`.
        start: the step by which most of them had reported.
        spread: that of their ends.
        ends: theirs, in units of it.
    """

    def __init__(self, completed: Sequence[Reports], goal: Goal) -> None:
        """Learn from at least one curve."""
        self._goal = goal
        self.end = round(float(np.median([curve.steps[-1] for curve in completed])))
        self.peers = [curve for curve in completed if curve.steps[-1] >= self.end][-_PEERS:]
        self.start = round(float(np.median([curve.steps[0] for curve in self.peers])))
        ends = [peer.by(self.end) for peer in self.peers]
        self.spread = Spread(ends, goal)
        self.ends = self.spread.units(ends)
        self._lines: dict[int, tuple[Spread, _Line]] = {}

    def of(self, step: int, value: float) -> Ending | None:
        """Where a trial will end that stands there; None where the completed ones don't say."""
        if not self.start <= step < self.end:
            return None
        if step not in self._lines:
            stood = [peer.by(step) for peer in self.peers]
            spread = Spread(stood, self._goal)
            self._lines[step] = spread, _Line(spread.units(stood), self.ends)
        spread, line = self._lines[step]
        return line.at(float(spread.units([value])[0]))


class _Line:
    """The change to come, over where a trial stands: one line for each scatter, and how likely that is."""

    def __init__(self, stood: Array, ends: Array) -> None:
        change = ends - stood
        count, self._centre, self._height = len(stood), float(stood.mean()), float(change.mean())
        across, up = stood - self._centre, change - self._height
        unit = max(float(up.std()), float(ends.std()), 1e-6)
        self._variances = (_SCATTER * unit) ** 2
        precisions = 1.0 + (across @ across) / self._variances
        self._slopes = (across @ up) / self._variances / precisions
        misfit = (up @ up) / self._variances - precisions * self._slopes**2
        likely = -0.5 * (misfit + np.log(precisions) + (count - 1) * np.log(self._variances))
        shares = np.exp(likely - likely.max())
        self._shares = shares / shares.sum()
        self._of_slopes, self._of_height = 1.0 / precisions, self._variances / count

    def at(self, stands: float) -> Ending:
        across = stands - self._centre
        means = stands + self._height + self._slopes * across
        variances = self._variances + self._of_height + across**2 * self._of_slopes
        return Ending(means, np.sqrt(variances), self._shares)
