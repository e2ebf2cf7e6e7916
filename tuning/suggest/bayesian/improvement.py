"""The logarithm of the expected improvement: what a point promises over the best so far.

Ament et al. 2023, "Unexpected improvements to expected improvement for Bayesian optimization": the logarithm
keeps a slope where the improvement itself is too small for a double, so that its maximum can be climbed to.
"""

from math import log, pi, sqrt

import numpy as np
from scipy.special import erfcx, log_ndtr

from tuning.suggest.bayesian.features import Array

_LOG_ROOT_2_PI = 0.5 * log(2.0 * pi)
_FAR = 1e4
"""Beyond so many deviations, the leading term of the series stands for the whole."""


def log_improvement(best: float, mean: Array, deviation: Array) -> Array:
    """log E[max(best - objective, 0)]."""
    return np.asarray(np.log(deviation) + _log_in_deviations((best - mean) / deviation))


def log_improvement_slopes(best: float, mean: Array, deviation: Array) -> tuple[Array, Array]:
    """The derivatives of `log_improvement` by mean and deviation."""
    z = (best - mean) / deviation
    whole = _log_in_deviations(z)
    return -np.exp(log_ndtr(z) - whole) / deviation, np.exp(_log_density(z) - whole) / deviation


def _log_density(z: Array) -> Array:
    return -0.5 * z * z - _LOG_ROOT_2_PI


def _log_in_deviations(z: Array) -> Array:
    """log(density(z) + z * distribution(z))."""
    above = np.maximum(z, 0.0)
    right = np.log(np.exp(_log_density(above)) + above * np.exp(log_ndtr(above)))
    below = np.clip(z, -_FAR, 0.0)
    # The sum over the density; it goes to 1 / z^2, and what cancels matters only beyond _FAR.
    over_density = 1.0 + below * sqrt(pi / 2.0) * erfcx(-below / sqrt(2.0))
    near = np.log(np.maximum(over_density, 0.5 / _FAR**2))
    left = _log_density(np.minimum(z, 0.0)) + np.where(z < -_FAR, -2.0 * np.log(np.maximum(-z, 1.0)), near)
    return np.where(z > 0.0, right, left)
