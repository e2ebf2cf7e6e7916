"""hyperopt's TPE and annealing, by its own suggest functions."""

import sys
from math import log
from typing import Any

import numpy as np
from hyperopt import JOB_STATE_DONE, STATUS_OK, Trials, anneal, hp, space_eval, tpe
from hyperopt.base import Domain

from benchmarks.search.peers.conversation import Parameters, Point, serve

SUGGEST = {"tpe": tpe.suggest, "anneal": anneal.suggest}


class Hyperopt:
    """One set of trials, and the documents of those under way."""

    def __init__(self, space: Parameters, seed: int) -> None:
        self._space = {told["name"]: _expression(told) for told in space}
        self._kinds = {told["name"]: told for told in space}
        self._domain = Domain(lambda point: 0.0, self._space)
        self._trials = Trials()
        self._random = np.random.default_rng(seed)
        self._asked: list[Any] = []

    def ask(self, count: int) -> list[Point]:
        self._asked, points = [], []
        for _ in range(count):
            ids = self._trials.new_trial_ids(1)
            seed = int(self._random.integers(2**31 - 1))
            documents = SUGGEST[sys.argv[1]](ids, self._domain, self._trials, seed)
            self._trials.insert_trial_docs(documents)
            self._trials.refresh()
            self._asked.append(ids[0])
            chosen = {name: values[0] for name, values in documents[0]["misc"]["vals"].items()}
            point = space_eval(self._space, chosen)
            points.append({name: self._within(name, value) for name, value in point.items()})
        return points

    def tell(self, points: list[Point], losses: list[float]) -> None:
        told = dict(zip(self._asked, losses, strict=True))
        for document in self._trials._dynamic_trials:
            if document["tid"] in told:
                document["state"] = JOB_STATE_DONE
                document["result"] = {"loss": told[document["tid"]], "status": STATUS_OK}
        self._trials.refresh()

    def _within(self, name: str, value: Any) -> Any:
        """Rounded expressions can end beyond their range."""
        told = self._kinds[name]
        if told["kind"] == "categorical":
            return value
        value = int(value) if told["kind"] == "integer" else float(value)
        return min(max(value, told["low"]), told["high"])


def _expression(told: Point) -> Any:
    name = told["name"]
    if told["kind"] == "categorical":
        return hp.choice(name, told["values"])
    low, high = told["low"], told["high"]
    if told["kind"] == "integer":
        if told["log"]:
            return hp.qloguniform(name, log(low), log(high), 1)
        return hp.uniformint(name, low, high)
    return hp.loguniform(name, log(low), log(high)) if told["log"] else hp.uniform(name, low, high)


if __name__ == "__main__":
    serve(Hyperopt)
