"""Quasi-random search: a scrambled Sobol sequence, which fills a space more evenly than chance does.

Owen 1998, "Scrambling Sobol' and Niederreiter-Xing points". It learns nothing, so it is what a search falls
back to when its own algorithm gives no answer.
"""

from collections.abc import Hashable, Sequence, Set

import numpy as np
import scipy
from scipy.stats.qmc import Sobol

from tuning.space import Space, Value
from tuning.suggest.derived import Derived
from tuning.suggest.randomness import stream
from tuning.suggest.untried import draw_untried
from tuning.trials import FinishedTrial, Goal, PendingTrial

_LENGTH = 2**16
"""Points of the sequence that are used; beyond them points are random."""


class QuasiRandomSearch:
    """The n-th trial gets the n-th point; a random one instead if that has been tried."""

    algorithm = "QUASI_RANDOM"
    version = f"1+scipy-{scipy.__version__}"

    def __init__(self, space: Space, goal: Goal, seed: int) -> None:
        self._space = space
        self._seed = seed
        self._keys: Derived[Hashable | None] = Derived(
            lambda _, trial: space.key(trial.values) if space.contains(trial.values) else None
        )

    def suggest(
        self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], count: int
    ) -> list[dict[str, Value]]:
        """See `Suggester.suggest`; always `count` points."""
        space, before = self._space, len(history) + len(pending)
        tried = {key for key in self._keys(history) if key is not None}
        tried |= {space.key(trial.values) for trial in pending if space.contains(trial.values)}
        units = self._units(before, count)
        points: list[dict[str, Value]] = []
        for position in range(before, before + count):
            point = self._of_sequence(units, position - before, tried)
            if point is None:
                point = draw_untried(space, stream(self._seed, position), tried)
            tried.add(space.key(point))
            points.append(point)
        return points

    def _of_sequence(
        self, units: Sequence[Sequence[float]], place: int, tried: Set[Hashable]
    ) -> dict[str, Value] | None:
        if place >= len(units):
            return None
        point = self._space.draw(units[place])
        return point if self._space.key(point) not in tried and not self._space.forbids(point) else None

    def _units(self, first: int, count: int) -> Sequence[Sequence[float]]:
        """Points of the sequence from the one at `first` on, `count` or what is left of them."""
        count = min(count, _LENGTH - first)
        if count <= 0:
            return []
        random = np.random.default_rng(stream(self._seed, 0, 1))
        sequence = Sobol(len(self._space.parameters), rng=random)
        if first:
            sequence.fast_forward(first)
        # The sequence itself is meant to be cut anywhere; the class warns only of a first draw's length.
        units: list[list[float]] = np.vstack([sequence.random(1) for _ in range(count)]).tolist()
        return units
