"""Messages as canonical JSON of proto3, in which an answer repeats what was posted (docs/contract.md 1.7)."""

import json
from typing import Any

import pytest

from api_schemas.wire import to_wire
from tests.api_schemas.job_bodies import custom_job, job, parse, tuning_job

CANONICAL = {
    "jobId": "census_hp_1",
    "labels": {"owner": "ana"},
    "trainingInput": {
        "scaleTier": "CUSTOM",
        "masterType": "n1-standard-4",
        "workerType": "n1-standard-4",
        "workerCount": "2",
        "masterConfig": {
            "acceleratorConfig": {"count": "1", "type": "NVIDIA_TESLA_K80"},
            "diskConfig": {"bootDiskType": "pd-ssd", "bootDiskSizeGb": 100},
        },
        "region": "us-central1",
        "packageUris": ["gs://b/p/trainer-0.1.tar.gz"],
        "pythonModule": "trainer.task",
        "args": ["--train-files", "gs://b/adult.csv", ""],
        "jobDir": "gs://b/census_hp_1",
        "runtimeVersion": "1.15",
        "pythonVersion": "3.7",
        "useChiefInTfConfig": True,
        "scheduling": {"maxRunningTime": "7200s", "maxWaitTime": "1800.5s", "priority": 7},
        "encryptionConfig": {"kmsKeyName": "projects/p/locations/r/keyRings/k/cryptoKeys/c"},
        "hyperparameters": {
            "goal": "MAXIMIZE",
            "hyperparameterMetricTag": "accuracy",
            "maxTrials": 20,
            "maxParallelTrials": 2,
            "enableTrialEarlyStopping": True,
            "algorithm": "RANDOM_SEARCH",
            "params": [
                {
                    "parameterName": "learning-rate",
                    "type": "DOUBLE",
                    "minValue": 0.0001,
                    "maxValue": 0.1,
                    "scaleType": "UNIT_LOG_SCALE",
                },
                {"parameterName": "num-layers", "type": "INTEGER", "minValue": 2.0, "maxValue": 10.0},
                {"parameterName": "batch", "type": "DISCRETE", "discreteValues": [0.0, 32.0, 64.5]},
                {"parameterName": "opt", "type": "CATEGORICAL", "categoricalValues": ["adam", "sgd", ""]},
            ],
        },
    },
}


def wire(body: dict[str, Any]) -> dict[str, Any]:
    """The body as it would be answered; through JSON, as it travels."""
    written = to_wire(parse(body))
    assert json.loads(json.dumps(written, allow_nan=False)) == written
    return written


def test_what_was_posted_in_canonical_form_comes_back_equal() -> None:
    assert wire(CANONICAL) == CANONICAL


def test_whole_numbers_for_doubles_come_back_equal() -> None:
    body = tuning_job({"parameterName": "n", "type": "INTEGER", "minValue": 2, "maxValue": 10})
    assert wire(body) == body


def test_other_spellings_come_back_canonical() -> None:
    posted = {
        "job_id": "a",
        "training_input": {
            "scale_tier": "custom",
            "master_type": "n1-standard-4",
            "worker_type": "n1-standard-4",
            "worker_count": 2,
            "package_uris": ["/p"],
            "python_module": "m",
            "scheduling": {"max_running_time": "90.50s", "priority": "5"},
            "hyperparameters": {
                "goal": 2,
                "params": [{"parameter_name": "a", "type": "double", "min_value": "1e-4", "max_value": "1"}],
            },
        },
    }
    assert wire(posted) == {
        "jobId": "a",
        "trainingInput": {
            "scaleTier": "CUSTOM",
            "masterType": "n1-standard-4",
            "workerType": "n1-standard-4",
            "workerCount": "2",
            "packageUris": ["/p"],
            "pythonModule": "m",
            "scheduling": {"maxRunningTime": "90.5s", "priority": 5},
            "hyperparameters": {
                "goal": "MINIMIZE",
                "params": [{"parameterName": "a", "type": "DOUBLE", "minValue": 0.0001, "maxValue": 1.0}],
            },
        },
    }


@pytest.mark.parametrize(
    "zeros",
    [
        {"scaleTier": "BASIC"},
        {"workerCount": "0", "parameterServerCount": 0},
        {"enableWebAccess": False},
        {"args": []},
        {"region": ""},
        {"jobDir": None},
    ],
)
def test_what_has_its_default_is_left_out(zeros: dict[str, Any]) -> None:
    assert wire(job(**zeros)) == job()


def test_zeros_of_a_search_are_left_out() -> None:
    parameter = {"parameterName": "a", "type": "DOUBLE", "maxValue": 1.0}
    posted = tuning_job(
        parameter | {"minValue": -0.0, "scaleType": "NONE", "discreteValues": []},
        goal="GOAL_TYPE_UNSPECIFIED",
        maxTrials=0,
        algorithm=0,
        resumePreviousJobId="",
        enableTrialEarlyStopping=False,
    )
    assert wire(posted) == tuning_job(parameter)


def test_a_message_that_was_given_stays_though_it_is_empty() -> None:
    none = {"count": "0", "type": "ACCELERATOR_TYPE_UNSPECIFIED"}
    posted = custom_job(masterConfig={"acceleratorConfig": none}, scheduling={"maxWaitTime": "0s"})
    assert wire(posted) == custom_job(masterConfig={"acceleratorConfig": {}}, scheduling={})


def test_labels_are_not_dropped_for_empty_values() -> None:
    assert wire(job() | {"labels": {"spot": ""}})["labels"] == {"spot": ""}
    assert "labels" not in wire(job() | {"labels": {}})


@pytest.mark.parametrize("count", ["9007199254740993", str(2**63 - 1)])
def test_large_counts_keep_every_digit(count: str) -> None:
    body = custom_job(workerCount=count, workerType="n1-standard-4")
    assert wire(body) == body


@pytest.mark.parametrize(
    ("posted", "answered"),
    [
        ("3600s", "3600s"),
        ("3.500s", "3.5s"),
        ("0.000000001s", "0.000000001s"),
        ("100000s", "100000s"),
        ("315576000000s", "315576000000s"),
    ],
)
def test_durations_are_written_without_needless_zeros(posted: str, answered: str) -> None:
    assert wire(job(scheduling={"maxRunningTime": posted}))["trainingInput"]["scheduling"] == {
        "maxRunningTime": answered
    }


def test_numbers_that_json_lacks_are_strings() -> None:
    # Bounds of a discrete parameter mean nothing, so any are taken and given back.
    discrete = {"parameterName": "a", "type": "DISCRETE", "discreteValues": [1.0]}
    body = tuning_job(discrete | {"minValue": "NaN", "maxValue": "-Infinity"})
    assert wire(body) == body
