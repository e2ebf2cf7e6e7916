"""Writes `learning_curves/`: what models of scikit-learn lose after each epoch, over grids of parameters.

    python -m benchmarks.search.tabulate_curves [NAME ...]

Kept in the repository for the same reasons as what `tabulate.py` writes, and written in the same way: once.
An epoch is a pass over the training data, or some trees more.
"""

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from benchmarks.search.tabulate import Axis, cancer, categorical, diabetes, digits, discrete, double, integer

CURVES = Path(__file__).parent / "learning_curves"
EPOCHS = 40

Split = tuple[Any, Any, Any, Any]


def split(data: tuple[Any, Any]) -> Split:
    """Training and validation inputs, standardised, and their targets."""
    train_x, test_x, train_y, test_y = train_test_split(*data, test_size=0.4, random_state=0)
    scaler = StandardScaler().fit(train_x)
    return scaler.transform(train_x), scaler.transform(test_x), train_y, test_y


def wrong(model: Any, x: Any, y: Any) -> float:
    """The share of wrong answers."""
    return 1.0 - float(model.score(x, y))


def unlikely(model: Any, x: Any, y: Any) -> float:
    return float(log_loss(y, np.clip(np.nan_to_num(model.predict_proba(x)), 1e-6, 1.0)))


def squared(model: Any, x: Any, y: Any) -> float:
    return float(mean_squared_error(y, np.clip(np.nan_to_num(model.predict(x)), -100.0, 100.0)))


def passes(
    model: Any, parts: Split, loss: Callable[[Any, Any, Any], float], classes: Any = None
) -> Iterator[float]:
    """The loss after each pass over the training data, in an order of its own."""
    train_x, test_x, train_y, test_y = parts
    random = np.random.default_rng(0)
    for _ in range(EPOCHS):
        order = random.permutation(len(train_y))
        told = {} if classes is None else {"classes": classes}
        model.partial_fit(train_x[order], train_y[order], **told)
        yield loss(model, test_x, test_y)


def network(**settings: Any) -> list[float]:
    parts = split(digits(700))
    model = MLPClassifier(random_state=0, **settings)
    return list(passes(model, parts, unlikely, np.unique(parts[2])))


def network_adam(rate: float, alpha: float, hidden: int, batch: float) -> list[float]:
    return network(
        hidden_layer_sizes=(hidden,),
        learning_rate_init=rate,
        alpha=alpha,
        batch_size=int(batch),
        solver="adam",
    )


def network_momentum(rate: float, momentum: float, hidden: int, activation: str) -> list[float]:
    return network(
        hidden_layer_sizes=(hidden,),
        learning_rate_init=rate,
        momentum=momentum,
        activation=activation,
        batch_size=32,
        solver="sgd",
    )


def network_diabetes(rate: float, alpha: float, hidden: int, activation: str) -> list[float]:
    model = MLPRegressor(
        hidden_layer_sizes=(hidden,),
        learning_rate_init=rate,
        alpha=alpha,
        activation=activation,
        batch_size=32,
        random_state=0,
    )
    return list(passes(model, split(diabetes()), squared))


def network_wine(rate: float, alpha: float, hidden: int, activation: str) -> list[float]:
    parts = split(datasets.load_wine(return_X_y=True))
    model = MLPClassifier(
        hidden_layer_sizes=(hidden,),
        learning_rate_init=rate,
        alpha=alpha,
        activation=activation,
        batch_size=16,
        random_state=0,
    )
    return list(passes(model, parts, unlikely, np.unique(parts[2])))


def linear(
    data: tuple[Any, Any], loss: str, penalty: str, alpha: float, eta0: float, schedule: str
) -> list[float]:
    parts = split(data)
    model = SGDClassifier(
        loss=loss, penalty=penalty, alpha=alpha, eta0=eta0, learning_rate=schedule, random_state=0
    )
    return list(passes(model, parts, wrong, np.unique(parts[2])))


