"""The four kinds of parameter: Double, Integer, Discrete and Categorical.

All share one interface:

* `size`                       how many values there are; None for a continuous range
* `contains(value)`            whether the value is one of them, of the right type
* `to_unit(v)`, `from_unit(u)` the map to and from [0, 1]; for ranges by docs/contract.md 6.2
* `draw(u)`                    the value that a uniform draw u in [0, 1) picks
* `at(i)`, `position(v)`       the i-th value in order, and back; for parameters with a size

`draw` differs from `from_unit` for Integer alone. Rounding halves the reach of the two end values, so of
three layers the first would be drawn one time in four; `draw` gives each whole number a cell of its own.
"""

from bisect import bisect_left
from dataclasses import dataclass
from math import exp, floor, isfinite, log
from typing import TypeAlias, TypeGuard

from tuning.scale import Scale, check_range, clamp, from_unit, to_unit

Value: TypeAlias = int | float | str

MAX_INTEGER = 2**53
"""Beyond this magnitude a double, the wire's number, no longer holds every whole number."""


@dataclass(frozen=True, slots=True)
class Double:
    """A real number in [low, high], both included.

    Raises:
        ValueError: see `tuning.scale.check_range`.
    """

    name: str
    low: float
    high: float
    scale: Scale = Scale.NONE

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", Scale(self.scale))
        check_range(self.name, self.low, self.high, self.scale)

    @property
    def size(self) -> int | None:
        return 1 if self.low == self.high else None

    def contains(self, value: Value) -> bool:
        return _is_number(value) and self.low <= value <= self.high

    def to_unit(self, value: Value) -> float:
        return to_unit(self.scale, self.low, self.high, _number(self, value))

    def from_unit(self, u: float) -> float:
        return from_unit(self.scale, self.low, self.high, u)

    def draw(self, u: float) -> float:
        return self.from_unit(u)

    def at(self, position: int) -> float:
        if self.size is None:
            raise ValueError(f"parameter {self.name!r}: a continuous range has no {position}-th value")
        return float((self.low,)[position])

    def position(self, value: Value) -> int:
        if self.size is None:
            raise ValueError(f"parameter {self.name!r}: the values of a continuous range have no position")
        return (self.low,).index(_number(self, value))


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number in [low, high], both included; a bound reaches at most 2**53 either way.

    Raises:
        ValueError: when a bound is not whole or too large, or as `tuning.scale.check_range`.
    """

    name: str
    low: int
    high: int
    scale: Scale = Scale.NONE

    def __post_init__(self) -> None:
        for bound in (self.low, self.high):
            if isinstance(bound, bool) or not isinstance(bound, int) or abs(bound) > MAX_INTEGER:
                raise ValueError(f"parameter {self.name!r}: {bound!r} is not a whole number within ±2**53")
        object.__setattr__(self, "scale", Scale(self.scale))
        check_range(self.name, self.low, self.high, self.scale)

    @property
    def size(self) -> int:
        return self.high - self.low + 1

    def contains(self, value: Value) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high

    def to_unit(self, value: Value) -> float:
        return to_unit(self.scale, self.low, self.high, _number(self, value))

    def from_unit(self, u: float) -> int:
        return self._round(from_unit(self.scale, self.low, self.high, u))

    def draw(self, u: float) -> int:
        if self.scale is Scale.UNIT_REVERSE_LOG_SCALE:
            return self.low + self.high - self._draw_log(1.0 - u)
        if self.scale is Scale.UNIT_LOG_SCALE:
            return self._draw_log(u)
        return self.at(min(floor(u * self.size), self.size - 1))

    def at(self, position: int) -> int:
        return range(self.low, self.high + 1)[position]

    def position(self, value: Value) -> int:
        return int(_number(self, value)) - self.low

    def _draw_log(self, u: float) -> int:
        bottom, top = log(self.low - 0.5), log(self.high + 0.5)
        return self._round(exp(bottom + u * (top - bottom)))

    def _round(self, x: float) -> int:
        return int(clamp(round(x), self.low, self.high))


@dataclass(frozen=True, slots=True)
class Discrete:
    """One of several numbers, which have an order but no distances.

    Values are usually listed already spaced as their author means them (32, 64, 128), so each takes an equal
    cell of the unit interval. `scale` is kept because clients send it, and changes nothing.

    Raises:
        ValueError: when there are no values, one is not finite, or they do not strictly increase.
    """

    name: str
    values: tuple[float, ...]
    scale: Scale = Scale.NONE

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(float(value) for value in self.values))
        if not self.values:
            raise ValueError(f"parameter {self.name!r}: needs at least one value")
        if not all(isfinite(value) for value in self.values):
            raise ValueError(f"parameter {self.name!r}: values must be finite")
        if any(left >= right for left, right in zip(self.values, self.values[1:], strict=False)):
            raise ValueError(f"parameter {self.name!r}: values must strictly increase")

    @property
    def size(self) -> int:
        return len(self.values)

    def contains(self, value: Value) -> bool:
        return _is_number(value) and value in self.values

    def to_unit(self, value: Value) -> float:
        return (self.position(value) + 0.5) / self.size

    def from_unit(self, u: float) -> float:
        return self.values[_cell(u, self.size)]

    def draw(self, u: float) -> float:
        return self.from_unit(u)

    def at(self, position: int) -> float:
        return self.values[position]

    def position(self, value: Value) -> int:
        return bisect_left(self.values, _number(self, value))


@dataclass(frozen=True, slots=True)
class Categorical:
    """One of several names, in no order; each takes an equal cell of the unit interval.

    Raises:
        ValueError: when there are no categories, they are one text, or one appears twice.
    """

    name: str
    categories: tuple[str, ...]

    def __post_init__(self) -> None:
        if isinstance(self.categories, str):
            raise ValueError(f"parameter {self.name!r}: categories are a list, as [{self.categories!r}]")
        object.__setattr__(self, "categories", tuple(self.categories))
        if not self.categories:
            raise ValueError(f"parameter {self.name!r}: needs at least one category")
        if len(set(self.categories)) < len(self.categories):
            raise ValueError(f"parameter {self.name!r}: a category appears twice")

    @property
    def size(self) -> int:
        return len(self.categories)

    def contains(self, value: Value) -> bool:
        return isinstance(value, str) and value in self.categories

    def to_unit(self, value: Value) -> float:
        return (self.position(value) + 0.5) / self.size

    def from_unit(self, u: float) -> str:
        return self.categories[_cell(u, self.size)]

    def draw(self, u: float) -> str:
        return self.from_unit(u)

    def at(self, position: int) -> str:
        return self.categories[position]

    def position(self, value: Value) -> int:
        if not isinstance(value, str) or value not in self.categories:
            raise _not_a_value(self, value)
        return self.categories.index(value)


Parameter: TypeAlias = Double | Integer | Discrete | Categorical


def _cell(u: float, cells: int) -> int:
    """Which of `cells` equal parts of [0, 1] holds u; the last one includes 1."""
    if not 0.0 <= u <= 1.0:
        raise ValueError(f"a unit value lies between 0 and 1, not {u}")
    return min(floor(u * cells), cells - 1)


def _is_number(value: Value) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(parameter: Double | Integer | Discrete, value: Value) -> float:
    if isinstance(value, str) or not parameter.contains(value):
        raise _not_a_value(parameter, value)
    return value


def _not_a_value(parameter: Parameter, value: Value) -> ValueError:
    return ValueError(f"parameter {parameter.name!r} cannot be {value!r}")
