"""Tasks from formulas, each with a trait that searches meet: valleys, plateaus, corners, categories.

No optimum lies in the middle of its space, where several algorithms begin.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import cos, e, exp, log, log2, log10, pi, sin, sqrt

import numpy as np

from benchmarks.search.task import Point, Task
from tuning.space import Categorical, Discrete, Double, Integer, Scale, Space

LOG = Scale.UNIT_LOG_SCALE


def _box(low: float, high: float, count: int) -> Space:
    return Space(tuple(Double(f"x{i}", low, high) for i in range(count)))


def _xs(point: Point) -> list[float]:
    return [float(value) for value in point.values()]


def _branin(point: Point) -> float:
    x, y = _xs(point)
    return (y - 5.1 * x * x / (4 * pi**2) + 5 * x / pi - 6) ** 2 + 10 * (1 - 1 / (8 * pi)) * cos(x) + 10


_ALPHA = (1.0, 1.2, 3.0, 3.2)
_A6 = (
    (10, 3, 17, 3.5, 1.7, 8),
    (0.05, 10, 17, 0.1, 8, 14),
    (3, 3.5, 1.7, 10, 17, 8),
    (17, 8, 0.05, 10, 0.1, 14),
)
_P6 = (
    (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886),
    (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
    (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650),
    (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381),
)
_A3 = ((3, 10, 30), (0.1, 10, 35), (3, 10, 30), (0.1, 10, 35))
_P3 = ((0.3689, 0.1170, 0.2673), (0.4699, 0.4387, 0.7470), (0.1091, 0.8732, 0.5547), (0.0381, 0.5743, 0.8828))


def _hartmann(a: Sequence[Sequence[float]], p: Sequence[Sequence[float]], xs: Sequence[float]) -> float:
    return -sum(
        alpha * exp(-sum(w * (x - c) ** 2 for w, x, c in zip(ws, xs, cs, strict=True)))
        for alpha, ws, cs in zip(_ALPHA, a, p, strict=True)
    )


def _sparse(point: Point) -> float:
    """Three parameters of twelve matter, one of them a whole number on a log scale."""
    xs = _xs(point)
    return _hartmann(_A3, _P3, (xs[2], xs[7], log10(xs[11]) / 3))


def _goldstein_price(point: Point) -> float:
    x, y = _xs(point)
    first = 1 + (x + y + 1) ** 2 * (19 - 14 * x + 3 * x * x - 14 * y + 6 * x * y + 3 * y * y)
    second = 30 + (2 * x - 3 * y) ** 2 * (18 - 32 * x + 12 * x * x + 48 * y - 36 * x * y + 27 * y * y)
    return first * second


def _ackley(point: Point) -> float:
    shifted = [x - c for x, c in zip(_xs(point), (1.3, -2.7, 0.4, 3.1, -1.9), strict=True)]
    bowl = sqrt(sum(x * x for x in shifted) / 5)
    waves = sum(cos(2 * pi * x) for x in shifted) / 5
    return 20 + e - 20 * exp(-0.2 * bowl) - exp(waves)


def _levy(point: Point) -> float:
    w = [1 + (x - 1) / 4 for x in _xs(point)]
    middle = sum((a - 1) ** 2 * (1 + 10 * sin(pi * a + 1) ** 2) for a in w[:-1])
    return sin(pi * w[0]) ** 2 + middle + (w[-1] - 1) ** 2 * (1 + sin(2 * pi * w[-1]) ** 2)


def _rosenbrock(point: Point) -> float:
    xs = _xs(point)
    return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in pairwise(xs))


def _learning_rate(point: Point) -> float:
    """Like a network's error: the best rate depends on optimiser and batch, too high a rate diverges."""
    adam = point["optimizer"] == "adam"
    best_rate = (-3.0 if adam else -1.2) + 0.3 * log2(float(point["batch"]) / 64)
    excess = log10(float(point["learning_rate"])) - best_rate
    loss = 0.06 * excess**2 + (0.5 * excess**3 if excess > 0 else 0.0)
    loss += 0.01 * (log10(float(point["weight_decay"])) + 4.2) ** 2
    loss += 0.02 * abs(int(point["layers"]) - 5) + 0.03 * abs(log2(float(point["batch"]) / 64))
    loss += (0.0 if adam else 0.015) + 0.6 * (float(point["dropout"]) - 0.28) ** 2
    return min(loss, 2.3)


def _valleys(point: Point) -> float:
    """Every category has a level of its own, some pairs have more, and one moves the valley of the rest."""
    a, b, c = (int(str(point[name])[1:]) for name in "abc")
    x, y = float(point["x"]), float(point["y"])
    return float(_LEVELS[a, b, c]) + (x - _CENTRES[a, 0]) ** 2 + (y - _CENTRES[a, 1] * x) ** 2


