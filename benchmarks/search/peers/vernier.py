"""Our own algorithms, by their names."""

import sys

from benchmarks.search.peers.conversation import Parameters, Point, serve
from tuning.space import Categorical, Double, Integer, Parameter, Scale, Space
from tuning.suggest import make_suggester
from tuning.trials import FinishedTrial, Goal, Outcome


class Ours:
    """One suggester and its history."""

    def __init__(self, space: Parameters, seed: int) -> None:
        self._suggester = make_suggester(
            sys.argv[1], Space(tuple(map(_parameter, space))), Goal.MINIMIZE, seed
        )
        self._history: list[FinishedTrial] = []

    def ask(self, count: int) -> list[Point]:
        return self._suggester.suggest(self._history, [], count)

    def tell(self, points: list[Point], losses: list[float]) -> None:
        for point, loss in zip(points, losses, strict=True):
            self._history.append(FinishedTrial(len(self._history), point, Outcome.COMPLETED, loss))


def _parameter(told: Point) -> Parameter:
    scale = Scale.UNIT_LOG_SCALE if told["log"] else Scale.UNIT_LINEAR_SCALE
    match told["kind"]:
        case "double":
            return Double(told["name"], told["low"], told["high"], scale)
        case "integer":
            return Integer(told["name"], told["low"], told["high"], scale)
        case _:
            return Categorical(told["name"], tuple(told["values"]))


if __name__ == "__main__":
    serve(Ours)
