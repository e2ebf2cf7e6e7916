"""What a suggester is told: finished trials, pending trials, and their learning curves.

All are frozen and checked when made, so nothing that is not a finite number reaches a model or a ranking.
"""

from dataclasses import dataclass
from enum import Enum
from math import isfinite

from tuning.space import Values


class Goal(Enum):
    """Which end of the objective is better."""

    MAXIMIZE = "MAXIMIZE"
    MINIMIZE = "MINIMIZE"

    def is_better(self, left: float, right: float) -> bool:
        """Whether objective `left` is strictly better than `right`."""
        return left > right if self is Goal.MAXIMIZE else left < right


class Outcome(Enum):
    """How a trial ended."""

    COMPLETED = "COMPLETED"
    STOPPED_EARLY = "STOPPED_EARLY"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Point:
    """One reported objective: the trainer's step and the value there.

    Raises:
        ValueError: when the value is NaN or infinite.
    """

    step: int
    value: float

    def __post_init__(self) -> None:
        if not isfinite(self.value):
            raise ValueError(f"the objective at step {self.step} must be finite, not {self.value}")


@dataclass(frozen=True, slots=True)
class FinishedTrial:
    """A trial that has ended. Treat `values` as frozen too: suggesters remember trials by it.

    Attributes:
        number: names the trial within its job; never read as an order.
        values: the point that was tried.
        outcome: how it ended.
        objective: the final value; None when the trial reported none.
        curve: the reported objectives, by increasing step; may be empty.

    Raises:
        ValueError: when the objective is NaN or infinite.
    """

    number: int
    values: Values
    outcome: Outcome
    objective: float | None
    curve: tuple[Point, ...] = ()

    def __post_init__(self) -> None:
        if self.objective is not None and not isfinite(self.objective):
            raise ValueError(f"trial {self.number}: the objective must be finite, not {self.objective}")


@dataclass(frozen=True, slots=True)
class PendingTrial:
    """A trial that has been suggested and has not ended; its fields are those of `FinishedTrial`."""

    number: int
    values: Values
    curve: tuple[Point, ...] = ()
