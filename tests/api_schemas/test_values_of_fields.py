"""Which JSON values stand for which scalars (docs/contract.md 1.7)."""

import json
import math
from typing import Any

import pytest

from api_schemas.enums import GoalType, ParameterType, ScaleTier, ScaleType, WireEnum
from api_schemas.hyperparameters import HyperparameterSpec
from tests.api_schemas.job_bodies import LEARNING_RATE, custom_job, fields, job, refusal, training, tuning_job


def search(body: dict[str, Any]) -> HyperparameterSpec:
    spec = training(body).hyperparameters
    assert spec is not None
    return spec


# Enums


@pytest.mark.parametrize("written", ["BASIC_GPU", "basic_gpu", "basic-gpu", "Basic-Gpu", "BASIC-GPU", 6])
def test_an_enum_is_read_by_name_in_any_case_with_hyphens_or_by_number(written: object) -> None:
    assert training(job(scaleTier=written)).scale_tier is ScaleTier.BASIC_GPU


def test_every_enum_reads_all_its_names_and_numbers() -> None:
    for enum in WireEnum.__subclasses__():
        for member in enum:
            assert enum.read(member.name.lower().replace("_", "-")) is member
            assert enum.read(member.value) is member


def test_lower_case_custom_of_released_clients_is_read() -> None:
    assert training(custom_job(scaleTier="custom")).scale_tier is ScaleTier.CUSTOM


@pytest.mark.parametrize("written", ["HUGE", "", 2, -1, 6.5, True, [], {}])
def test_what_names_no_member_is_refused_with_those_there_are(written: object) -> None:
    error = refusal(job(scaleTier=written))
    assert fields(error) == ["job.training_input.scale_tier"]
    assert f"{json.dumps(written)}: must be one of BASIC, STANDARD_1" in error.message


def test_a_wrong_enum_deep_inside_is_told_by_its_path() -> None:
    body = tuning_job(LEARNING_RATE, LEARNING_RATE | {"parameterName": "b", "scaleType": "LOG"}, goal="MAX")
    assert fields(refusal(body)) == [
        "job.training_input.hyperparameters.goal",
        "job.training_input.hyperparameters.params[1].scale_type",
    ]


def test_what_a_search_does_not_say_has_its_documented_default() -> None:
    spec = search(tuning_job())
    assert spec.effective_goal is GoalType.MAXIMIZE
    assert spec.effective_algorithm == "ALGORITHM_UNSPECIFIED"
    assert spec.effective_max_trials == spec.effective_max_parallel_trials == 1
    assert spec.effective_metric_tag == "training/hptuning/metric"
    assert search(tuning_job(goal="GOAL_TYPE_UNSPECIFIED")).effective_goal is GoalType.MAXIMIZE
    assert search(tuning_job(maxTrials=0)).effective_max_trials == 1
    assert search(tuning_job(maxTrials=3, maxParallelTrials=8)).effective_max_parallel_trials == 3


# Whole numbers


@pytest.mark.parametrize(("written", "read"), [(4, 4), ("4", 4), (4.0, 4), ("0", 0), ("-0", 0), ("007", 7)])
def test_whole_numbers_are_read_from_numbers_and_strings(written: object, read: int) -> None:
    assert search(tuning_job(maxTrials=written)).max_trials == read
    assert training(custom_job(workerCount=written, workerType="n1-standard-4")).worker_count == read


@pytest.mark.parametrize("written", [1.5, "1.5", "", " 1", "1 ", "+1", "1e2", "٣", "0x1", True, [1], {}])
def test_what_is_no_whole_number_is_refused(written: object) -> None:
    assert fields(refusal(tuning_job(maxTrials=written))) == ["job.training_input.hyperparameters.max_trials"]
    assert fields(refusal(custom_job(workerCount=written))) == ["job.training_input.worker_count"]


@pytest.mark.parametrize("written", [2**31, str(2**31), -(2**31) - 1, 1e300])
def test_int32_has_its_range(written: object) -> None:
    assert "must be from -2147483648 to 2147483647" in refusal(tuning_job(maxTrials=written)).message


@pytest.mark.parametrize("written", [2**63, str(2**63), -(2**63) - 1, 10**100])
def test_int64_has_its_range(written: object) -> None:
    assert fields(refusal(custom_job(workerCount=written))) == ["job.training_input.worker_count"]


def test_the_largest_int64_is_read() -> None:
    machine = {"workerType": "n1-standard-4"}
    assert training(custom_job(workerCount=str(2**63 - 1), **machine)).worker_count == 2**63 - 1


# Doubles


@pytest.mark.parametrize("written", [0.5, "0.5", "5e-1", "0.05E+1", "5e-01"])
def test_doubles_are_read_from_numbers_and_strings(written: object) -> None:
    (parameter,) = search(tuning_job(LEARNING_RATE | {"maxValue": written})).params
    assert parameter.max_value == 0.5


