"""What a search is, told in full: from it the same suggester can be made anywhere, at any time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tuning.space import Space, Values
from tuning.suggest import Suggester, make_suggester
from tuning.trials import Goal


@dataclass(frozen=True)
class Search:
    """An algorithm over a space, for a goal, from a seed; see `make_suggester`."""

    algorithm: str
    space: Space
    goal: Goal
    seed: int
    arguments: Mapping[str, Any] = field(default_factory=dict)
    initial: Sequence[Values] = ()

    def make(self) -> Suggester:
        """A new suggester of this search.

        Raises:
            ValueError: see `make_suggester`.
        """
        return make_suggester(self.algorithm, self.space, self.goal, self.seed, self.arguments, self.initial)
