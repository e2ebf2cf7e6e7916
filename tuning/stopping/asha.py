"""Asynchronous successive halving, of the kind that stops (Li et al. 2020, "A System for Massively Parallel
Hyperparameter Tuning", section 3).

Rungs stand at `first_rung`, and at each `reduction_factor` times the step of the one before. A trial that has
reached a rung goes on if what it showed there is among the best 1 / `reduction_factor` of all trials that
reached it so far, running ones included. Nothing is paused: what is stopped is not taken up again.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log

from tuning.stopping.curves import FinishedCurves, by_step, quantile
from tuning.stopping.protocol import StopDecision
from tuning.trials import Goal, Point


@dataclass(frozen=True, slots=True)
class SuccessiveHalving:
    """The rule.

    Attributes:
        goal: which objectives are better.
        first_rung: the trainer's step of the first rung, 1 or more.
        reduction_factor: above 1; at each rung one of so many goes on.

    Raises:
        ValueError: when an argument is out of its range.
    """

    goal: Goal
    first_rung: int = 1
    reduction_factor: float = 3.0

    def __post_init__(self) -> None:
        if self.first_rung < 1 or not 1.0 < self.reduction_factor <= 1e6:
            raise ValueError("first_rung is 1 or more, reduction_factor above 1 and a million at most")

    def decide(
        self,
        running: Sequence[Point],
        finished: FinishedCurves,
        beside: Sequence[Sequence[Point]] = (),
    ) -> StopDecision | None:
        """See `StoppingRule.decide`. Judged at the last rung that the trial has reached."""
        points = by_step(running)
        if not points or points[-1].step < self.first_rung:
            return None
        rung = self._rung(points[-1].step)
        # Where the trial came to the rung: trials that report at other paces compare at the same step.
        arrival = points[bisect_left(points, rung, key=lambda point: point.step)]
        others = finished.values_at(arrival.step)
        others += FinishedCurves(beside).values_at(arrival.step)
        if len(others) + 1 < self.reduction_factor:
            return None  # The best of so few always goes on, and nobody else is there to be let go.
        own = arrival.value
        share = 1.0 / self.reduction_factor
        threshold = quantile(others, 1.0 - share if self.goal is Goal.MAXIMIZE else share)
        if not self.goal.is_better(threshold, own):
            return None
        return StopDecision("asha", points[-1].step, own, threshold, len(others))

    def _rung(self, step: int) -> int:
        """The last rung at or before a step. Found, not counted: with a factor near 1 they are very many."""
        factor = self.reduction_factor
        # Rungs are at least one step apart: up to here, where the factor would bring less, each step is one.
        start = max(self.first_rung, ceil(1.0 / (factor - 1.0)))
        if step <= start:
            return step
        number = int(log(step / start) / log(factor)) + 1
        while round(start * factor**number) > step:
            number -= 1
        return round(start * factor**number)
