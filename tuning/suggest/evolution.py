"""Evolution: of two recent trials the better one, with one parameter changed.

NNI's tuner of this name, after Real et al. 2017, "Large-scale evolution of image classifiers": begin with a
random population; then, again and again, two of it meet, and the better one has a child that differs in one
parameter. Here the population are the youngest trials (Real et al. 2019, "Regularized evolution for image
classifier architecture search"), which is a function of the history alone.
"""

from collections.abc import Sequence

import numpy as np

from tuning.space import Space, Value
from tuning.suggest.one_by_one import OneByOne, Scored
from tuning.trials import Goal


class Evolution(OneByOne):
    """Random until the population is full; more trials side by side than it has places are random, too.

    Raises:
        ValueError: an argument is out of its range.
    """

    algorithm = "EVOLUTION"
    version = "1"

    def __init__(self, space: Space, goal: Goal, seed: int, *, population_size: int = 32) -> None:
        """`population_size` is 1 or more."""
        super().__init__(space, goal, seed)
        if population_size < 1:
            raise ValueError(f"population_size is 1 or more, not {population_size}")
        self._size = population_size

    def _propose(
        self, scored: Sequence[Scored], position: int, random: np.random.Generator
    ) -> dict[str, Value] | None:
        if position < self._size or not scored:
            return None
        population = scored[-self._size :]
        two = random.choice(len(population), size=min(2, len(population)), replace=False)
        better = min((population[index] for index in two), key=lambda trial: trial.loss)
        return self._changed(better.values, self._some_name(random), random)
