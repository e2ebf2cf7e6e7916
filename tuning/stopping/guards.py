"""What holds for every stopping rule: nothing is stopped before it could show what it is worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from tuning.stopping.curves import FinishedCurves, by_step
from tuning.stopping.protocol import StopDecision, StoppingRule
from tuning.trials import Point


@dataclass(frozen=True, slots=True)
class Guards:
    """When a rule is asked at all.

    Attributes:
        min_finished: how many trials with a curve must have ended.
        grace_steps: the trainer's step before which no trial is stopped.
        grace_seconds: how long a trial runs before it may be stopped.
        min_points: how many steps a trial must have reported; 2, so a trainer that reports once, at its end,
            is never stopped.

    Raises:
        ValueError: when min_finished or min_points is below 1, or a grace below 0.
    """

    min_finished: int = 5
    grace_steps: int = 0
    grace_seconds: float = 0.0
    min_points: int = 2

    def __post_init__(self) -> None:
        if self.min_finished < 1 or self.min_points < 1:
            raise ValueError("min_finished and min_points are 1 or more")
        if self.grace_steps < 0 or not 0.0 <= self.grace_seconds < inf:
            raise ValueError("grace_steps and grace_seconds are 0 or more")

    def allow(self, running: Sequence[Point], finished: FinishedCurves, seconds: float) -> bool:
        """Whether a trial with these reports, by increasing step, may be judged."""
        return (
            len(running) >= self.min_points
            and running[-1].step >= self.grace_steps
            and seconds >= self.grace_seconds
            and len(finished) >= self.min_finished
        )


@dataclass(frozen=True, slots=True)
class Stopper:
    """A rule behind its guards."""

    rule: StoppingRule
    guards: Guards = Guards()

    def decide(
        self,
        running: Sequence[Point],
        finished: FinishedCurves,
        beside: Sequence[Sequence[Point]] = (),
        *,
        seconds: float = inf,
    ) -> StopDecision | None:
        """As `StoppingRule.decide`; `seconds` is how long the trial has run."""
        points = by_step(running)
        return (
            self.rule.decide(points, finished, beside)
            if self.guards.allow(points, finished, seconds)
            else None
        )
