"""NNI's median assessor, `Medianstop`: the median rule by counts of reports.

A trial that has reported n times, more than `start_step`, is stopped when its best objective so far is
strictly worse than the median of what the completed trials had averaged over their first n reports. Of an
even number of them NNI takes the worse of the middle two. Trials that were stopped are no peers. Unlike
NNI's, which lets one completed trial stop all others, it stands behind the guards of all rules.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tuning.stopping.curves import FinishedCurves, best_of, by_step
from tuning.stopping.protocol import StopDecision
from tuning.trials import Goal, Point


@dataclass(frozen=True, slots=True)
class MedianStopAssessor:
    """Attributes: `start_step`, as many reports are judged by nobody, 0 or more."""

    goal: Goal
    start_step: int = 0

    def __post_init__(self) -> None:
        if self.start_step < 0:
            raise ValueError("start_step is 0 or more")

    def decide(
        self,
        running: Sequence[Point],
        finished: FinishedCurves,
        beside: Sequence[Sequence[Point]] = (),
    ) -> StopDecision | None:
        """See `StoppingRule.decide`."""
        points = by_step(running)
        count = len(points)
        if count <= self.start_step:
            return None
        averages = sorted(
            curve.averages[count - 1] for curve in finished.completed if len(curve.steps) >= count
        )
        if not averages:
            return None
        middle = (len(averages) - 1) // 2 if self.goal is Goal.MAXIMIZE else len(averages) // 2
        best = best_of((point.value for point in points), self.goal)
        if not self.goal.is_better(averages[middle], best):
            return None
        return StopDecision("medianstop", points[-1].step, best, averages[middle], len(averages))
