"""SMAC3's facade for hyperparameters: a random forest.

It plans its first points by the number of trials that there will be, which its name tells.
"""

import logging
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer
from ConfigSpace.hyperparameters import Hyperparameter
from smac import HyperparameterOptimizationFacade, Scenario
from smac.runhistory.dataclasses import TrialInfo, TrialValue

from benchmarks.search.peers.conversation import Parameters, Point, serve


class Smac:
    """One facade, asked and told."""

    def __init__(self, space: Parameters, seed: int) -> None:
        parameters = ConfigurationSpace(seed=seed)
        parameters.add([_parameter(told) for told in space])
        with TemporaryDirectory() as folder:  # It describes itself there once, which nobody wants to read.
            scenario = Scenario(
                parameters,
                deterministic=True,
                n_trials=int(sys.argv[1]),
                seed=seed,
                output_directory=Path(folder),
            )
            self._facade = HyperparameterOptimizationFacade(scenario, logging_level=logging.ERROR)
        self._asked: list[TrialInfo] = []

    def ask(self, count: int) -> list[Point]:
        self._asked = [self._facade.ask() for _ in range(count)]
        return [dict(trial.config) for trial in self._asked]

    def tell(self, points: list[Point], losses: list[float]) -> None:
        for trial, loss in zip(self._asked, losses, strict=True):
            self._facade.tell(trial, TrialValue(cost=loss), save=False)


def _parameter(told: Point) -> Hyperparameter:
    match told["kind"]:
        case "double":
            return Float(told["name"], (told["low"], told["high"]), log=told["log"])
        case "integer":
            return Integer(told["name"], (told["low"], told["high"]), log=told["log"])
        case _:
            return Categorical(told["name"], told["values"])


if __name__ == "__main__":
    serve(Smac)
