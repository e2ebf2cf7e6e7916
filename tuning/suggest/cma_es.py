"""CMA-ES: a normal distribution that moves, stretches and shrinks towards better trials.

Hansen 2016, "The CMA evolution strategy: a tutorial", as the package `cmaes` has it, on which Optuna's
sampler stands too. The distribution is over the unit cube of the numeric parameters, and follows from the
history alone: every generation is the next so many trials that have an objective, in the order of their
ends, whoever suggested them. So trials may run side by side, and what is kept of a distribution is kept only
to be quick: a generation takes time that grows with the cube of the number of parameters.

A category has no place in it: it is mostly that of a good trial, and at times any.
"""

from collections.abc import Sequence
from math import log

import cmaes
import numpy as np

from tuning.scale import clamp
from tuning.space import Categorical, Space, Value
from tuning.suggest.one_by_one import OneByOne, Scored
from tuning.suggest.randomness import stream
from tuning.trials import Goal

MAX_PARAMETERS = 200
"""Of those that count as dimensions. With so many a generation takes some 20 ms, with 1000 seconds."""
_ANY_CATEGORY = 0.2
"""The share of categories that are drawn evenly."""


class CmaEs(OneByOne):
    """Begins around the middle; where the distribution has shrunk to a point, it begins anew elsewhere.

    Raises:
        ValueError: an argument is out of its range, or the space has more than MAX_PARAMETERS dimensions.
    """

    algorithm = "CMA_ES"
    version = f"1+cmaes-{cmaes.__version__}"

    def __init__(
        self,
        space: Space,
        goal: Goal,
        seed: int,
        *,
        population_size: int | None = None,
        sigma0: float = 1 / 6,
    ) -> None:
        """Use generations of `population_size`, 2 or more, by default 4 + 3 ln of the numeric parameters; and
        `sigma0` as the first deviation, a share of each range above 0 and at most 1.
        """
        super().__init__(space, goal, seed)
        if population_size is not None and population_size < 2:
            raise ValueError(f"population_size is 2 or more, not {population_size}")
        if not 0.0 < sigma0 <= 1.0:
            raise ValueError(f"sigma0 is above 0 and at most 1, not {sigma0}")
        self._numeric = [p for p in space.parameters if p.size != 1 and not isinstance(p, Categorical)]
        if len(self._numeric) > MAX_PARAMETERS:
            raise ValueError(
                f"CMA_ES takes at most {MAX_PARAMETERS} numeric parameters, not {len(self._numeric)}"
            )
        # The package wants two dimensions at least: the second of a single one leads nowhere.
        self._dimensions = max(len(self._numeric), 2)
        self._size = population_size or 4 + int(3 * log(self._dimensions))
        self._sigma = sigma0
        self._told: list[Scored] = []
        """The generations that `_found` is the distribution after, if there are any."""
        self._found: cmaes.CMA

    def _propose(
        self, scored: Sequence[Scored], position: int, random: np.random.Generator
    ) -> dict[str, Value] | None:
        if not self._numeric and not scored:
            return None
        with np.errstate(all="ignore"):
            distribution = self._distribution(scored)
            distribution.reseed_rng(int(random.integers(2**32)))
            units = distribution.ask()
        if not np.isfinite(units).all():
            return None
        point: dict[str, Value] = {}
        for parameter in self._space.parameters:
            if isinstance(parameter, Categorical):
                point[parameter.name] = _category(parameter, scored, random)
            else:
                point[parameter.name] = parameter.at(0) if parameter.size == 1 else parameter.from_unit(0.5)
        for parameter, unit in zip(self._numeric, units.tolist(), strict=False):
            point[parameter.name] = parameter.from_unit(clamp(unit, 0.0, 1.0))
        return point

    def _distribution(self, scored: Sequence[Scored]) -> cmaes.CMA:
        """The distribution after all whole generations; asking it for points changes nothing about that."""
        told, self._told = self._told, []  # Should this fail, the next begins from nothing.
        if not told or list(scored[: len(told)]) != told:
            told, self._found = [], self._new(np.full(self._dimensions, 0.5))
        while len(scored) - len(told) >= self._size:
            generation = scored[len(told) : len(told) + self._size]
            self._found.tell([(self._units(trial), trial.loss) for trial in generation])
            if self._found.should_stop():
                elsewhere = np.random.default_rng(stream(self._seed, len(told) // self._size, 1))
                self._found = self._new(elsewhere.random(self._dimensions))
            told += generation
        self._told = told
        return self._found

    def _new(self, mean: np.ndarray) -> cmaes.CMA:
        bounds = np.array([[0.0, 1.0]] * self._dimensions)
        return cmaes.CMA(mean=mean, sigma=self._sigma, bounds=bounds, seed=0, population_size=self._size)

    def _units(self, trial: Scored) -> np.ndarray:
        units = [p.to_unit(trial.values[p.name]) for p in self._numeric]
        return np.array(units + [0.5] * (self._dimensions - len(units)))


def _category(parameter: Categorical, scored: Sequence[Scored], random: np.random.Generator) -> Value:
    u, chance = random.random(2).tolist()
    if not scored or chance < _ANY_CATEGORY:
        return parameter.draw(u)
    better = sorted(scored, key=lambda trial: trial.loss)[: max(1, len(scored) // 4)]
    return better[int(u * len(better))].values[parameter.name]
