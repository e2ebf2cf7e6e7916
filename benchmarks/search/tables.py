"""Tasks from real models: losses read from `tables/`, interpolated between the trained values of each number.

Interpolation is linear in the parameter's own scale, so the smallest loss of a table is the task's smallest.
"""

import json
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.search.task import Point, Task
from tuning.space import Categorical, Discrete, Double, Integer, Parameter, Scale, Space

TABLES = Path(__file__).parent / "tables"


@dataclass(frozen=True)
class Axis:
    """One dimension of a table: a parameter, and the unit coordinates at which its losses stand."""

    parameter: Parameter
    units: tuple[float, ...]

    def weights(self, point: Point) -> list[tuple[int, float]]:
        """The table's positions on this axis that make up a point's loss, and their shares."""
        value = point[self.parameter.name]
        if isinstance(self.parameter, Discrete | Categorical):
            return [(self.parameter.position(value), 1.0)]
        unit = self.parameter.to_unit(value)
        for left, (low, high) in enumerate(pairwise(self.units)):
            if unit <= high:
                share = max(unit - low, 0.0) / (high - low)
                return [(left, 1.0 - share), (left + 1, share)]
        return [(len(self.units) - 1, 1.0)]


@dataclass(frozen=True)
class Table:
    """A loss over the space that the axes span."""

    axes: tuple[Axis, ...]
    losses: np.ndarray[Any, np.dtype[np.float64]]

    def loss(self, point: Point) -> float:
        return float(self.at(point))

    def at(self, point: Point) -> np.ndarray[Any, np.dtype[np.float64]]:
        """What stands at the point; of a table with an axis more than the space has, all along that one."""
        total = np.zeros(self.losses.shape[len(self.axes) :])
        for corner in product(*(axis.weights(point) for axis in self.axes)):
            share = float(np.prod([weight for _, weight in corner]))
            if share:
                total = total + share * self.losses[tuple(position for position, _ in corner)]
        return total


def read(name: str) -> Task:
    """The task of `tables/NAME.json`."""
    document = json.loads((TABLES / f"{name}.json").read_text())
    axes = tuple(map(axis_of, document["axes"]))
    losses = np.array(document["losses"]).reshape([len(axis.units) for axis in axes])
    table = Table(axes, losses)
    return Task(name, Space(tuple(axis.parameter for axis in axes)), table.loss, float(losses.min()))


def axis_of(axis: dict[str, Any]) -> Axis:
    name, nodes, scale = axis["name"], axis["nodes"], Scale[axis["scale"]]
    parameter: Parameter
    match axis["kind"]:
        case "DOUBLE":
            parameter = Double(name, nodes[0], nodes[-1], scale)
        case "INTEGER":
            parameter = Integer(name, nodes[0], nodes[-1], scale)
        case "DISCRETE":
            parameter = Discrete(name, tuple(nodes))
        case _:
            parameter = Categorical(name, tuple(nodes))
    return Axis(parameter, tuple(map(parameter.to_unit, nodes)))
