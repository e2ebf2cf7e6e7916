"""The median rule: stop what is worse than the middle of those before it (docs/contract.md 6.3).

Golovin et al. 2017, "Google Vizier", section 3.2.2: a running trial is stopped at its last step s when its
best objective so far is strictly worse than the median, over finished trials, of each one's running average
of objectives up to s. Steps are the trainer's own, not counts of reports, so trials that report at different
paces compare at the same amount of training.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tuning.stopping.finished_curves import FinishedCurves, by_step
from tuning.stopping.protocol import StopDecision
from tuning.trials import Goal, Point


@dataclass(frozen=True, slots=True)
class MedianStoppingRule:
    """The median rule with its guards.

    Attributes:
        goal: which objectives are better.
        min_finished: how many comparable finished trials it takes (see `FinishedCurves.averages_at`); with
            fewer, the median is one trial's luck.
        min_steps: the trainer's step before which no trial is stopped.
        min_points: how many reports a trial must have made; 2, so a trainer that reports once, at its end,
            is never stopped.

    Raises:
        ValueError: when min_finished or min_points is below 1.
    """

    goal: Goal
    min_finished: int = 5
    min_steps: int = 0
    min_points: int = 2

    def __post_init__(self) -> None:
        if self.min_finished < 1 or self.min_points < 1:
            raise ValueError("min_finished and min_points are 1 or more")

    def decide(
        self, running: Sequence[Point], finished: FinishedCurves | Sequence[Sequence[Point]]
    ) -> StopDecision | None:
        """See `StoppingRule.decide`."""
        points = by_step(running)
        if len(points) < self.min_points or points[-1].step < self.min_steps:
            return None
        step = points[-1].step
        peers = finished if isinstance(finished, FinishedCurves) else FinishedCurves(finished)
        averages = peers.averages_at(step)
        if len(averages) < self.min_finished:
            return None
        values = [point.value for point in points]
        best = max(values) if self.goal is Goal.MAXIMIZE else min(values)
        threshold = _median(averages)
        if not self.goal.is_better(threshold, best):
            return None
        return StopDecision("median", step, best, threshold, len(averages))


def _median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the middle two; it neither overflows nor leaves equal values."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    left, right = ordered[middle - 1 : middle + 1]
    return left + (right / 2 - left / 2)
