"""The job files hold what the wire contract names, so that gcloud can submit them as they are."""

from pathlib import Path
from typing import Any

import pytest
import yaml

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/job.yaml"))

SPEC_KEYS = {
    "goal",
    "hyperparameterMetricTag",
    "maxTrials",
    "maxParallelTrials",
    "enableTrialEarlyStopping",
    "params",
}
RANGE = {"parameterName", "type", "minValue", "maxValue", "scaleType"}
PARAMETER_KEYS = {
    "DOUBLE": RANGE,
    "INTEGER": RANGE,
    "DISCRETE": {"parameterName", "type", "discreteValues"},
    "CATEGORICAL": {"parameterName", "type", "categoricalValues"},
}


def training_input(name: str) -> dict[str, Any]:
    job = yaml.safe_load((EXAMPLES / name / "job.yaml").read_text())
    assert list(job) == ["trainingInput"]
    found = job["trainingInput"]
    assert isinstance(found, dict)
    return found


def parameters(name: str) -> list[dict[str, Any]]:
    found = training_input(name)["hyperparameters"]["params"]
    assert isinstance(found, list)
    return found


def test_every_example_has_a_trainer_a_job_and_a_page() -> None:
    assert NAMES == ["digits", "hypertune", "smallest"]
    for name in NAMES:
        for file in ("trainer/__init__.py", "trainer/task.py", "README.md"):
            assert (EXAMPLES / name / file).is_file()


@pytest.mark.parametrize("name", NAMES)
def test_a_job_holds_the_contracts_keys_only(name: str) -> None:
    found = training_input(name)
    assert set(found) == {"scaleTier", "hyperparameters"}
    assert set(found["hyperparameters"]) == SPEC_KEYS
    for parameter in parameters(name):
        assert set(parameter) == PARAMETER_KEYS[parameter["type"]]


@pytest.mark.parametrize("name", NAMES)
def test_bounds_are_numbers_in_order_and_positive_where_the_scale_is_logarithmic(name: str) -> None:
    # YAML reads 1e-4 as a string, because its floats need a point; a job file must not fall into that.
    for parameter in parameters(name):
        if parameter["type"] in ("DOUBLE", "INTEGER"):
            low, high = parameter["minValue"], parameter["maxValue"]
            assert isinstance(low, int | float)
            assert isinstance(high, int | float)
            assert low < high
            assert low > 0 or parameter["scaleType"] == "UNIT_LINEAR_SCALE"
        elif parameter["type"] == "DISCRETE":
            assert parameter["discreteValues"] == sorted(set(parameter["discreteValues"]))
        else:
            assert all(isinstance(value, str) for value in parameter["categoricalValues"])


def test_digits_shows_all_four_kinds_of_parameters() -> None:
    assert {parameter["type"] for parameter in parameters("digits")} == set(PARAMETER_KEYS)
