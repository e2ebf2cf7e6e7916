"""Random points that have not been tried."""

from collections.abc import Set
from typing import Any

import numpy as np

from tuning.space import Space, Value
from tuning.suggest.randomness import draw_point, uniforms

_DRAWS = 32
"""Draws to spend before counting what is left; with 9 points in 10 tried, 29 searches of 30 succeed."""

_PATIENT_DRAWS = 4096
"""Draws for a point that is allowed, where nothing else is asked of it."""


def is_exhausted(space: Space, tried: Set[Any]) -> bool:
    """Whether every point of the space is among `tried`, a set of points' keys, all of this space."""
    return space.size is not None and len(tried) >= space.size


def draw_untried(space: Space, source: np.random.SeedSequence, tried: Set[Any]) -> dict[str, Value]:
    """Draw a point, uniform in scaled space, that is not among `tried`.

    It is none that the space forbids, if one that is allowed can be found.

    Once nothing is left to try, points repeat: a job gets all the trials it asked for, and the repeats
    tell how noisy the objective is.

    Args:
        space: where to draw.
        source: the randomness; the same source and `tried` give the same point.
        tried: the keys of the points not to draw, all of this space.
    """
    if not is_exhausted(space, tried):
        for unit in uniforms(source, _DRAWS, space):
            point = space.draw(unit)
            if space.key(point) not in tried and not space.forbids(point):
                return point
        if space.size is not None:
            return _untried_by_rank(space, space.size, source, tried)
    # A continuous range of a few neighbouring doubles can run out too, and ends up here.
    point = draw_point(space, source)
    if space.forbids(point):
        allowed = (space.draw(unit) for unit in uniforms(source, _PATIENT_DRAWS, space))
        point = next((each for each in allowed if not space.forbids(each)), point)
    return point


def _untried_by_rank(
    space: Space, size: int, source: np.random.SeedSequence, tried: Set[Any]
) -> dict[str, Value]:
    """Draw evenly among the points left, in the memory of those tried: pick a rank, then step over them."""
    # An integer draw ends at 63 bits; a space so large that this matters always has points left below.
    left = min(size - len(tried), 2**62)
    position = int(np.random.default_rng(source).integers(left))
    for taken in sorted(space.position(dict(zip(space.names, key, strict=True))) for key in tried):
        if taken > position:
            break
        position += 1
    return space.at(position)
