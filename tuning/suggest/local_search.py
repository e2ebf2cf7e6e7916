"""Local search: with some probability the best point so far with one parameter changed, else a random one."""

from collections.abc import Sequence

import numpy as np

from tuning.space import Space, Value
from tuning.suggest.one_by_one import OneByOne, Scored
from tuning.trials import Goal


class LocalSearch(OneByOne):
    """Changes one coordinate of the incumbent.

    Raises:
        ValueError: an argument is out of its range.
    """

    algorithm = "LOCAL"
    version = "1"

    def __init__(
        self, space: Space, goal: Goal, seed: int, *, probab_local: float = 0.5, num_init_random: int = 5
    ) -> None:
        """Start with `num_init_random` trials, 1 or more; `probab_local` is from 0 to 1."""
        super().__init__(space, goal, seed)
        if not 0.0 <= probab_local <= 1.0:
            raise ValueError(f"probab_local is from 0 to 1, not {probab_local}")
        if num_init_random < 1:
            raise ValueError(f"num_init_random is 1 or more, not {num_init_random}")
        self._probability = probab_local
        self._start = num_init_random

    def _propose(
        self, scored: Sequence[Scored], position: int, random: np.random.Generator
    ) -> dict[str, Value] | None:
        if not scored or position < self._start or random.random() >= self._probability:
            return None
        incumbent = min(scored, key=lambda trial: trial.loss)
        return self._changed(incumbent.values, self._some_name(random), random)
