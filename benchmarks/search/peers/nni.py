"""NNI's TPE tuner."""

from typing import Any

from nni.algorithms.hpo.tpe_tuner import TpeTuner

from benchmarks.search.peers.conversation import Parameters, Point, serve


class Nni:
    """One tuner; parameters are named by a count."""

    def __init__(self, space: Parameters, seed: int) -> None:
        self._kinds = {told["name"]: told for told in space}
        self._tuner = TpeTuner(optimize_mode="minimize", seed=seed)
        self._tuner.update_search_space({told["name"]: _choice(told) for told in space})
        self._count = 0

    def ask(self, count: int) -> list[Point]:
        numbers = range(self._count, self._count + count)
        self._count += count
        points = [self._tuner.generate_parameters(number) for number in numbers]
        return [{name: self._within(name, value) for name, value in point.items()} for point in points]

    def tell(self, points: list[Point], losses: list[float]) -> None:
        first = self._count - len(points)
        for number, (point, loss) in enumerate(zip(points, losses, strict=True), start=first):
            self._tuner.receive_trial_result(number, point, loss)

    def _within(self, name: str, value: Any) -> Any:
        told = self._kinds[name]
        if told["kind"] != "integer":
            return value
        return min(max(round(value), told["low"]), told["high"])


def _choice(told: Point) -> dict[str, Any]:
    if told["kind"] == "categorical":
        return {"_type": "choice", "_value": told["values"]}
    low, high = told["low"], told["high"]
    if told["kind"] == "double":
        return {"_type": "loguniform" if told["log"] else "uniform", "_value": [low, high]}
    if told["log"]:
        return {"_type": "qloguniform", "_value": [low, high, 1]}
    return {"_type": "randint", "_value": [low, high + 1]}


if __name__ == "__main__":
    serve(Nni)
