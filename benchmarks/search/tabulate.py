"""Writes `tables/`: the losses of scikit-learn models over grids of their hyperparameters.

    python -m benchmarks.search.tabulate [NAME ...]

The tables are kept in the repository, so that a run is cheap and everyone searches the same landscapes,
whatever their version of scikit-learn. Written once with 1.9; writing them again may change the tasks.
"""

import json
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.ensemble import GradientBoostingClassifier, RandomForestRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import ElasticNet, SGDClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, QuantileTransformer, StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier

TABLES = Path(__file__).parent / "tables"
CLASSES = StratifiedKFold(3, shuffle=True, random_state=0)
NUMBERS = KFold(3, shuffle=True, random_state=0)


@dataclass(frozen=True)
class Axis:
    """One hyperparameter, and the values at which the model is trained; numbers between are interpolated."""

    name: str
    kind: str
    nodes: Sequence[Any]
    scale: str = "UNIT_LINEAR_SCALE"


def double(name: str, low: float, high: float, nodes: int, log: bool = False) -> Axis:
    spaced = np.geomspace(low, high, nodes) if log else np.linspace(low, high, nodes)
    scale = "UNIT_LOG_SCALE" if log else "UNIT_LINEAR_SCALE"
    return Axis(name, "DOUBLE", [float(f"{x:.6g}") for x in spaced], scale)


def integer(name: str, nodes: Iterable[int], log: bool = False) -> Axis:
    return Axis(name, "INTEGER", list(nodes), "UNIT_LOG_SCALE" if log else "UNIT_LINEAR_SCALE")


def discrete(name: str, *nodes: float) -> Axis:
    return Axis(name, "DISCRETE", nodes)


def categorical(name: str, *nodes: str) -> Axis:
    return Axis(name, "CATEGORICAL", nodes)


def digits(count: int) -> tuple[Any, Any]:
    x, y = datasets.load_digits(return_X_y=True)
    return x[:count] / 16.0, y[:count]


def cancer() -> tuple[Any, Any]:
    return datasets.load_breast_cancer(return_X_y=True)


def diabetes() -> tuple[Any, Any]:
    x, y = datasets.load_diabetes(return_X_y=True)
    return x / x.std(axis=0), (y - y.mean()) / y.std()


def error(model: Any, data: tuple[Any, Any]) -> float:
    return 1.0 - float(cross_val_score(model, *data, cv=CLASSES).mean())


def squared(model: Any, data: tuple[Any, Any]) -> float:
    return -float(cross_val_score(model, *data, cv=NUMBERS, scoring="neg_mean_squared_error").mean())


def likelihood(model: Any, data: tuple[Any, Any]) -> float:
    return -float(cross_val_score(model, *data, cv=CLASSES, scoring="neg_log_loss").mean())


def boosting(learning_rate: float, max_depth: int, subsample: float) -> list[float]:
    """The losses at every tenth tree."""
    train_x, test_x, train_y, test_y = train_test_split(*cancer(), test_size=0.4, random_state=0)
    model = GradientBoostingClassifier(
        learning_rate=learning_rate,
        max_depth=max_depth,
        subsample=subsample,
        n_estimators=200,
        random_state=0,
    ).fit(train_x, train_y)
    stages = list(model.staged_predict_proba(test_x))
    return [log_loss(test_y, stages[trees - 1]) for trees in TREES]


def network(rate: float, alpha: float, hidden: int, activation: str, batch: float) -> float:
    train_x, test_x, train_y, test_y = train_test_split(*digits(600), test_size=0.4, random_state=0)
    model = MLPClassifier(
        (hidden,),
        activation=activation,
        alpha=alpha,
        batch_size=int(batch),
        learning_rate_init=rate,
        max_iter=12,
        random_state=0,
    ).fit(train_x, train_y)
    return float(log_loss(test_y, np.clip(model.predict_proba(test_x), 1e-6, 1.0)))


def linear(alpha: float, l1_ratio: float, degree: float, scaler: str) -> float:
    first = {
        "standard": StandardScaler(),
        "uniform": QuantileTransformer(n_quantiles=50),
        "normal": QuantileTransformer(n_quantiles=50, output_distribution="normal"),
    }[scaler]
    polynomial = PolynomialFeatures(int(degree), include_bias=False)
    model = ElasticNet(alpha=alpha, l1_ratio=l1_ratio, max_iter=2000)
    return squared(make_pipeline(first, polynomial, model), diabetes())


TREES = (10, 20, 40, 70, 120, 200)

