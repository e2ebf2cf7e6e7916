"""Grid search: every point of a finite space once, in a fixed order (docs/contract.md 6.1)."""

from collections.abc import Sequence
from itertools import count as count_from
from itertools import islice

from tuning.space import Space, Value
from tuning.suggest.derived import Derived
from tuning.trials import FinishedTrial, Goal, PendingTrial


class GridSearch:
    """Counts through the space in mixed radix, the first parameter turning fastest, and then ends.

    A point whose trial failed is not tried again. Memory and time follow the trials, not the grid.

    Raises:
        ValueError: naming a continuous parameter; a DOUBLE whose bounds are equal is one point, and allowed.
    """

    algorithm = "GRID_SEARCH"
    version = "1"

    def __init__(self, space: Space, goal: Goal, seed: int) -> None:
        for parameter in space.parameters:
            if parameter.size is None:
                raise ValueError(
                    f"parameter {parameter.name!r}: a grid needs INTEGER, DISCRETE or CATEGORICAL, not DOUBLE"
                )
        if space.size is None:
            raise ValueError("the grid has too many points to know which of them its rules allow")
        self._space = space
        self._size = space.size
        self._positions: Derived[int | None] = Derived(
            lambda _, trial: space.position(trial.values) if space.contains(trial.values) else None
        )

    def suggest(
        self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], count: int
    ) -> list[dict[str, Value]]:
        """See `Suggester.suggest`; fewer than `count` points when the grid ends, then none."""
        space = self._space
        tried = {position for position in self._positions(history) if position is not None}
        tried |= {space.position(trial.values) for trial in pending if space.contains(trial.values)}
        left = min(count, self._size - len(tried))
        untried = (position for position in count_from() if position not in tried)
        return [space.at(position) for position in islice(untried, left)]
