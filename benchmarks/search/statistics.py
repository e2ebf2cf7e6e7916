"""What runs say together: medians, their spread, geometric means over tasks, and bounds of a ratio.

Regrets below FLOOR count as FLOOR: a thousandth of what a random point leaves to be gained is not told apart,
and a task that is solved cannot outweigh all others in a geometric mean.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from benchmarks.search.running import Run

FLOOR = 1e-3
_RESAMPLES = 2000

Array: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]


def best_so_far(run: Run) -> Array:
    """The smallest regret after each trial."""
    return np.minimum.accumulate(np.maximum(run.regrets, FLOOR))


def by_task(runs: Iterable[Run], contestant: str, batch: int, trials: int) -> dict[str, dict[int, float]]:
    """For each task and seed, the regret after so many trials."""
    table: dict[str, dict[int, float]] = {}
    for run in runs:
        if (run.contestant, run.batch) == (contestant, batch) and len(run.regrets) >= trials:
            table.setdefault(run.task, {})[run.seed] = float(best_so_far(run)[trials - 1])
    return table


def quartiles(regrets: Iterable[float]) -> tuple[float, float, float]:
    """The lower quartile, the median and the upper quartile."""
    low, middle, high = np.quantile(list(regrets), [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)


def worse(ours: dict[str, dict[int, float]], theirs: dict[str, dict[int, float]]) -> list[str]:
    """The tasks of both on which our median is the larger."""
    return [
        task
        for task in ours
        if task in theirs and quartiles(ours[task].values())[1] > quartiles(theirs[task].values())[1]
    ]


def geometric_mean(medians: Sequence[float]) -> float:
    return float(np.exp(np.mean(np.log(medians))))


@dataclass(frozen=True)
class Ratio:
    """Our regret over a peer's: the geometric mean over tasks of medians over seeds; 95 % bounds."""

    value: float
    low: float
    high: float
    tasks: int
    seeds: int


def ratio(ours: dict[str, dict[int, float]], theirs: dict[str, dict[int, float]]) -> Ratio | None:
    """The paired ratio on the tasks and seeds that both have; None when there are none.

    Each resample draws tasks, and within each of them seeds, the same for both: the bounds say what other
    tasks of this kind and other seeds would have given.
    """
    tasks = [task for task in ours if task in theirs]
    if not tasks:
        return None
    seeds = sorted(set.intersection(*(set(table[task]) for table in (ours, theirs) for task in tasks)))
    if not seeds:
        return None
    both = np.log(
        [[[table[task][seed] for seed in seeds] for task in tasks] for table in (ours, theirs)]
    )  # 2 x tasks x seeds
    value = _log_ratio(both)
    random = np.random.default_rng(0)
    resampled = []
    for _ in range(_RESAMPLES):
        drawn = random.integers(len(tasks), size=len(tasks))
        columns = random.integers(len(seeds), size=(len(tasks), len(seeds)))
        resampled.append(_log_ratio(np.take_along_axis(both[:, drawn], columns[None], axis=2)))
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Ratio(*(float(np.exp(x)) for x in (value, low, high)), len(tasks), len(seeds))


def _log_ratio(both: Array) -> float:
    ours, theirs = np.median(both, axis=2).mean(axis=1)
    return float(ours - theirs)
