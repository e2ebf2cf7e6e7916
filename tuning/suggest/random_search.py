"""Random search: points drawn uniformly in scaled space (docs/contract.md 6.1)."""

from collections.abc import Hashable, Sequence

from tuning.space import Space, Value
from tuning.suggest.derived import Derived
from tuning.suggest.randomness import stream
from tuning.suggest.untried import draw_untried
from tuning.trials import FinishedTrial, Goal, PendingTrial


class RandomSearch:
    """Draws without repeats while a finite space has untried points, then with repeats.

    Failed trials count as tried: their points are not drawn again.
    """

    algorithm = "RANDOM_SEARCH"
    version = "1"

    def __init__(self, space: Space, goal: Goal, seed: int) -> None:
        self._space = space
        self._seed = seed
        self._keys: Derived[tuple[Hashable, ...] | None] = Derived(
            lambda _, trial: space.key(trial.values) if space.contains(trial.values) else None
        )

    def suggest(
        self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], count: int
    ) -> list[dict[str, Value]]:
        """See `Suggester.suggest`; always `count` points."""
        space = self._space
        tried = {key for key in self._keys(history) if key is not None}
        tried |= {space.key(trial.values) for trial in pending if space.contains(trial.values)}
        before = len(history) + len(pending)
        points = []
        for trial in range(before, before + count):
            point = draw_untried(space, stream(self._seed, trial), tried)
            tried.add(space.key(point))
            points.append(point)
        return points
