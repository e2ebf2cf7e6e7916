"""Suggesters: which points to try next. One algorithm a file, all behind `protocol.Suggester`."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from tuning.space import Space
from tuning.suggest.protocol import Suggester
from tuning.trials import Goal

__all__ = ["ALGORITHMS", "Suggester", "make_suggester"]

ALGORITHMS: Mapping[str, str] = {
    "DEFAULT": "tuning.suggest.bayesian:GaussianProcessSearch",
    "ALGORITHM_UNSPECIFIED": "tuning.suggest.bayesian:GaussianProcessSearch",
    "GAUSSIAN_PROCESS": "tuning.suggest.bayesian:GaussianProcessSearch",
    "GRID_SEARCH": "tuning.suggest.grid_search:GridSearch",
    "QUASI_RANDOM": "tuning.suggest.quasi_random:QuasiRandomSearch",
    "RANDOM_SEARCH": "tuning.suggest.random_search:RandomSearch",
    "TPE": "tuning.suggest.tpe:TPE",
}
"""Where each algorithm is; only the one that is asked for is loaded, since some need large libraries."""


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
    suggester: Suggester = _load(ALGORITHMS[algorithm])(space, goal, seed)
    return suggester


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
