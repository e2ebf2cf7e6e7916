"""scikit-optimize's Optimizer: a Gaussian process by default, batches by its constant liar."""

from skopt import Optimizer
from skopt.space import Categorical, Integer, Real

from benchmarks.search.peers.conversation import Parameters, Point, serve


class Skopt:
    """One optimizer, asked and told."""

    def __init__(self, space: Parameters, seed: int) -> None:
        self._names = [told["name"] for told in space]
        self._optimizer = Optimizer([_dimension(told) for told in space], random_state=seed)

    def ask(self, count: int) -> list[Point]:
        points = [self._optimizer.ask()] if count == 1 else self._optimizer.ask(n_points=count)
        return [dict(zip(self._names, point, strict=True)) for point in points]

    def tell(self, points: list[Point], losses: list[float]) -> None:
        self._optimizer.tell([[point[name] for name in self._names] for point in points], losses)


def _dimension(told: Point) -> Real | Integer | Categorical:
    prior = "log-uniform" if told["log"] else "uniform"
    match told["kind"]:
        case "double":
            return Real(told["low"], told["high"], prior=prior)
        case "integer":
            return Integer(told["low"], told["high"], prior=prior)
        case _:
            return Categorical(told["values"])


if __name__ == "__main__":
    serve(Skopt)
