"""A task: a space, a loss to minimise over it, and where zero and one of its normalised regret lie."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from tuning.space import Space, Value

Point = dict[str, Value]

_DRAWS = 2001
"""Random points whose median loss is the regret of 1."""
_MANY_DRAWS = 20_001
"""Random points that say what random search comes to: of 100 trials to within a tenth of their share."""


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

    @cached_property
    def _random(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        draws = np.random.default_rng(20261122).random((_MANY_DRAWS, len(self.space.parameters)))
        return np.sort([self.regret(self.loss(self.space.draw(row))) for row in draws.tolist()])

    def random_regret(self, trials: int) -> float:
        """The median over seeds of random search's regret, without the luck of the few seeds that are run.

        Half of all searches have none of their points among the best 1 - 0.5 ** (1 / trials) of the space.
        """
        return float(np.quantile(self._random, 1.0 - 0.5 ** (1.0 / trials)))

    def regret(self, loss: float) -> float:
        """0 for the best point, 1 for the median random one; never below 0."""
        return max(loss - self.best, 0.0) / (self.middle - self.best)
