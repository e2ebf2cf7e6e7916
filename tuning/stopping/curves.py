"""The learning curves of ended trials, kept as stopping rules ask for them."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tuning.trials import Goal, Point

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Curve:
    """One ended trial's reports, by increasing step; never empty.

    Attributes:
        averages: of the first report, of the first two, and so on.
        lowest: the smallest of the first report, of the first two, and so on; `highest` likewise.
        completed: whether the trial ended by itself, not by a stopping rule.
    """

    steps: tuple[int, ...]
    values: tuple[float, ...]
    averages: tuple[float, ...]
    lowest: tuple[float, ...]
    highest: tuple[float, ...]
    completed: bool

    def covers(self, step: int) -> bool:
        """Whether the trial had reported by this step, and went on to it or beyond."""
        return self.steps[0] <= step <= self.steps[-1]


class FinishedCurves:
    """Answers `what had each ended trial shown by this step?`, quickly and many times.

    A curve is summed once, when it is added. The order of adding never matters to an answer's contents.
    """

    def __init__(self, curves: Iterable[Sequence[Point]] = ()) -> None:
        self._curves: list[Curve] = []
        self._remembered: dict[object, Any] = {}
        for curve in curves:
            self.add(curve)

    def __len__(self) -> int:
        return len(self._curves)

    def add(self, curve: Iterable[Point], completed: bool = True) -> None:
        """Add the curve of a trial that has ended; an empty one is allowed and never counts."""
        points = by_step(curve)
        if points:
            values = [point.value for point in points]
            self._curves.append(
                Curve(
                    tuple(point.step for point in points),
                    tuple(values),
                    tuple(_running_averages(values)),
                    tuple(_running(min, values)),
                    tuple(_running(max, values)),
                    completed,
                )
            )
            self._remembered.clear()

    @property
    def completed(self) -> list[Curve]:
        """Those of trials that ended by themselves."""
        return [curve for curve in self._curves if curve.completed]

    def averages_at(self, step: int) -> list[float]:
        """The average of each comparable trial's objectives at steps up to and including `step`.

        A trial is comparable when it has reported by `step` and went on to it or beyond. One that ended
        earlier is left out: its average is of an earlier stretch of training, which tells nothing about
        this one. So a trial that outlives all others has no peers, and is left to finish.
        """
        return [
            curve.averages[bisect_right(curve.steps, step) - 1]
            for curve in self._curves
            if curve.covers(step)
        ]

    def bests_at(self, step: int, goal: Goal) -> list[float]:
        """The best of each comparable trial's objectives at steps up to and including `step`."""
        return [
            (curve.highest if goal is Goal.MAXIMIZE else curve.lowest)[bisect_right(curve.steps, step) - 1]
            for curve in self._curves
            if curve.covers(step)
        ]

    def values_at(self, step: int) -> list[float]:
        """What each comparable trial had reported last by `step`."""
        return [
            curve.values[bisect_right(curve.steps, step) - 1] for curve in self._curves if curve.covers(step)
        ]

    def remembered(self, key: object, found: Callable[[], T]) -> T:
        """`found()`, computed once for these curves: it is asked again when one has been added."""
        if key not in self._remembered:
            self._remembered[key] = found()
        value: T = self._remembered[key]
        return value


def by_step(curve: Iterable[Point]) -> list[Point]:
    """The curve in order of steps; where a step comes twice, the later entry counts."""
    latest = {point.step: point for point in curve}
    return [latest[step] for step in sorted(latest)]


def best_of(values: Iterable[float], goal: Goal) -> float:
    """The best of some objectives, of which there is at least one."""
    return max(values) if goal is Goal.MAXIMIZE else min(values)


def quantile(values: Iterable[float], share: float) -> float:
    """The value below which this share of them lies; between two values by their distance.

    It neither overflows nor leaves equal values, as a difference of large ones or a rounded sum would.
    """
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = min(int(place), len(ordered) - 1)
    left, right = ordered[low], ordered[min(low + 1, len(ordered) - 1)]
    if left == right:
        return left
    within = place - low
    return min(max(left * (1.0 - within) + right * within, left), right)


def _running(pick: Callable[[float, float], float], values: Sequence[float]) -> list[float]:
    found = [values[0]]
    for value in values[1:]:
        found.append(pick(found[-1], value))
    return found


def _running_averages(values: Sequence[float]) -> list[float]:
    """The average of the first value, of the first two, and so on.

    Updated from one to the next, not divided from a sum: sums of large finite values overflow, and a
    constant curve must average to exactly its constant, or a trial as good as all others would look worse.
    """
    average = values[0]
    averages = [average]
    for count, value in enumerate(values[1:], start=2):
        average += value / count - average / count
        averages.append(average)
    return averages
