"""The median rule: stop what is worse than the middle of those before it (docs/contract.md 6.3).

Golovin et al. 2017, "Google Vizier", section 3.2.2: a running trial is stopped at its last step s when its
best objective so far is strictly worse than the median, over finished trials, of each one's running average
of objectives up to s. Steps are the trainer's own, not counts of reports, so trials that report at different
paces compare at the same amount of training.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tuning.stopping.curves import FinishedCurves, best_of, by_step, quantile
from tuning.stopping.protocol import StopDecision
from tuning.trials import Goal, Point


@dataclass(frozen=True, slots=True)
class MedianStoppingRule:
    """The median rule.

    Attributes:
        goal: which objectives are better.
        min_peers: how many comparable ended trials it takes (see `FinishedCurves.averages_at`); with
            fewer, the median is one trial's luck.

    Raises:
        ValueError: when min_peers is below 1.
    """

    goal: Goal
    min_peers: int = 5

    def __post_init__(self) -> None:
        if self.min_peers < 1:
            raise ValueError("min_peers is 1 or more")

    def decide(
        self,
        running: Sequence[Point],
        finished: FinishedCurves,
        beside: Sequence[Sequence[Point]] = (),
    ) -> StopDecision | None:
        """See `StoppingRule.decide`."""
        points = by_step(running)
        if not points:
            return None
        step = points[-1].step
        averages = finished.averages_at(step)
        if len(averages) < self.min_peers:
            return None
        best = best_of((point.value for point in points), self.goal)
        threshold = quantile(averages, 0.5)
        if not self.goal.is_better(threshold, best):
            return None
        return StopDecision("median", step, best, threshold, len(averages))
