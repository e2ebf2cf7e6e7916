"""Which names are fields, in which spellings, and how the others are told (docs/contract.md 1.7, 1.8)."""

from typing import Any

import pytest

from api_schemas.enums import ScaleTier
from api_schemas.parsing import TOLD_AT_MOST
from tests.api_schemas.job_bodies import LEARNING_RATE, fields, job, parse, refusal, training, tuning_job


def test_an_unknown_field_is_told_as_the_old_service_did() -> None:
    said = (
        "Invalid JSON payload received. Unknown name \"parameter_server_type\" at 'job': Cannot find field."
    )
    assert refusal(job() | {"parameter_server_type": "standard"}).body() == {
        "error": {
            "code": 400,
            "status": "INVALID_ARGUMENT",
            "message": said,
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.BadRequest",
                    "fieldViolations": [{"field": "job", "description": said}],
                }
            ],
        }
    }


@pytest.mark.parametrize(
    ("body", "path", "name"),
    [
        (job(gpus=1), "job.training_input", "gpus"),
        (job(masterConfig={"image": "a"}), "job.training_input.master_config", "image"),
        (job(scheduling={"timeout": "1s"}), "job.training_input.scheduling", "timeout"),
        (tuning_job(maxTrial=1), "job.training_input.hyperparameters", "maxTrial"),
        (
            tuning_job(LEARNING_RATE, {"name": "a"}),
            "job.training_input.hyperparameters.params[1]",
            "name",
        ),
        (
            job(workerConfig={"acceleratorConfig": {"kind": "K80"}}),
            "job.training_input.worker_config.accelerator_config",
            "kind",
        ),
    ],
)
def test_an_unknown_field_is_told_with_where_it_stands(body: dict[str, Any], path: str, name: str) -> None:
    error = refusal(body)
    assert fields(error) == [path]
    assert f"Unknown name \"{name}\" at '{path}'" in error.message


def test_several_unknown_fields_are_told_each_on_a_line() -> None:
    error = refusal(tuning_job(zeal=1) | {"owner": 1, "name": 2})
    assert fields(error) == ["job.training_input.hyperparameters", "job", "job"]
    assert error.message.splitlines() == [violation.description for violation in error.violations]


def test_a_long_name_is_cut_where_it_is_quoted() -> None:
    assert len(refusal(job() | {"x" * 10_000: 1}).message) < 200


@pytest.mark.parametrize("name", ["TrainingInput", "training-input", "TRAINING_INPUT", "training_Input", ""])
def test_only_two_spellings_of_a_field_exist(name: str) -> None:
    assert f'Unknown name "{name}"' in refusal({"jobId": "a", name: {}}).message


def test_snake_case_is_read_at_every_level() -> None:
    snake = {
        "job_id": "census_1",
        "training_input": {
            "package_uris": ["/packages/trainer.tar.gz"],
            "python_module": "trainer.task",
            "use_chief_in_tf_config": True,
            "master_config": {"disk_config": {"boot_disk_size_gb": 50}},
            "hyperparameters": {
                "max_trials": 3,
                "params": [{"parameter_name": "lr", "type": "DOUBLE", "min_value": 0.1, "maxValue": 1}],
            },
        },
    }
    camel = job(
        useChiefInTfConfig=True,
        masterConfig={"diskConfig": {"bootDiskSizeGb": 50}},
        hyperparameters={
            "maxTrials": 3,
            "params": [{"parameterName": "lr", "type": "DOUBLE", "minValue": 0.1, "maxValue": 1}],
        },
    )
    assert parse(snake) == parse(camel)


def test_a_field_given_in_both_spellings_is_refused_even_when_they_agree() -> None:
    error = refusal(job(region="a", scaleTier="BASIC", scale_tier="BASIC"))
    assert fields(error) == ["job.training_input.scale_tier"]
    assert "given twice" in error.message


def test_null_is_absent() -> None:
    nulls = tuning_job(LEARNING_RATE | {"scaleType": None}, resumePreviousJobId=None, max_trials=None)
    nulls |= {"labels": None, "predictionInput": None, "state": None}
    nulls["trainingInput"]["args"] = None
    assert parse(nulls) == parse(tuning_job())


def test_null_in_one_spelling_leaves_the_other() -> None:
    body = job(scale_tier="BASIC_GPU")
    body["trainingInput"]["scaleTier"] = None
    assert training(body).scale_tier == ScaleTier.BASIC_GPU


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (job(args=[None]), "job.training_input.args"),
        (job(args=["a", None]), "job.training_input.args"),
        (job(hyperparameters={"params": [None]}), "job.training_input.hyperparameters.params"),
        (job() | {"labels": {"team": None}}, "job.labels.team"),
    ],
)
def test_null_is_no_item_of_an_array_and_no_label(body: dict[str, Any], path: str) -> None:
    assert fields(refusal(body)) == [path]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"jobId": "a", "trainingInput": []}, "job.training_input"),
        ({"jobId": "a", "trainingInput": "trainer.task"}, "job.training_input"),
        (job(args="--epochs=3"), "job.training_input.args"),
        (job(args={"epochs": 3}), "job.training_input.args"),
        (job(masterConfig=[{}]), "job.training_input.master_config"),
        (tuning_job(params={"lr": {}}), "job.training_input.hyperparameters.params"),
        (job() | {"labels": ["team"]}, "job.labels"),
        (job() | {"labels": "team"}, "job.labels"),
        (job(pythonModule=["trainer.task"]), "job.training_input.python_module"),
        (job() | {"jobId": {"name": "a"}}, "job.job_id"),
    ],
)
def test_a_value_of_another_kind_than_the_field_is_refused(body: dict[str, Any], path: str) -> None:
    assert fields(refusal(body)) == [path]


def test_what_only_the_service_writes_is_ignored_whatever_it_is() -> None:
    returned = {
        "state": "RUNNING",
        "create_time": {"seconds": 1},
        "startTime": "yesterday",
        "end_time": -1,
        "errorMessage": [],
        "etag": "???",
        "jobPosition": "7",
        "waitReason": 7,
        "training_output": {"trials": [{"no": {"such": "field"}}]},
        "predictionOutput": 0,
    }
    assert parse(job() | returned) == parse(job())


def test_more_violations_than_anybody_reads_are_cut_with_a_note() -> None:
    error = refusal(job() | {f"unknown_{number}": 1 for number in range(TOLD_AT_MOST + 1)})
    assert len(error.violations) == TOLD_AT_MOST + 1
    assert error.violations[-1].description.startswith(f"More than {TOLD_AT_MOST} fields are wrong")

    exactly = refusal(job() | {f"unknown_{number}": 1 for number in range(TOLD_AT_MOST)})
    assert len(exactly.violations) == TOLD_AT_MOST
    assert "Unknown name" in exactly.violations[-1].description
