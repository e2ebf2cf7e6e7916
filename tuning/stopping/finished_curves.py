"""The learning curves of finished trials, kept as running averages by step."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from tuning.trials import Point


class FinishedCurves:
    """Answers `what had each finished trial averaged by this step?`, quickly and many times.

    A curve is summed once, when it is added. The order of adding never matters to an answer's contents.
    """

    def __init__(self, curves: Iterable[Sequence[Point]] = ()) -> None:
        self._curves: list[tuple[list[int], list[float]]] = []
        for curve in curves:
            self.add(curve)

    def __len__(self) -> int:
        return len(self._curves)

    def add(self, curve: Sequence[Point]) -> None:
        """Add the curve of a trial that has ended; an empty one is allowed and never counts."""
        points = by_step(curve)
        if points:
            self._curves.append(([point.step for point in points], _running_averages(points)))

    def averages_at(self, step: int) -> list[float]:
        """The average of each comparable trial's objectives at steps up to and including `step`.

        A trial is comparable when it has reported by `step` and went on to it or beyond. One that ended
        earlier is left out: its average is of an earlier stretch of training, which tells nothing about
        this one. So a trial that outlives all others has no peers, and is left to finish.
        """
        return [
            averages[bisect_right(steps, step) - 1]
            for steps, averages in self._curves
            if steps[0] <= step <= steps[-1]
        ]


def by_step(curve: Iterable[Point]) -> list[Point]:
    """The curve in order of steps; where a step comes twice, the later entry counts."""
    latest = {point.step: point for point in curve}
    return [latest[step] for step in sorted(latest)]


def _running_averages(points: Sequence[Point]) -> list[float]:
    """The average of the first point, of the first two, and so on.

    Updated from one to the next, not divided from a sum: sums of large finite values overflow, and a
    constant curve must average to exactly its constant, or a trial as good as all others would look worse.
    """
    average = points[0].value
    averages = [average]
    for count, point in enumerate(points[1:], start=2):
        average += point.value / count - average / count
        averages.append(average)
    return averages
