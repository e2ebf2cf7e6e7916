"""Train a network on 8x8 digits and write its accuracy after every epoch as a TensorBoard scalar."""

import argparse

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from tensorboard.summary import Writer


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job-dir", required=True, help="where to write; each trial is given its own")
    parser.add_argument("--hidden-units", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=0.001)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--activation", choices=["identity", "logistic", "tanh", "relu"], default="relu")
    parser.add_argument("--epochs", type=int, default=16)
    return parser.parse_args()


def load_data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Images to train on and to validate with, then their labels; an image is 64 pixels from 0 to 1."""
    digits = load_digits()
    images, held_out, labels, held_out_labels = train_test_split(
        digits.images / 16, digits.target, test_size=0.4, stratify=digits.target, random_state=0
    )
    # Each training image is also shown moved by one pixel in all eight directions.
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    moved = [padded[:, row : row + 8, column : column + 8] for row in range(3) for column in range(3)]
    images, labels = np.concatenate(moved), np.tile(labels, len(moved))
    return images.reshape(-1, 64), held_out.reshape(-1, 64), labels, held_out_labels


def main() -> None:
    arguments = parse_arguments()
    images, held_out, labels, held_out_labels = load_data()
    model = MLPClassifier(
        hidden_layer_sizes=(arguments.hidden_units,),
        activation=arguments.activation,
        learning_rate_init=arguments.learning_rate,
        batch_size=arguments.batch_size,
        random_state=0,
    )
    writer = Writer(arguments.job_dir)
    for epoch in range(1, arguments.epochs + 1):
        model.partial_fit(images, labels, classes=np.arange(10))
        accuracy = model.score(held_out, held_out_labels)
        writer.add_scalar("accuracy", accuracy, epoch)  # the tag named in job.yaml
        writer.flush()  # now, not at the end: a hopeless trial can then be stopped early
        print(f"epoch {epoch}: accuracy {accuracy:.4f}", flush=True)
    writer.close()


if __name__ == "__main__":
    main()
