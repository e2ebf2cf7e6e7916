"""Decay-curve prediction: stop what will hardly become the best (docs/contract.md 6.3).

Golovin et al. 2017, "Google Vizier", section 3.1: where a running trial will end is predicted from the curves
of completed ones, and the trial is stopped when the chance that this is better than the best so far is low.
Ours predicts with `tuning.endings`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tuning.endings import Endings, Reports
from tuning.stopping.curves import FinishedCurves, by_step
from tuning.stopping.protocol import StopDecision
from tuning.trials import Goal, Point


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
        endings = finished.remembered(("decay curve", self.goal), lambda: self._learn(finished))
        if not points or endings is None or len(endings.peers) < self.min_peers:
            return None
        ending = endings.of(points[-1].step, points[-1].value)
        best = float(endings.ends.min())
        if ending is None or ending.chance_below(best) >= self.probability:
            return None
        value, threshold = endings.spread.objective(ending.mean), endings.spread.objective(best)
        if not self.goal.is_better(threshold, value):
            return None  # Equal after rounding.
        return StopDecision("decay_curve", points[-1].step, value, threshold, len(endings.peers), True)

    def _learn(self, finished: FinishedCurves) -> Endings | None:
        completed = [Reports(curve.steps, curve.values) for curve in finished.completed]
        return Endings(completed, self.goal) if completed else None
