"""Tell benign from malignant tumours with a linear model; report the log loss with cloudml-hypertune."""

import argparse

import hypertune
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--alpha", type=float, default=0.0001, help="strength of the regularisation")
    parser.add_argument("--penalty", choices=["l1", "l2", "elasticnet"], default="l2")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--job-dir", help="passed to every trainer; hypertune reports without it")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    features, labels = load_breast_cancer(return_X_y=True)
    train, held_out, train_labels, held_out_labels = train_test_split(
        features, labels, test_size=0.4, stratify=labels, random_state=0
    )
    scaler = StandardScaler().fit(train)
    model = SGDClassifier(
        loss="log_loss",
        penalty=arguments.penalty,
        alpha=arguments.alpha,
        learning_rate="constant",
        eta0=arguments.learning_rate,
        random_state=0,
    )
    reporter = hypertune.HyperTune()
    for epoch in range(1, arguments.epochs + 1):
        model.partial_fit(scaler.transform(train), train_labels, classes=np.unique(labels))
        loss = log_loss(held_out_labels, model.predict_proba(scaler.transform(held_out)))
        reporter.report_hyperparameter_tuning_metric("log_loss", loss, global_step=epoch)
        print(f"epoch {epoch}: log_loss {loss:.4f}", flush=True)


if __name__ == "__main__":
    main()
