"""Measurement: one value of the objective metric, as a trial reported it."""

from math import isfinite
from typing import NamedTuple

_STEP_MIN = -(2**63)
_STEP_MAX = 2**63 - 1


class Measurement(NamedTuple):
    """One reported value. A tuple, since a file read anew makes these by the hundred thousand.

    Attributes:
        step: the trainer's own step, a signed 64-bit integer; it may be negative and may go back.
        value: the metric; may be nan or infinite, which is kept as such and never ranked.
        wall_time: when it was reported, in seconds since the epoch; finite, 0.0 when unknown.
        source: which file it came from, as numbered by the cursor that was read with.
    """

    step: int
    value: float
    wall_time: float
    source: int


def clamp_step(step: int) -> int:
    """Bring a step of any size to the nearest signed 64-bit integer."""
    return max(_STEP_MIN, min(_STEP_MAX, step))


def known_time(wall_time: float) -> float:
    """Replace a wall time that is not finite by 0.0, which stands for unknown."""
    return wall_time if isfinite(wall_time) else 0.0
