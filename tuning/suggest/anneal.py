"""Annealing: draws near one of the best trials, from a neighbourhood that shrinks with every trial.

Hyperopt's algorithm of this name, which is also what NNI's `Anneal` runs (Bergstra et al. 2013, "Making a
science of model search"). No model: the first trials are spread, the last ones next to the best.
"""

from collections.abc import Sequence
from math import isfinite

import numpy as np

from tuning.space import Categorical, Parameter, Space, Value
from tuning.suggest.one_by_one import OneByOne, Scored
from tuning.trials import Goal


class Anneal(OneByOne):
    """Chooses a trial by its rank, and for each parameter a value near that trial's.

    Raises:
        ValueError: an argument is out of its range.
    """

    algorithm = "ANNEAL"
    version = "1"

    def __init__(
        self, space: Space, goal: Goal, seed: int, *, avg_best_idx: float = 2.0, shrink_coef: float = 0.1
    ) -> None:
        """Draw ranks with the mean `avg_best_idx`, 1 or more; after n trials neighbourhoods have
        1 / (1 + n * `shrink_coef`) of their ranges, which is above 0.
        """
        super().__init__(space, goal, seed)
        if not (isfinite(avg_best_idx) and avg_best_idx >= 1.0):
            raise ValueError(f"avg_best_idx is 1 or more, not {avg_best_idx}")
        if not (isfinite(shrink_coef) and shrink_coef > 0.0):
            raise ValueError(f"shrink_coef is above 0, not {shrink_coef}")
        self._mean_rank = avg_best_idx
        self._shrink = shrink_coef

    def _propose(
        self, scored: Sequence[Scored], position: int, random: np.random.Generator
    ) -> dict[str, Value] | None:
        if not scored:
            return None
        rank = min(int(random.geometric(1.0 / self._mean_rank)), len(scored))
        anchor = sorted(scored, key=lambda trial: trial.loss)[rank - 1].values
        width = 1.0 / (1.0 + len(scored) * self._shrink)
        return {p.name: _near(p, anchor[p.name], width, random) for p in self._space.parameters}


def _near(parameter: Parameter, value: Value, width: float, random: np.random.Generator) -> Value:
    """A value from around a value, `width` of the range in all; or, with that chance, any category."""
    u, chance = random.random(2).tolist()
    if isinstance(parameter, Categorical):
        return value if chance >= width else parameter.draw(u)
    half = width / 2.0
    # At an end of the range the neighbourhood lies on one side.
    middle = min(max(parameter.to_unit(value), half), 1.0 - half)
    return parameter.from_unit(min(max(middle + (u - 0.5) * width, 0.0), 1.0))
