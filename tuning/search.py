"""What a search is, told in full: from it the same suggester can be made anywhere, at any time."""

from dataclasses import dataclass

from tuning.space import Space
from tuning.suggest import Suggester, make_suggester
from tuning.trials import Goal


@dataclass(frozen=True)
class Search:
    """An algorithm over a space, for a goal, from a seed; see `make_suggester`."""

    algorithm: str
    space: Space
    goal: Goal
    seed: int

    def make(self) -> Suggester:
        """A new suggester of this search.

        Raises:
            ValueError: see `make_suggester`.
        """
        return make_suggester(self.algorithm, self.space, self.goal, self.seed)
