"""Suggesters: which points to try next. One algorithm a file, all behind `protocol.Suggester`."""

from collections.abc import Callable

from tuning.space import Space
from tuning.suggest.bayesian import GaussianProcessSearch
from tuning.suggest.grid_search import GridSearch
from tuning.suggest.protocol import Suggester
from tuning.suggest.random_search import RandomSearch
from tuning.suggest.tpe import TPE
from tuning.trials import Goal

__all__ = ["ALGORITHMS", "Suggester", "make_suggester"]

ALGORITHMS: dict[str, Callable[[Space, Goal, int], Suggester]] = {
    "DEFAULT": GaussianProcessSearch,
    "ALGORITHM_UNSPECIFIED": GaussianProcessSearch,
    "GAUSSIAN_PROCESS": GaussianProcessSearch,
    "GRID_SEARCH": lambda space, goal, seed: GridSearch(space),
    "RANDOM_SEARCH": lambda space, goal, seed: RandomSearch(space, seed),
    "TPE": TPE,
}


def make_suggester(algorithm: str, space: Space, goal: Goal, seed: int) -> Suggester:
    """Make the suggester of that name; `seed` is any whole number from 0 up.

    Raises:
        ValueError: when the name is unknown, the seed is negative, or the algorithm cannot search the space
            (a grid over a continuous parameter).
    """
    if algorithm not in ALGORITHMS:
        raise ValueError(f"unknown algorithm {algorithm!r}; known are {', '.join(ALGORITHMS)}")
    if seed < 0:
        raise ValueError(f"a seed is a whole number from 0 up, not {seed}")
    return ALGORITHMS[algorithm](space, goal, seed)
