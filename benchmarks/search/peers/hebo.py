"""HEBO: a Gaussian process over warped inputs and outputs, and several acquisition functions at once."""

import logging

import numpy as np
import pandas as pd
import torch
from hebo.design_space.design_space import DesignSpace
from hebo.optimizers.hebo import HEBO

from benchmarks.search.peers.conversation import Parameters, Point, serve


class Hebo:
    """One optimizer, asked and told. It draws from the libraries' common random states."""

    def __init__(self, space: Parameters, seed: int) -> None:
        logging.disable()
        np.random.seed(seed)
        torch.manual_seed(seed)
        self._kinds = {told["name"]: told for told in space}
        self._optimizer = HEBO(DesignSpace().parse([_parameter(told) for told in space]), scramble_seed=seed)
        self._asked = pd.DataFrame()

    def ask(self, count: int) -> list[Point]:
        self._asked = self._optimizer.suggest(n_suggestions=count)
        points = self._asked.to_dict(orient="records")
        return [{name: self._within(name, value) for name, value in point.items()} for point in points]

    def tell(self, points: list[Point], losses: list[float]) -> None:
        self._optimizer.observe(self._asked, np.array(losses).reshape(-1, 1))

    def _within(self, name: str, value: object) -> object:
        """Powers can end a rounding error beyond their range."""
        told = self._kinds[name]
        if told["kind"] == "categorical":
            return str(value)
        return min(max((int if told["kind"] == "integer" else float)(value), told["low"]), told["high"])


def _parameter(told: Point) -> Point:
    if told["kind"] == "categorical":
        return {"name": told["name"], "type": "cat", "categories": told["values"]}
    kinds = ("int", "pow_int") if told["kind"] == "integer" else ("num", "pow")
    return {"name": told["name"], "type": kinds[told["log"]], "lb": told["low"], "ub": told["high"]}


if __name__ == "__main__":
    serve(Hebo)
