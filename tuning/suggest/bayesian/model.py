"""The Gaussian process: what the objective may be, given what has been seen.

Rasmussen and Williams 2006, "Gaussian processes for machine learning", chapters 2, 4.2 and 5.4: a Matérn 5/2
kernel with one length for each parameter, a constant mean fitted to the data, and noise. Two values of a
categorical parameter stand one unit apart, whatever they are, or none.

The lengths and the noise are the most likely ones after the data and their priors (by L-BFGS, with exact
gradients). The amplitude is integrated out over an inverse gamma prior, which keeps a handful of points from
looking certain. Everything is in units of the standardised objective, on the unit cube.
"""

from contextlib import suppress
from dataclasses import dataclass
from math import log, sqrt

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

from tuning.suggest.bayesian.features import Array, Mask

LENGTH_MEDIAN, LENGTH_SPREAD = 0.5, 0.6
"""The prior of a length: log-normal, its median times the root of the number of parameters."""
NOISE_MEDIAN, NOISE_SPREAD = 1e-4, 2.0
"""The prior of the noise's share of the amplitude: log-normal."""
AMPLITUDE_SHAPE, AMPLITUDE_SCALE = 2.0, 2.0
"""The prior of the amplitude, a variance: inverse gamma."""
_LOWEST_NOISE, _HIGHEST_NOISE = 1e-7, 1.0
_ROOT_5 = sqrt(5.0)


@dataclass(frozen=True)
class Shape:
    """What was fitted: the length of each parameter and the noise's share of the amplitude."""

    lengths: Array
    noise: float


