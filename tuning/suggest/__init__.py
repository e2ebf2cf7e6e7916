"""Suggesters: which points to try next. One algorithm a file, all behind `protocol.Suggester`."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from inspect import signature
from types import MappingProxyType
from typing import Any

from tuning.rules import RuledSpace
from tuning.space import Space, Values
from tuning.suggest.active_parts import ActiveParts
from tuning.suggest.protocol import Suggester
from tuning.trials import Goal

__all__ = ["ALGORITHMS", "Suggester", "make_suggester"]

ALGORITHMS: Mapping[str, str] = {
    "DEFAULT": "tuning.suggest.bayesian:GaussianProcessSearch",
    "ALGORITHM_UNSPECIFIED": "tuning.suggest.bayesian:GaussianProcessSearch",
    "ANNEAL": "tuning.suggest.anneal:Anneal",
    "BATCH": "tuning.suggest.batch_search:BatchSearch",
    "CMA_ES": "tuning.suggest.cma_es:CmaEs",
    "EVOLUTION": "tuning.suggest.evolution:Evolution",
    "GAUSSIAN_PROCESS": "tuning.suggest.bayesian:GaussianProcessSearch",
    "GRID_SEARCH": "tuning.suggest.grid_search:GridSearch",
    "LOCAL": "tuning.suggest.local_search:LocalSearch",
    "QUASI_RANDOM": "tuning.suggest.quasi_random:QuasiRandomSearch",
    "RANDOM_SEARCH": "tuning.suggest.random_search:RandomSearch",
    "TPE": "tuning.suggest.tpe:TPE",
}
"""Where each algorithm is; only the one that is asked for is loaded, since some need large libraries.

Each is called with a space, a goal, a seed, and arguments of its own by name.
"""
PLUGGED_IN = "vernier.suggesters"
"""The group of entry points at which packages offer algorithms of their own, made in the same way."""
_NO_ARGUMENTS: Mapping[str, Any] = MappingProxyType({})


def make_suggester(
    algorithm: str,
    space: Space,
    goal: Goal,
    seed: int,
    arguments: Mapping[str, Any] = _NO_ARGUMENTS,
    initial: Sequence[Values] = (),
) -> Suggester:
    """Make the suggester of that name.

    Args:
        algorithm: one of ALGORITHMS, or of those that are plugged in, in any case, with `-` or `_`.
        space: what is searched.
        goal: which objectives are better; its name will do.
        seed: any whole number from 0 up.
        arguments: the algorithm's own, by name.
        initial: points to try before any other; for BATCH, all that there are.

    Raises:
        ValueError: when a name is unknown, the seed is negative, an argument is not one of the algorithm's
            or out of its range, an initial point is not of the space, or the algorithm cannot search the
            space (a grid over a continuous parameter).
    """
    if seed < 0:
        raise ValueError(f"a seed is a whole number from 0 up, not {seed}")
    algorithm, goal = _as_a_name(algorithm), Goal(goal)
    make = _load(algorithm)
    if isinstance(space, RuledSpace):
        for number, point in enumerate(initial):
            if not space.contains(point):
                raise ValueError(f"point {number} is not of the space: {dict(point)}")
        whole = [space.filled(point) for point in initial]
        return ActiveParts(make_suggester(algorithm, space.whole, goal, seed, arguments, whole), space, seed)
    if algorithm == "BATCH":
        arguments = {"points": initial, **arguments}
    try:
        suggester: Suggester = make(space, goal, seed, **arguments)
    except TypeError as error:
        known = [name for name, each in signature(make).parameters.items() if each.kind is each.KEYWORD_ONLY]
        raise ValueError(f"{algorithm}: {error}; its arguments: {', '.join(known) or 'none'}") from error
    if initial and algorithm != "BATCH":
        from tuning.suggest.batch_search import BatchSearch, InitialFirst

        return InitialFirst(BatchSearch(space, goal, seed, points=initial), suggester)
    return suggester


def _load(algorithm: str) -> Any:
    """What makes the suggester of that name.

    Raises:
        ValueError: it is unknown.
    """
    if algorithm in ALGORITHMS:
        module, _, name = ALGORITHMS[algorithm].partition(":")
        return getattr(import_module(module), name)
    plugged_in = {_as_a_name(point.name): point for point in entry_points(group=PLUGGED_IN)}
    if algorithm not in plugged_in:
        known = ", ".join([*ALGORITHMS, *sorted(plugged_in)])
        raise ValueError(f"unknown algorithm {algorithm!r}; known are {known}")
    return plugged_in[algorithm].load()


def _as_a_name(told: str) -> str:
    return told.strip().upper().replace("-", "_")
