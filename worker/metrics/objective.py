"""The value that a trial is ranked by (docs/contract.md 5.3): the last one, not the best one."""

from collections.abc import Iterable
from math import isfinite
from typing import NamedTuple

from worker.metrics.measurement import Measurement


class FinalMetric(NamedTuple):
    """A trial's objective: `value`, which is finite, reported at `step`."""

    step: int
    value: float


def final_metric(measurements: Iterable[Measurement]) -> FinalMetric | None:
    """Choose the last measurement by step; at equal steps by wall time, then by place in the sequence.

    Returns None when there is no measurement, and when the last one is nan or infinite: a trial that ended in
    nan diverged, and an earlier finite value would rank it above trials that did not.
    """
    last: Measurement | None = None
    for each in measurements:
        if last is None or (each.step, each.wall_time) >= (last.step, last.wall_time):
            last = each
    if last is None or not isfinite(last.value):
        return None
    return FinalMetric(last.step, last.value)
