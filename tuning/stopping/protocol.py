"""The one interface of all stopping rules, and the decision they return."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tuning.stopping.curves import FinishedCurves
from tuning.trials import Point


@dataclass(frozen=True, slots=True)
class StopDecision:
    """Stop the trial, and why.

    Attributes:
        rule: the rule's name, such as `median`.
        step: the running trial's last step, where it was judged.
        value: what was judged of the running trial, in units of the objective.
        threshold: what it had to reach, in the same units.
        peers: how many other trials the threshold was made of.
        predicted: whether `value` is where the trial was expected to end, and not what it had reported.
    """

    rule: str
    step: int
    value: float
    threshold: float
    peers: int
    predicted: bool = False


class StoppingRule(Protocol):
    """Decides about one running trial at a time; pure, so the same curves give the same decision."""

    def decide(
        self,
        running: Sequence[Point],
        finished: FinishedCurves,
        beside: Sequence[Sequence[Point]] = (),
    ) -> StopDecision | None:
        """Decide whether to stop the trial now.

        Args:
            running: what the trial has reported so far, in any order; where a step comes twice, the later
                entry counts. May be empty.
            finished: the curves of ended trials of the same job, those that were stopped included.
            beside: the curves so far of the other running trials; most rules don't look at them.

        Returns:
            The decision to stop, or None: carry on.
        """
