"""Points of a space as rows of numbers, for a model whose distances are those of the space.

A row has one number for each parameter:

    Double, Integer   its place in [0, 1] on its own scale; an Integer's always that of a whole number
    Discrete          its position among its values, spread evenly over [0, 1]: an order without distances
    Categorical       its position among its categories, which is compared and never measured
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from tuning.scale import clamp
from tuning.space import Categorical, Discrete, Double, Integer, Parameter, Space, Value, Values

Array: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
Mask: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]

_MANY = 50
"""An Integer of more values is searched like a Double and rounded, then moved to near whole numbers."""
_FEW = 16
"""Up to so many values, all of a parameter's values are looked at; of more, near and far ones."""


class Features:
    """The rows of one space. Parameters with a single value have no column."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self.parameters = tuple(p for p in space.parameters if p.size != 1)
        self.is_category: Mask = np.array([isinstance(p, Categorical) for p in self.parameters], dtype=bool)
        self.is_double: Mask = np.array([isinstance(p, Double) for p in self.parameters], dtype=bool)
        self.is_smooth: Mask = np.array([_is_smooth(p) for p in self.parameters], dtype=bool)

    def row(self, values: Values) -> list[float]:
        """The row of a point."""
        return [_number(parameter, values[parameter.name]) for parameter in self.parameters]

    def rows(self, units: Sequence[Sequence[float]]) -> Array:
        """The rows of the points that uniform draws in [0, 1) pick, one for each of `parameters`."""
        table = np.array(units, dtype=float).reshape(len(units), len(self.parameters))
        for column, parameter in enumerate(self.parameters):
            if not isinstance(parameter, Double):
                table[:, column] = [_number(parameter, parameter.draw(u)) for u in table[:, column].tolist()]
        return table

    def rounded(self, rows: Array) -> Array:
        """The rows whose numbers are those of values; only Integers that are searched like Doubles change."""
        exact = rows.copy()
        for column in np.flatnonzero(self.is_smooth & ~self.is_double):
            parameter = self.parameters[column]
            exact[:, column] = [parameter.to_unit(parameter.from_unit(u)) for u in rows[:, column].tolist()]
        return exact

    def point(self, row: Sequence[float]) -> dict[str, Value]:
        """The point of a row; its numbers need not be exact."""
        values = {p.name: _value(p, number) for p, number in zip(self.parameters, row, strict=True)}
        return {p.name: values[p.name] if p.name in values else p.at(0) for p in self._space.parameters}

    def alternatives(self, column: int, number: float) -> list[float]:
        """Other values of a parameter that is no Double, as numbers: all of them, or near and far ones."""
        parameter = self.parameters[column]
        size, here = parameter.size or 1, parameter.position(_value(parameter, number))
        if size <= _FEW or isinstance(parameter, Categorical):
            positions = set(range(size))
        else:
            steps = (1,) if self.is_smooth[column] else (1, 2, 3, 5, 8, 13, 21, 34)
            positions = {here + sign * step for step in steps for sign in (-1, 1)} | {0, size - 1}
        return [
            _number(parameter, parameter.at(position))
            for position in sorted(positions - {here})
            if 0 <= position < size
        ]


def _is_smooth(parameter: Parameter) -> bool:
    return isinstance(parameter, Double) or (isinstance(parameter, Integer) and parameter.size > _MANY)


def _number(parameter: Parameter, value: Value) -> float:
    if isinstance(parameter, Categorical):
        return float(parameter.position(value))
    if isinstance(parameter, Discrete):
        return parameter.position(value) / (parameter.size - 1)
    return parameter.to_unit(value)


def _value(parameter: Parameter, number: float) -> Value:
    if isinstance(parameter, Categorical):
        return parameter.at(round(number))
    if isinstance(parameter, Discrete):
        return parameter.at(round(number * (parameter.size - 1)))
    assert isinstance(parameter, Double | Integer)
    return parameter.from_unit(clamp(number, 0.0, 1.0))
