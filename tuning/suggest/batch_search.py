"""A fixed list of points, each tried once, in their order; and any algorithm with such a list before it."""

from collections.abc import Sequence

from tuning.space import Space, Value, Values
from tuning.suggest.derived import Derived
from tuning.suggest.protocol import Suggester
from tuning.trials import FinishedTrial, Goal, PendingTrial


class BatchSearch:
    """The points that have not been tried, then no more. NNI's `BatchTuner` is of this kind.

    Raises:
        ValueError: there are no points, or one is not of the space.
    """

    algorithm = "BATCH"
    version = "1"

    def __init__(self, space: Space, goal: Goal, seed: int, *, points: Sequence[Values]) -> None:
        if not points:
            raise ValueError("BATCH needs at least one point")
        for number, point in enumerate(points):
            if not space.contains(point):
                raise ValueError(f"point {number} is not of the space: {dict(point)}")
        self._space = space
        # Of points that are listed twice the first is enough.
        self._points = {space.key(point): {n: point[n] for n in space.names} for point in points}
        self._keys = Derived(
            lambda _, trial: space.key(trial.values) if space.contains(trial.values) else None
        )

    def suggest(
        self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], count: int
    ) -> list[dict[str, Value]]:
        """See `Suggester.suggest`; fewer than `count` points when the list ends, then none."""
        space = self._space
        tried = {key for key in self._keys(history) if key is not None}
        tried |= {space.key(trial.values) for trial in pending if space.contains(trial.values)}
        return [dict(point) for key, point in self._points.items() if key not in tried][:count]


class InitialFirst:
    """Some points first, then another algorithm's, which learns from those like from any other."""

    def __init__(self, first: BatchSearch, then: Suggester) -> None:
        self._first = first
        self._then = then

    @property
    def algorithm(self) -> str:
        return self._then.algorithm

    @property
    def version(self) -> str:
        return self._then.version

    def suggest(
        self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], count: int
    ) -> list[dict[str, Value]]:
        """See `Suggester.suggest`."""
        points = self._first.suggest(history, pending, count)
        if len(points) == count:
            return points
        # The numbers of pending trials name them and mean nothing else.
        believed = [*pending, *(PendingTrial(-1, point) for point in points)]
        return [*points, *self._then.suggest(history, believed, count - len(points))]
