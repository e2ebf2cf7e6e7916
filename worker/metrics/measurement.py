"""Measurement: one value of the objective metric, as a trial reported it."""

from dataclasses import dataclass
from math import isfinite

_STEP_MIN = -(2**63)
_STEP_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Measurement:
    """One reported value.

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

    def __init__(self, step: int, value: float, wall_time: float, source: int) -> None:
        # As the generated one, at half its cost: a file read anew makes these by the hundred thousand.
        _set_step(self, step)
        _set_value(self, value)
        _set_wall_time(self, wall_time)
        _set_source(self, source)


# The slots' own setters, which a frozen class leaves open to its constructor.
_set_step, _set_value, _set_wall_time, _set_source = (
    vars(Measurement)[name].__set__ for name in Measurement.__slots__
)


def clamp_step(step: int) -> int:
    """Bring a step of any size to the nearest signed 64-bit integer."""
    return max(_STEP_MIN, min(_STEP_MAX, step))


def known_time(wall_time: float) -> float:
    """Replace a wall time that is not finite by 0.0, which stands for unknown."""
    return wall_time if isfinite(wall_time) else 0.0
