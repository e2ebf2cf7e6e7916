"""The four scales that map a numeric range onto the unit interval (docs/contract.md 6.2).

With x in [low, high] and u in [0, 1]:

    NONE, UNIT_LINEAR_SCALE     u = (x - low) / (high - low)
    UNIT_LOG_SCALE              u = (ln x - ln low) / (ln high - ln low)
    UNIT_REVERSE_LOG_SCALE      u = 1 - (ln(low + high - x) - ln low) / (ln high - ln low)

The log scale spreads points near the bottom of the range, the reverse log scale near its top. NONE is drawn
like UNIT_LINEAR_SCALE. A range of one point maps to 0.5.
"""

from enum import StrEnum
from math import exp, isfinite, log


class Scale(StrEnum):
    """How a numeric parameter's range is stretched before it is searched; the names of the wire."""

    NONE = "NONE"
    UNIT_LINEAR_SCALE = "UNIT_LINEAR_SCALE"
    UNIT_LOG_SCALE = "UNIT_LOG_SCALE"
    UNIT_REVERSE_LOG_SCALE = "UNIT_REVERSE_LOG_SCALE"

    @property
    def is_logarithmic(self) -> bool:
        """Whether the scale takes logarithms, and so needs a range above zero."""
        return self in (Scale.UNIT_LOG_SCALE, Scale.UNIT_REVERSE_LOG_SCALE)


def check_range(name: str, low: float, high: float, scale: Scale) -> None:
    """Check that `scale` is defined on [low, high].

    Raises:
        ValueError: naming the parameter, when a bound is not finite, the bounds are out of order, the range
            is too wide for a double, or a logarithmic scale meets a bound that is not above zero.
    """
    if not (isfinite(low) and isfinite(high)):
        raise ValueError(f"parameter {name!r}: bounds must be finite, not {low} and {high}")
    if low > high:
        raise ValueError(f"parameter {name!r}: the lower bound {low} is above the upper bound {high}")
    if not (isfinite(high - low) and isfinite(high + low)):
        raise ValueError(f"parameter {name!r}: the range {low} to {high} is too wide for a double")
    if scale.is_logarithmic and low <= 0:
        raise ValueError(f"parameter {name!r}: {scale} needs a lower bound above 0, not {low}")


def to_unit(scale: Scale, low: float, high: float, x: float) -> float:
    """Map x in [low, high] to [0, 1]; the range has passed `check_range`."""
    if scale is Scale.UNIT_REVERSE_LOG_SCALE:
        # Written as (high - x) + low, so that x == high gives low exactly, however small low is.
        return 1.0 - to_unit(Scale.UNIT_LOG_SCALE, low, high, clamp((high - x) + low, low, high))
    if scale is Scale.UNIT_LOG_SCALE:
        low, high, x = log(low), log(high), log(x)
    # Distinct bounds may share a logarithm when they are neighbouring doubles.
    return 0.5 if low == high else clamp((x - low) / (high - low), 0.0, 1.0)


def from_unit(scale: Scale, low: float, high: float, u: float) -> float:
    """Map u in [0, 1] to [low, high]; clamped, so rounding never leaves the range.

    Raises:
        ValueError: when u lies outside [0, 1] or is NaN.
    """
    if not 0.0 <= u <= 1.0:
        raise ValueError(f"a unit value lies between 0 and 1, not {u}")
    if scale is Scale.UNIT_REVERSE_LOG_SCALE:
        x = high - (from_unit(Scale.UNIT_LOG_SCALE, low, high, 1.0 - u) - low)
    elif scale is Scale.UNIT_LOG_SCALE:
        x = exp(log(low) + u * (log(high) - log(low)))
    else:
        x = low + u * (high - low)
    return clamp(x, low, high)


def clamp(x: float, low: float, high: float) -> float:
    """The point of [low, high] nearest to x."""
    return min(max(x, low), high)
