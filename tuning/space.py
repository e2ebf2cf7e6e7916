"""The search space: an ordered set of parameters, and its points.

A point is a mapping from every parameter's name to a value. Three views of it serve different readers:
values for trainers, unit coordinates for models, and, where the space is finite, a position in the grid.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeAlias

from tuning.parameters import Categorical, Discrete, Double, Integer, Parameter, Value
from tuning.scale import Scale

__all__ = ["Categorical", "Discrete", "Double", "Integer", "Parameter", "Scale", "Space", "Value", "Values"]

Values: TypeAlias = Mapping[str, Value]


@dataclass(frozen=True)
class Space:
    """The product of its parameters' ranges.

    Raises:
        ValueError: when there is no parameter, or two share a name.
    """

    parameters: tuple[Parameter, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", tuple(self.parameters))
        if not self.parameters:
            raise ValueError("a search space needs at least one parameter")
        seen: set[str] = set()
        for name in self.names:
            if name in seen:
                raise ValueError(f"parameter {name!r} is given twice")
            seen.add(name)

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, in order."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def size(self) -> int | None:
        """How many points there are; None when a parameter is continuous."""
        sizes = [parameter.size for parameter in self.parameters]
        finite = [size for size in sizes if size is not None]
        return prod(finite) if len(finite) == len(sizes) else None

    def contains(self, values: Values) -> bool:
        """Whether `values` names every parameter, nothing else, and stays in every range."""
        return len(values) == len(self.parameters) and all(
            parameter.name in values and parameter.contains(values[parameter.name])
            for parameter in self.parameters
        )

    def settled(self, values: Values) -> Values:
        """The point that these values stand for: themselves, but in a `tuning.rules.WholeSpace`."""
        return values

    def forbids(self, values: Values) -> bool:
        """Whether a rule forbids the point; `tuning.rules` has spaces with some."""
        return False

    def key(self, values: Values) -> tuple[Hashable, ...]:
        """The identity of a point: equal for equal points, whatever the order of the mapping.

        Raises:
            KeyError: when a parameter is missing.
        """
        return tuple(values[parameter.name] for parameter in self.parameters)

    def to_unit(self, values: Values) -> list[float]:
        """The point's coordinates in the unit cube, in the order of the parameters.

        Raises:
            KeyError: when a parameter is missing.
            ValueError: when a value lies outside its range.
        """
        return [parameter.to_unit(values[parameter.name]) for parameter in self.parameters]

    def from_unit(self, unit: Sequence[float]) -> dict[str, Value]:
        """The point at coordinates in [0, 1], one for each parameter in order.

        Raises:
            ValueError: when a coordinate lies outside [0, 1], or their number is wrong.
        """
        return {p.name: p.from_unit(u) for p, u in zip(self.parameters, unit, strict=True)}

    def draw(self, unit: Sequence[float]) -> dict[str, Value]:
        """The point that uniform draws in [0, 1) pick: even in scaled space, whole numbers included.

        Raises:
            ValueError: when the number of draws is wrong.
        """
        return {p.name: p.draw(u) for p, u in zip(self.parameters, unit, strict=True)}

    def at(self, position: int) -> dict[str, Value]:
        """The grid point at `position`, in [0, size): mixed radix, the first parameter turning fastest.

        Raises:
            IndexError: when the grid ends before `position`.
            ValueError: when a parameter is continuous.
        """
        point: dict[str, Value] = {}
        for parameter in self.parameters:
            # A continuous parameter has no radix; its own `at` says so.
            position, digit = divmod(position, parameter.size or 1)
            point[parameter.name] = parameter.at(digit)
        if position:
            raise IndexError("the grid ends before this position")
        return point

    def position(self, values: Values) -> int:
        """Where in the grid the point stands; the inverse of `at`.

        Raises:
            KeyError: when a parameter is missing.
            ValueError: when a value lies outside its range, or a parameter is continuous.
        """
        position = 0
        for parameter in reversed(self.parameters):
            position = position * (parameter.size or 1) + parameter.position(values[parameter.name])
        return position