def staged(model: Any, data: tuple[Any, Any]) -> list[float]:
    """After every fifth tree."""
    train_x, test_x, train_y, test_y = split(data)
    model.set_params(n_estimators=5 * EPOCHS, random_state=0).fit(train_x, train_y)
    if isinstance(model, GradientBoostingClassifier):
        losses = [log_loss(test_y, np.clip(p, 1e-6, 1.0)) for p in model.staged_predict_proba(test_x)]
    else:
        losses = [mean_squared_error(test_y, prediction) for prediction in model.staged_predict(test_x)]
    return [float(loss) for loss in losses[4::5]]


def trees(family: Any, data: tuple[Any, Any]) -> Callable[..., list[float]]:
    return lambda rate, depth, subsample, features: staged(
        family(learning_rate=rate, max_depth=depth, subsample=subsample, max_features=features), data
    )


LINEAR = [
    categorical("loss", "hinge", "log_loss", "modified_huber"),
    categorical("penalty", "l1", "l2"),
    double("alpha", 1e-6, 1.0, 7, log=True),
    double("eta0", 1e-4, 10.0, 6, log=True),
    categorical("schedule", "constant", "invscaling"),
]
TREES = [
    double("learning_rate", 0.01, 1.0, 7, log=True),
    integer("max_depth", (1, 2, 3, 5)),
    double("subsample", 0.3, 1.0, 3),
    double("max_features", 0.1, 1.0, 3),
]

MODELS: dict[str, tuple[list[Axis], Callable[..., list[float]]]] = {
    "adam-digits": (
        [
            double("learning_rate", 1e-4, 1e-1, 7, log=True),
            double("alpha", 1e-5, 1.0, 3, log=True),
            integer("hidden", (8, 16, 32, 64), log=True),
            discrete("batch", 16, 64),
        ],
        network_adam,
    ),
    "network-diabetes": (
        [
            double("learning_rate", 1e-4, 1e-1, 7, log=True),
            double("alpha", 1e-5, 10.0, 4, log=True),
            integer("hidden", (4, 16, 64), log=True),
            categorical("activation", "relu", "tanh"),
        ],
        network_diabetes,
    ),
    "linear-cancer": (LINEAR, lambda *point: linear(cancer(), *point)),
    "trees-diabetes": (TREES, trees(GradientBoostingRegressor, diabetes())),
    "momentum-digits": (
        [
            double("learning_rate", 1e-4, 1.0, 7, log=True),
            double("momentum", 0.0, 0.98, 4),
            integer("hidden", (8, 24, 64), log=True),
            categorical("activation", "logistic", "relu"),
        ],
        network_momentum,
    ),
    "network-wine": (
        [
            double("learning_rate", 1e-4, 1e-1, 7, log=True),
            double("alpha", 1e-5, 10.0, 4, log=True),
            integer("hidden", (2, 8, 32), log=True),
            categorical("activation", "relu", "tanh"),
        ],
        network_wine,
    ),
    "linear-digits": (LINEAR, lambda *point: linear(digits(700), *point)),
    "trees-cancer": (TREES, trees(GradientBoostingClassifier, cancer())),
}


def tabulate(name: str) -> None:
    axes, curve = MODELS[name]
    curves = [curve(*point) for point in product(*(axis.nodes for axis in axes))]
    document = {
        "axes": [{"name": a.name, "kind": a.kind, "scale": a.scale, "nodes": list(a.nodes)} for a in axes],
        "epochs": EPOCHS,
        "losses": [float(f"{x:.4g}") for curve in curves for x in curve],
    }
    (CURVES / f"{name}.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")


def main() -> None:
    warnings.simplefilter("ignore")  # Some corners of the grids are meant not to converge.
    CURVES.mkdir(exist_ok=True)
    for name in sys.argv[1:] or MODELS:
        tabulate(name)
        print(name, flush=True)


if __name__ == "__main__":
    main()
