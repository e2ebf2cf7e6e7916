"""Ax's client, as it chooses its methods: the centre, Sobol points, then BoTorch's Gaussian process."""

import logging

from ax.api.client import Client
from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig

from benchmarks.search.peers.conversation import Parameters, Point, serve


class Ax:
    """One experiment, asked and told."""

    def __init__(self, space: Parameters, seed: int) -> None:
        logging.disable()
        self._client = Client(random_seed=seed)
        self._client.configure_experiment([_parameter(told) for told in space])
        self._client.configure_optimization("-loss")
        self._asked: list[int] = []

    def ask(self, count: int) -> list[Point]:
        trials: dict[int, Point] = {}
        while len(trials) < count:  # It may give fewer than it is asked for, where it changes its method.
            more = self._client.get_next_trials(count - len(trials))
            assert more, "no more points"
            trials |= more
        self._asked = list(trials)
        return list(trials.values())

    def tell(self, points: list[Point], losses: list[float]) -> None:
        for trial, loss in zip(self._asked, losses, strict=True):
            self._client.complete_trial(trial, {"loss": loss})


def _parameter(told: Point) -> RangeParameterConfig | ChoiceParameterConfig:
    if told["kind"] == "categorical":
        return ChoiceParameterConfig(told["name"], told["values"], "str", is_ordered=False)
    return RangeParameterConfig(
        told["name"],
        (told["low"], told["high"]),
        "int" if told["kind"] == "integer" else "float",
        scaling="log" if told["log"] else "linear",
    )


if __name__ == "__main__":
    serve(Ax)
