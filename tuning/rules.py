"""Spaces with rules: parameters that matter only sometimes, and combinations that may not be.

A point of such a space names the parameters that are active in it, and no others. Algorithms need not know:
they search the whole space, where every parameter has a value and those that are not active rest at one of
their own (`WholeSpace`); `tuning/suggest/active_parts.py` translates.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

from tuning.parameters import Value
from tuning.space import Space, Values

COUNTED = 10_000
"""A whole space of up to so many points is gone through, to know which of them the rules leave."""


@dataclass(frozen=True)
class Condition:
    """Whether a parameter has one of some values, or a number from `low` to `high`, both included.

    It does not hold of a parameter that is not active.

    Raises:
        ValueError: there are neither values nor bounds, or both.
    """

    name: str
    values: tuple[Value, ...] = ()
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if bool(self.values) == (self.low is not None or self.high is not None):
            raise ValueError(f"a condition on {self.name!r} has either values or bounds")

    def holds(self, values: Values) -> bool:
        """Whether it holds of a point."""
        value = values.get(self.name)
        if value is None:
            return False
        if self.values:
            return value in self.values
        if isinstance(value, str):
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


@dataclass(frozen=True)
class RuledSpace(Space):
    """A space with rules.

    Attributes:
        conditions: by the name of a parameter, what must hold, all of it, for the parameter to be active.
            They are about parameters that stand before it.
        forbidden: combinations: a point of which all conditions of one hold is none of the space.

    Raises:
        ValueError: as `Space`; or a condition is about a parameter that is not there, or not before its own,
            or asks for a value that it can't have.
    """

    conditions: Mapping[str, tuple[Condition, ...]]
    forbidden: tuple[tuple[Condition, ...], ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        places = {name: place for place, name in enumerate(self.names)}
        for name, conditions in self.conditions.items():
            for condition in conditions:
                if name not in places or places.get(condition.name, len(places)) >= places[name]:
                    raise ValueError(f"{condition.name!r} does not stand before {name!r}")
                self._check(condition)
        for combination in self.forbidden:
            if not combination or any(condition.name not in places for condition in combination):
                raise ValueError("a forbidden combination has conditions on parameters of the space")
            for condition in combination:
                self._check(condition)

    def _check(self, condition: Condition) -> None:
        parameter = next(each for each in self.parameters if each.name == condition.name)
        for value in condition.values:
            if not parameter.contains(value):
                raise ValueError(f"a condition on {condition.name!r} asks for {value!r}, which it can't be")

    def active(self, values: Values) -> dict[str, Value]:
        """The part of a whole point that is active: those of its values that its other values call for."""
        part: dict[str, Value] = {}
        for name in self.names:
            if all(condition.holds(part) for condition in self.conditions.get(name, ())):
                part[name] = values[name]
        return part

    def filled(self, values: Values) -> dict[str, Value]:
        """The whole point of an active part."""
        return {p.name: values[p.name] if p.name in values else p.from_unit(0.5) for p in self.parameters}

    def forbids(self, values: Values) -> bool:
        return any(all(condition.holds(values) for condition in each) for each in self.forbidden)

    def contains(self, values: Values) -> bool:
        """Whether `values` names the active parameters and no others, each in its range, and is allowed."""
        if any(name not in self.names for name in values):
            return False
        whole = self.filled(values)
        if not Space(self.parameters).contains(whole):
            return False
        return self.active(whole).keys() == values.keys() and not self.forbids(values)

    def key(self, values: Values) -> tuple[Hashable, ...]:
        return tuple(values.get(name) for name in self.names)

    def draw(self, unit: Sequence[float]) -> dict[str, Value]:
        """The active part of what the draws pick, which may be forbidden."""
        return self.active(super().draw(unit))

    def from_unit(self, unit: Sequence[float]) -> dict[str, Value]:
        return self.active(super().from_unit(unit))

    def to_unit(self, values: Values) -> list[float]:
        return super().to_unit(self.filled(values))

    @property
    def size(self) -> int | None:
        return self.whole.size

    def at(self, position: int) -> dict[str, Value]:
        return self.active(self.whole.at(position))

    def position(self, values: Values) -> int:
        return self.whole.position(self.filled(values))

    @cached_property
    def whole(self) -> "WholeSpace":
        """The space that algorithms search."""
        return WholeSpace(self.parameters, self)


@dataclass(frozen=True)
class WholeSpace(Space):
    """The whole points of a space with rules: those that are not active rest at one value.

    `size`, `at` and `position` count the points that are allowed, if they can be counted (`COUNTED`).
    """

    ruled: RuledSpace

    def settled(self, values: Values) -> dict[str, Value]:
        return self.ruled.filled(self.ruled.active(values))

    def forbids(self, values: Values) -> bool:
        return bool(self.ruled.forbidden) and self.ruled.forbids(self.ruled.active(values))

    def contains(self, values: Values) -> bool:
        return super().contains(values) and self.settled(values) == values and not self.forbids(values)

    def draw(self, unit: Sequence[float]) -> dict[str, Value]:
        return self.settled(super().draw(unit))

    def from_unit(self, unit: Sequence[float]) -> dict[str, Value]:
        return self.settled(super().from_unit(unit))

    @property
    def size(self) -> int | None:
        return None if self._allowed is None else len(self._allowed)

    def at(self, position: int) -> dict[str, Value]:
        if self._allowed is None:
            raise ValueError("the points of this space are not counted")
        return dict(self._allowed[position])

    def position(self, values: Values) -> int:
        return self._positions[self.key(values)]

    @cached_property
    def _allowed(self) -> Sequence[dict[str, Value]] | None:
        sizes = [parameter.size for parameter in self.parameters]
        count = prod(size or 0 for size in sizes)
        if None in sizes or count > COUNTED:
            return None
        return [point for point in self._grid(count) if self.contains(point)]

    @cached_property
    def _positions(self) -> dict[tuple[Hashable, ...], int]:
        return {self.key(point): position for position, point in enumerate(self._allowed or ())}

    def _grid(self, count: int) -> Iterator[dict[str, Value]]:
        for position in range(count):
            yield super().at(position)