@dataclass(frozen=True, eq=False)
class Data:
    """What was seen.

    Attributes:
        rows: one for each trial.
        objectives: standardised, smaller is better.
        doubts: how many times the usual noise each objective has; 1 for one that was measured.
        variances: of those that were predicted, in shares of the amplitude; 0 for one that was measured.
    """

    rows: Array
    objectives: Array
    doubts: Array
    variances: Array

    def fewer(self, count: int) -> "Data":
        """At most `count` of the trials: the better half of them the best there are, the rest evenly spread.

        The best trials say where to go on, the spread ones where not to; the order of trials is kept.
        """
        if len(self.objectives) <= count:
            return self
        order = np.argsort(self.objectives, kind="stable")
        best, rest = order[: count // 2], np.sort(order[count // 2 :])
        spread = rest[np.linspace(0, len(rest) - 1, count - len(best)).round().astype(int)]
        kept = np.sort(np.concatenate([best, spread]))
        return Data(self.rows[kept], self.objectives[kept], self.doubts[kept], self.variances[kept])

    def noises(self, noise: float) -> Array:
        """The noise of each objective, where the usual one is this."""
        return noise * self.doubts + self.variances


def distances(left: Array, right: Array, is_category: Mask) -> Array:
    """For each parameter, the squared distances between all rows of both: parameters x left x right."""
    difference = left.T[:, :, None] - right.T[:, None, :]
    difference[is_category] = difference[is_category] != 0.0
    return difference**2


def matern(squares: Array) -> tuple[Array, Array]:
    """The kernel at squared distances, and its derivative by them."""
    r = _ROOT_5 * np.sqrt(squares)
    decay = np.exp(-r)
    return (1.0 + r + r * r / 3.0) * decay, (-5.0 / 6.0) * (1.0 + r) * decay


def fit(data: Data, is_category: Mask, iterations: int = 60) -> Shape:
    """Find the lengths and the noise, from two starts: the lengths of the prior, and a quarter of those."""
    parameters = data.rows.shape[1]
    squares = distances(data.rows, data.rows, is_category)
    length = log(LENGTH_MEDIAN * sqrt(parameters))
    prior_mean = np.array([length] * parameters + [log(NOISE_MEDIAN)])
    prior_spread = np.array([LENGTH_SPREAD] * parameters + [NOISE_SPREAD])
    bounds = [(length - 5.0, length + 5.0)] * parameters + [(log(_LOWEST_NOISE), log(_HIGHEST_NOISE))]

    def loss(logs: Array) -> tuple[float, Array]:
        value, gradient = _misfit(logs, squares, data)
        score = (logs - prior_mean) / prior_spread
        return value + 0.5 * float(score @ score), gradient + score / prior_spread

    best, best_value = prior_mean, np.inf
    for shift in (0.0, -1.4):
        start = prior_mean + np.array([shift] * parameters + [0.0])
        found = minimize(
            loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": iterations}
        )
        if found.fun < best_value:
            best, best_value = found.x, found.fun
    return Shape(np.exp(best[:-1]), float(np.exp(best[-1])))


def _misfit(logs: Array, squares: Array, data: Data) -> tuple[float, Array]:
    """Minus the log likelihood, amplitude integrated out, and its gradient by the logarithms."""
    weights, noise = np.exp(-2.0 * logs[:-1]), np.exp(logs[-1])
    kernel, slope = matern(np.tensordot(weights, squares, 1))
    count = len(data.objectives)
    kernel[np.diag_indices(count)] += data.noises(noise)
    try:
        lower = cholesky(kernel, lower=True, check_finite=False)
    except np.linalg.LinAlgError:
        return 1e10, np.zeros_like(logs)
    inverse, _ = dpotri(lower, lower=1)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    ones = inverse.sum(axis=1)
    residual = data.objectives - (ones @ data.objectives) / ones.sum()
    solved = inverse @ residual
    shape = AMPLITUDE_SHAPE + 0.5 * count
    scale = AMPLITUDE_SCALE + 0.5 * float(residual @ solved)
    value = shape * log(scale) + float(np.log(np.diag(lower)).sum())
    # By the kernel's entries; the mean is where its own derivative is zero, and adds none.
    by_kernel = 0.5 * (inverse - (shape / scale) * np.outer(solved, solved))
    by_weights = np.tensordot(squares, by_kernel * slope, 2)
    by_noise = float(np.diag(by_kernel) @ data.doubts)
    return value, np.append(-2.0 * weights * by_weights, noise * by_noise)


def root_of(kernel: Array) -> Array:
    """The lower Cholesky factor; where rounding has left none, that of the kernel with some more noise.

    Raises:
        LinAlgError: the kernel is not finite.
    """
    # Rows that are all but equal, under next to no noise, make it singular to the last digit.
    for more in (0.0, 1e-9, 1e-7, 1e-5, 1e-3, 1.0):
        noisy = kernel + more * np.eye(len(kernel)) if more else kernel
        with suppress(np.linalg.LinAlgError):
            lower = np.asarray(cholesky(noisy, lower=True, check_finite=False))
            # What is not finite goes on to the last entry, and is no error to LAPACK.
            if np.isfinite(lower[-1, -1]):
                return lower
    raise np.linalg.LinAlgError("the kernel has no Cholesky factor")


class GaussianProcess:
    """The posterior over objectives, for one shape and data."""

    def __init__(self, shape: Shape, data: Data, is_category: Mask) -> None:
        self._weights = shape.lengths**-2.0
        self._data = data
        self._is_category = is_category
        kernel, _ = matern(self._squares(data.rows))
        kernel[np.diag_indices(len(kernel))] += data.noises(shape.noise)
        self._lower = root_of(kernel)
        ones = cho_solve((self._lower, True), np.ones(len(kernel)), check_finite=False)
        self.mean = float((ones @ data.objectives) / ones.sum())
        residual = data.objectives - self.mean
        self._solved = cho_solve((self._lower, True), residual, check_finite=False)
        scale = AMPLITUDE_SCALE + 0.5 * float(residual @ self._solved)
        self._amplitude = scale / (AMPLITUDE_SHAPE + 0.5 * len(kernel))

    def predict(self, rows: Array) -> tuple[Array, Array]:
        """The mean and the standard deviation of the noiseless objective at each row."""
        kernel, _ = matern(self._squares(rows))
        half = solve_triangular(self._lower, kernel.T, lower=True, check_finite=False)
        variance = self._amplitude * np.maximum(1.0 - np.einsum("ij,ij->j", half, half), 1e-12)
        return self.mean + kernel @ self._solved, np.sqrt(variance)

    def predict_with_slopes(self, rows: Array) -> tuple[Array, Array, Array, Array]:
        """As `predict`, and the gradients of both by the rows' numbers; those of categories mean nothing."""
        kernel, slope = matern(self._squares(rows))
        half = solve_triangular(self._lower, kernel.T, lower=True, check_finite=False)
        solved = solve_triangular(self._lower, half, lower=True, trans="T", check_finite=False).T
        variance = np.maximum(1.0 - np.einsum("ij,ij->j", half, half), 1e-12)
        deviation = np.sqrt(self._amplitude * variance)
        by_mean = self._slopes(rows, slope * self._solved)
        by_variance = self._slopes(rows, -2.0 * slope * solved)
        by_deviation = self._amplitude * by_variance / (2.0 * deviation[:, None])
        return self.mean + kernel @ self._solved, deviation, by_mean, by_deviation

    def with_believed(self, shape: Shape, rows: Array) -> "GaussianProcess":
        """The process as if each row had been tried and had given what is expected there."""
        data = self._data
        expected, _ = self.predict(rows)
        more = Data(
            np.vstack([data.rows, rows]),
            np.append(data.objectives, expected),
            np.append(data.doubts, np.ones(len(rows))),
            np.append(data.variances, np.zeros(len(rows))),
        )
        process = GaussianProcess(shape, more, self._is_category)
        # What is believed says nothing about how far objectives spread.
        process._amplitude = self._amplitude
        return process

    def _squares(self, rows: Array) -> Array:
        """The weighted squared distances between rows and the data's rows."""
        numbers, roots = ~self._is_category, np.sqrt(self._weights)
        left, right = (rows * roots)[:, numbers], (self._data.rows * roots)[:, numbers]
        squares = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2.0 * left @ right.T
        for column in np.flatnonzero(self._is_category):
            squares += self._weights[column] * (rows[:, column, None] != self._data.rows[:, column])
        nonnegative: Array = np.maximum(squares, 0.0)
        return nonnegative

    def _slopes(self, rows: Array, factors: Array) -> Array:
        """The gradients by the rows of sums over the data: factor times squared distance."""
        weighted: Array = (
            2.0 * self._weights * (rows * factors.sum(axis=1)[:, None] - factors @ self._data.rows)
        )
        return weighted
