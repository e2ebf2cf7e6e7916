"""Where the promise is largest over a mixed space: quasi-random points, then climbing from the best of them.

Doubles climb by gradient, all climbs in one call of L-BFGS, since their sum has its maximum where each has;
so do whole numbers of many values, which are rounded then. Other whole numbers, discrete values and
categories are changed one at a time to whichever value promises most.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

from tuning.suggest.bayesian.features import Array, Features
from tuning.suggest.bayesian.improvement import log_improvement, log_improvement_slopes
from tuning.suggest.bayesian.model import GaussianProcess

_CLIMBS = 6
_ROUNDS = 2
_ITERATIONS = 30


class Promise:
    """The logarithm of the expected improvement of rows over the best one so far."""

    def __init__(self, process: GaussianProcess, best: float) -> None:
        self._process = process
        self._best = best

    def at(self, rows: Array) -> Array:
        """The promise of each row."""
        return log_improvement(self._best, *self._process.predict(rows))

    def with_slopes(self, rows: Array) -> tuple[Array, Array]:
        """The promise of each row, and its gradient."""
        mean, deviation, by_mean, by_deviation = self._process.predict_with_slopes(rows)
        left, right = log_improvement_slopes(self._best, mean, deviation)
        slopes = left[:, None] * by_mean + right[:, None] * by_deviation
        return log_improvement(self._best, mean, deviation), slopes


def most_promising(promise: Promise, candidates: Array, features: Features) -> Array:
    """Climb from the best candidates; the rows climbed to, then all candidates, each by falling promise."""
    first = promise.at(candidates)
    order = np.argsort(-first, kind="stable")
    rows = candidates[order[:_CLIMBS]]
    for _ in range(_ROUNDS):
        rows = _change_values(promise, rows, features)
        rows = _climb(promise, rows, features)
        if features.is_double.all():
            break
    rows = rows[np.argsort(-promise.at(rows), kind="stable")]
    return np.vstack([rows, candidates[order]])


def _climb(promise: Promise, rows: Array, features: Features) -> Array:
    free = features.is_smooth
    if not free.any():
        return rows

    def loss(flat: Array) -> tuple[float, Array]:
        moved = rows.copy()
        moved[:, free] = flat.reshape(len(rows), -1)
        values, slopes = promise.with_slopes(moved)
        return -float(values.sum()), -slopes[:, free].ravel()

    start = rows[:, free].ravel()
    found = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, 1.0)] * len(start),
        options={"maxiter": _ITERATIONS},
    )
    climbed = rows.copy()
    climbed[:, free] = np.clip(found.x, 0.0, 1.0).reshape(len(rows), -1)
    climbed = features.rounded(climbed)
    return _better(promise.at, climbed, rows)


def _change_values(promise: Promise, rows: Array, features: Features) -> Array:
    """Give each parameter that is no Double its most promising value, one parameter after the other."""
    columns = np.flatnonzero(~features.is_double)
    if not columns.size:
        return rows
    changed = rows.copy()
    for column in columns:
        options = []
        for row in changed:
            others = features.alternatives(int(column), float(row[column]))
            option = np.repeat(row[None], len(others) + 1, axis=0)
            option[1:, column] = others
            options.append(option)
        values = promise.at(np.vstack(options))
        ends = np.cumsum([len(option) for option in options])
        for number, (option, end) in enumerate(zip(options, ends, strict=True)):
            changed[number] = option[int(np.argmax(values[end - len(option) : end]))]
    return changed


def _better(value: Callable[[Array], Array], left: Array, right: Array) -> Array:
    return np.where((value(left) >= value(right))[:, None], left, right)