_VALLEYS = np.random.default_rng(5)
_CENTRES = _VALLEYS.uniform(0.2, 0.8, (4, 2))
_LEVELS = (
    _VALLEYS.uniform(0, 0.5, (4, 1, 1))
    + _VALLEYS.uniform(0, 0.5, (1, 3, 1))
    + _VALLEYS.uniform(0, 0.5, (1, 1, 5))
    + _VALLEYS.uniform(0, 0.3, (4, 3, 1))
)


def _staircase(point: Point) -> float:
    """Plateaus: what is told changes in steps, and its square root counts."""
    x, y, n = float(point["x"]), float(point["y"]), int(point["n"])
    smooth = 40 * (x - 0.71) ** 2 + 20 * (y - 0.23 - 0.5 * (x - 0.71)) ** 2 + (n - 13) ** 2 / 20
    return sqrt(int(smooth * 8) / 8)


def _rastrigin(point: Point) -> float:
    shifted = [x - c for x, c in zip(_xs(point), (0.62, -1.17, 1.41), strict=True)]
    return sum(x * x + 4 * (1 - cos(2 * pi * x)) for x in shifted)


def _borehole(point: Point) -> float:
    """Minus the flow of water through a borehole: smooth, eight parameters, best in a corner."""
    rw, r, tu, hu, tl, hl, length, kw = _xs(point)
    ratio = log(r / rw)
    return -2 * pi * tu * (hu - hl) / (ratio * (1 + 2 * length * tu / (ratio * rw * rw * kw) + tu / tl))


_BOREHOLE = Space(
    (
        Double("rw", 0.05, 0.15),
        Double("r", 100.0, 50_000.0, LOG),
        Double("tu", 63_070.0, 115_600.0),
        Double("hu", 990.0, 1110.0),
        Double("tl", 63.1, 116.0),
        Double("hl", 700.0, 820.0),
        Double("length", 1120.0, 1680.0),
        Double("kw", 9855.0, 12_045.0),
    )
)

TASKS = (
    Task("branin", Space((Double("x", -5.0, 10.0), Double("y", 0.0, 15.0))), _branin, 0.39788736),
    Task("hartmann-6", _box(0.0, 1.0, 6), lambda point: _hartmann(_A6, _P6, _xs(point)), -3.32236801),
    Task("goldstein-price", _box(-2.0, 2.0, 2), _goldstein_price, 3.0),
    Task("ackley", _box(-5.0, 5.0, 5), _ackley, 0.0),
    Task(
        "levy-mixed",
        Space(
            (
                Double("x0", -10.0, 10.0),
                Integer("n0", -10, 10),
                Double("x1", -10.0, 10.0),
                Integer("n1", -10, 10),
            )
        ),
        _levy,
        0.0,
    ),
    Task("rosenbrock", _box(-2.0, 3.0, 4), _rosenbrock, 0.0),
    Task(
        "learning-rate",
        Space(
            (
                Double("learning_rate", 1e-6, 1.0, LOG),
                Double("weight_decay", 1e-7, 1e-1, LOG),
                Integer("layers", 1, 8),
                Discrete("batch", (16, 32, 64, 128, 256)),
                Categorical("optimizer", ("adam", "momentum")),
                Double("dropout", 0.0, 0.8),
            )
        ),
        _learning_rate,
        0.0,
    ),
    Task(
        "sparse-12",
        Space((*(Double(f"x{i}", 0.0, 1.0) for i in range(11)), Integer("n", 1, 1000, LOG))),
        _sparse,
        -3.86278215,
    ),
    Task(
        "valleys",
        Space(
            (
                *(
                    Categorical(name, tuple(f"{name}{i}" for i in range(count)))
                    for name, count in zip("abc", (4, 3, 5), strict=True)
                ),
                Double("x", 0.0, 1.0),
                Double("y", 0.0, 1.0),
            )
        ),
        _valleys,
        float(_LEVELS.min()),
    ),
    Task(
        "staircase",
        Space((Double("x", 0.0, 1.0), Double("y", 0.0, 1.0), Integer("n", 1, 20))),
        _staircase,
        0.0,
    ),
    Task("rastrigin", _box(-3.0, 3.0, 3), _rastrigin, 0.0),
    Task(
        "borehole",
        _BOREHOLE,
        _borehole,
        # The flow grows with rw, tu, hu, tl and kw, and falls with r, hl and length.
        _borehole(
            {p.name: p.low if p.name in ("r", "hl", "length") else p.high for p in _BOREHOLE.parameters}  # type: ignore[union-attr]
        ),
    ),
)
