"""OSS Vizier's default: a Gaussian process whose batches explore.

Its public list of designers needs the libraries of all of them, so the one is taken from where it is.
"""

import logging

import jax
from vizier import pyvizier as vz
from vizier._src.algorithms.designers.gp_ucb_pe import VizierGPUCBPEBandit
from vizier.algorithms import ActiveTrials, CompletedTrials

from benchmarks.search.peers.conversation import Parameters, Point, serve


class Vizier:
    """One designer, asked and told."""

    def __init__(self, space: Parameters, seed: int) -> None:
        logging.disable()
        jax.config.update("jax_enable_x64", True)  # As its service does; without it numbers are lost.
        problem = vz.ProblemStatement()
        problem.metric_information.append(vz.MetricInformation("loss", goal=vz.ObjectiveMetricGoal.MINIMIZE))
        for told in space:
            _add(problem.search_space.root, told)
        self._designer = VizierGPUCBPEBandit(problem, rng=jax.random.PRNGKey(seed))
        self._count = 0
        self._asked: list[vz.Trial] = []

    def ask(self, count: int) -> list[Point]:
        self._asked = []
        for suggestion in self._designer.suggest(count):
            self._count += 1
            self._asked.append(suggestion.to_trial(self._count))
        return [trial.parameters.as_dict() for trial in self._asked]

    def tell(self, points: list[Point], losses: list[float]) -> None:
        for trial, loss in zip(self._asked, losses, strict=True):
            trial.complete(vz.Measurement({"loss": loss}))
        self._designer.update(CompletedTrials(self._asked), ActiveTrials([]))


def _add(root: vz.SearchSpaceSelector, told: Point) -> None:
    if told["kind"] == "categorical":
        root.add_categorical_param(told["name"], told["values"])
        return
    add = root.add_int_param if told["kind"] == "integer" else root.add_float_param
    scale = vz.ScaleType.LOG if told["log"] else vz.ScaleType.LINEAR
    add(told["name"], told["low"], told["high"], scale_type=scale)


if __name__ == "__main__":
    serve(Vizier)
