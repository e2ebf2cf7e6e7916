"""Optuna's samplers: TPE, GP and CMA-ES."""

import sys

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import CmaEsSampler, GPSampler, TPESampler

from benchmarks.search.peers.conversation import Parameters, Point, serve

SAMPLERS = {"tpe": TPESampler, "gp": GPSampler, "cma-es": CmaEsSampler}


class Optuna:
    """One study, asked and told."""

    def __init__(self, space: Parameters, seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._study = optuna.create_study(sampler=SAMPLERS[sys.argv[1]](seed=seed))
        self._space = {told["name"]: _distribution(told) for told in space}
        self._asked: list[optuna.Trial] = []

    def ask(self, count: int) -> list[Point]:
        self._asked = [self._study.ask(self._space) for _ in range(count)]
        return [trial.params for trial in self._asked]

    def tell(self, points: list[Point], losses: list[float]) -> None:
        for trial, loss in zip(self._asked, losses, strict=True):
            self._study.tell(trial, loss)


def _distribution(told: Point) -> BaseDistribution:
    match told["kind"]:
        case "double":
            return FloatDistribution(told["low"], told["high"], log=told["log"])
        case "integer":
            return IntDistribution(told["low"], told["high"], log=told["log"])
        case _:
            return CategoricalDistribution(told["values"])


if __name__ == "__main__":
    serve(Optuna)