MODELS: dict[str, tuple[list[Axis], Callable[..., float | list[float]]]] = {
    "svc-digits": (
        [
            double("C", 1e-2, 1e3, 11, log=True),
            double("gamma", 1e-5, 1.0, 11, log=True),
            categorical("kernel", "poly", "rbf", "sigmoid"),
        ],
        lambda c, gamma, kernel: error(SVC(C=c, gamma=gamma, kernel=kernel), digits(600)),
    ),
    "forest-diabetes": (
        [
            integer("max_depth", (1, 2, 3, 4, 6, 8, 11, 15)),
            integer("min_samples_leaf", (1, 2, 3, 5, 8, 13, 20, 30), log=True),
            double("max_features", 0.1, 1.0, 5),
            categorical("bootstrap", "yes", "no"),
        ],
        lambda depth, leaf, features, bootstrap: squared(
            RandomForestRegressor(
                30,
                max_depth=depth,
                min_samples_leaf=leaf,
                max_features=features,
                bootstrap=bootstrap == "yes",
                random_state=0,
            ),
            diabetes(),
        ),
    ),
    "boosting-cancer": (
        [
            double("learning_rate", 0.005, 1.0, 8, log=True),
            integer("max_depth", (1, 2, 3, 4, 6)),
            double("subsample", 0.25, 1.0, 4),
            integer("trees", TREES, log=True),
        ],
        boosting,
    ),
    "network-digits": (
        [
            double("learning_rate", 1e-4, 1e-1, 7, log=True),
            double("alpha", 1e-5, 1.0, 3, log=True),
            integer("hidden", (4, 8, 16, 32, 64), log=True),
            categorical("activation", "logistic", "relu", "tanh"),
            discrete("batch", 16, 48, 144),
        ],
        network,
    ),
    "sgd-cancer": (
        [
            categorical("loss", "hinge", "log_loss", "modified_huber", "squared_hinge"),
            categorical("penalty", "elasticnet", "l1", "l2"),
            double("alpha", 1e-6, 1.0, 9, log=True),
            double("eta0", 1e-4, 10.0, 6, log=True),
            categorical("schedule", "adaptive", "constant", "invscaling"),
        ],
        lambda loss, penalty, alpha, eta0, schedule: error(
            make_pipeline(
                StandardScaler(),
                SGDClassifier(
                    loss=loss,
                    penalty=penalty,
                    alpha=alpha,
                    eta0=eta0,
                    learning_rate=schedule,
                    max_iter=20,
                    random_state=0,
                ),
            ),
            cancer(),
        ),
    ),
    "neighbours-digits": (
        [
            integer("n_neighbors", range(1, 41)),
            categorical("weights", "uniform", "distance"),
            categorical("metric", "chebyshev", "cosine", "euclidean", "manhattan"),
            integer("pixels", range(1, 9)),
        ],
        lambda count, weights, metric, pixels: error(
            KNeighborsClassifier(count, weights=weights, metric=metric, algorithm="brute"),
            (np.floor(digits(500)[0] * pixels), digits(500)[1]),
        ),
    ),
    "kernel-diabetes": (
        [
            double("alpha", 1e-4, 10.0, 11, log=True),
            double("gamma", 1e-4, 10.0, 11, log=True),
            categorical("kernel", "laplacian", "polynomial", "rbf"),
        ],
        lambda alpha, gamma, kernel: squared(
            KernelRidge(alpha=alpha, gamma=gamma, kernel=kernel, degree=2), diabetes()
        ),
    ),
    "tree-cancer": (
        [
            integer("max_depth", range(1, 13)),
            integer("min_samples_leaf", (1, 2, 4, 7, 12, 20, 30, 40), log=True),
            double("ccp_alpha", 1e-5, 0.1, 8, log=True),
            categorical("criterion", "entropy", "gini"),
        ],
        lambda depth, leaf, alpha, criterion: likelihood(
            DecisionTreeClassifier(
                max_depth=depth, min_samples_leaf=leaf, ccp_alpha=alpha, criterion=criterion, random_state=0
            ),
            cancer(),
        ),
    ),
    "linear-diabetes": (
        [
            double("alpha", 1e-3, 10.0, 13, log=True),
            double("l1_ratio", 0.0, 1.0, 6),
            discrete("degree", 1, 2),
            categorical("scaler", "normal", "standard", "uniform"),
        ],
        linear,
    ),
    "svr-diabetes": (
        [
            double("C", 1e-3, 1e3, 9, log=True),
            double("gamma", 1e-5, 10.0, 9, log=True),
            double("epsilon", 1e-3, 2.0, 6, log=True),
            categorical("kernel", "rbf", "sigmoid"),
        ],
        lambda c, gamma, epsilon, kernel: squared(
            SVR(C=c, gamma=gamma, epsilon=epsilon, kernel=kernel, max_iter=5000), diabetes()
        ),
    ),
}


def tabulate(name: str) -> None:
    axes, loss = MODELS[name]
    # A loss that is a list fills the last axis at once.
    searched = axes[:-1] if loss is boosting else axes
    losses = np.array([loss(*point) for point in product(*(axis.nodes for axis in searched))], dtype=float)
    document = {
        "axes": [{"name": a.name, "kind": a.kind, "scale": a.scale, "nodes": list(a.nodes)} for a in axes],
        "losses": [float(f"{x:.5g}") for x in losses.ravel()],
    }
    (TABLES / f"{name}.json").write_text(json.dumps(document, separators=(",", ":")) + "\n")


def main() -> None:
    warnings.simplefilter("ignore")  # Some corners of the grids are meant not to converge.
    TABLES.mkdir(exist_ok=True)
    for name in sys.argv[1:] or MODELS:
        tabulate(name)
        print(name, flush=True)


if __name__ == "__main__":
    main()
