"""A task: a space, a loss to minimise over it, and where zero and one of its normalised regret lie."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from tuning.space import Space, Value

Point = dict[str, Value]

_DRAWS = 2001
"""Random points whose median loss is the regret of 1."""


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        name: what it is called in reports and result files.
        space: where to search.
        loss: a pure function of the point; smaller is better.
        best: the smallest loss there is, or the smallest known.
    """

    name: str
    space: Space
    loss: Callable[[Point], float] = field(repr=False)
    best: float

    @cached_property
    def middle(self) -> float:
        """The median loss of random points."""
        draws = np.random.default_rng(20261121).random((_DRAWS, len(self.space.parameters)))
        return float(np.median([self.loss(self.space.draw(row)) for row in draws.tolist()]))

    def regret(self, loss: float) -> float:
        """0 for the best point, 1 for the median random one; never below 0."""
        return max(loss - self.best, 0.0) / (self.middle - self.best)