@pytest.mark.parametrize(("written", "read"), [("Infinity", math.inf), ("-Infinity", -math.inf)])
def test_infinities_are_strings(written: str, read: float) -> None:
    discrete = {"parameterName": "a", "type": "DISCRETE", "discreteValues": [1], "minValue": written}
    (parameter,) = search(tuning_job(discrete)).params
    assert parameter.min_value == read


@pytest.mark.parametrize(
    "written", ["", "one", "inf", "nan", "1_000", " 1", "1.", ".5", "0x1p3", True, [], {}]
)
def test_what_is_no_number_is_refused(written: object) -> None:
    at = "job.training_input.hyperparameters.params[0].max_value"
    assert fields(refusal(tuning_job(LEARNING_RATE | {"maxValue": written}))) == [at]


def test_a_whole_number_beyond_every_double_is_refused() -> None:
    error = refusal(tuning_job(LEARNING_RATE | {"maxValue": 10**400}))
    assert "is too large for a double" in error.message


@pytest.mark.parametrize("written", ["1e999", '"1e999"', '"NaN"'])
def test_a_bound_that_is_not_finite_is_refused_by_the_rules(written: str) -> None:
    body = json.dumps(tuning_job(LEARNING_RATE | {"maxValue": "BOUND"})).replace('"BOUND"', written)
    error = refusal(body.encode())
    assert fields(error) == ["hyperparameters.params[0].max_value"]
    assert "Must be finite" in error.message


# Durations, truth, text


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("3600s", 3600.0),
        ("3.5s", 3.5),
        ("0.000000001s", 1e-9),
        ("0s", 0.0),
        ("315576000000s", 315576000000.0),
    ],
)
def test_durations_are_seconds_with_an_s(written: str, read: float) -> None:
    scheduling = training(job(scheduling={"maxRunningTime": written})).scheduling
    assert scheduling is not None
    assert scheduling.max_running_time == read


@pytest.mark.parametrize(
    "written",
    [
        "3600",
        "1h",
        "s",
        ".5s",
        "1.s",
        "1.0000000001s",
        "1e3s",
        " 1s",
        "１s",
        "315576000001s",
        3600,
        3600.5,
        {},
    ],
)
def test_what_is_no_duration_is_refused(written: object) -> None:
    error = refusal(job(scheduling={"maxRunningTime": written}))
    assert fields(error) == ["job.training_input.scheduling.max_running_time"]


def test_running_time_has_a_default_and_waiting_time_has_none() -> None:
    scheduling = training(job(scheduling={})).scheduling
    assert scheduling is not None
    assert scheduling.max_running_seconds == 604800.0
    assert scheduling.max_wait_seconds is None


def test_true_and_false_are_read() -> None:
    assert training(job(enableWebAccess=True)).enable_web_access is True
    assert training(job(enableWebAccess=False)).enable_web_access is False


@pytest.mark.parametrize("written", ["true", "True", 1, 0, "", []])
def test_nothing_else_is_true_or_false(written: object) -> None:
    assert fields(refusal(job(enableWebAccess=written))) == ["job.training_input.enable_web_access"]


@pytest.mark.parametrize("written", [1.15, 3, True, [], {}])
def test_a_text_is_a_string(written: object) -> None:
    # runtimeVersion: 1.15 without quotes is the classic of YAML files.
    error = refusal(job(runtimeVersion=written))
    assert fields(error) == ["job.training_input.runtime_version"]
    assert f"{json.dumps(written)}: must be a string." in error.message


def test_of_a_list_the_first_bad_item_is_told() -> None:
    assert fields(refusal(job(args=["a", 1, 2]))) == ["job.training_input.args[1]"]


def test_bad_values_of_several_fields_are_told_together() -> None:
    assert fields(refusal(job(args=[1], region=2, scaleTier="x"))) == [
        "job.training_input.scale_tier",
        "job.training_input.args[0]",
        "job.training_input.region",
    ]


def test_a_long_value_is_cut_where_it_is_quoted() -> None:
    assert len(refusal(job(scaleTier="x" * 10_000)).message) < 400
    assert len(refusal(job(scaleTier=["x"] * 10_000)).message) < 400


def test_the_label_of_a_wrong_value_is_quoted_as_it_was_given_and_cut() -> None:
    assert fields(refusal(job() | {"labels": {"camelCase": 1}})) == ["job.labels.camelCase"]
    assert len(refusal(job() | {"labels": {"x" * 10_000: 1}}).message) < 400


def test_types_of_parameters_are_read() -> None:
    spec = search(
        tuning_job(
            {"parameterName": "a", "type": "categorical", "categoricalValues": ["x"]},
            {"parameterName": "b", "type": 2, "minValue": 1, "maxValue": 2, "scaleType": "unit-log-scale"},
        )
    )
    assert [parameter.type for parameter in spec.params] == [ParameterType.CATEGORICAL, ParameterType.INTEGER]
    assert spec.params[1].scale_type is ScaleType.UNIT_LOG_SCALE
