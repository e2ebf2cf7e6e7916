"""What breaks a rule of a search and its parameters (docs/contract.md 2.5, 2.6, 6.1), and what does not."""

from typing import Any

import pytest

from tests.api_schemas.job_bodies import LEARNING_RATE, fields, job, parse, refusal, tuning_job

DOUBLE = LEARNING_RATE
INTEGER = {"parameterName": "layers", "type": "INTEGER", "minValue": 1.0, "maxValue": 8.0}
DISCRETE = {"parameterName": "batch", "type": "DISCRETE", "discreteValues": [32.0, 64.0]}
CATEGORICAL = {"parameterName": "opt", "type": "CATEGORICAL", "categoricalValues": ["adam", "sgd"]}
LOG, REVERSE_LOG = "UNIT_LOG_SCALE", "UNIT_REVERSE_LOG_SCALE"
TOO_LARGE = 2**53 + 2

OF_THE_SEARCH: list[tuple[str, dict[str, Any], list[str]]] = [
    ("no parameters", job(hyperparameters={}), ["params"]),
    ("fewer than no trials", tuning_job(maxTrials=-1), ["max_trials"]),
    ("too many trials", tuning_job(maxTrials=100_001), ["max_trials"]),
    ("fewer than no parallel trials", tuning_job(maxParallelTrials=-1), ["max_parallel_trials"]),
    ("fewer than no failed trials", tuning_job(maxFailedTrials=-1), ["max_failed_trials"]),
    ("a predecessor that no job can be", tuning_job(resumePreviousJobId="a-b"), ["resume_previous_job_id"]),
    ("what is not served yet", tuning_job(algorithm="POPULATION_BASED_TRAINING"), ["algorithm"]),
    ("a grid over a range", tuning_job(INTEGER, DOUBLE, algorithm="GRID_SEARCH"), ["params[1].type"]),
    ("one name twice", tuning_job(DOUBLE, INTEGER, DOUBLE), ["params[2].parameter_name"]),
    (
        "no names, which are not the same name",
        tuning_job(DOUBLE | {"parameterName": ""}, DOUBLE | {"parameterName": None}),
        ["params[0].parameter_name", "params[1].parameter_name"],
    ),
]

EARLY = "enableTrialEarlyStopping"

OF_EARLY_STOPPING: list[tuple[str, dict[str, Any], list[str]]] = [
    ("fewer than no ended trials", {"minFinishedTrials": -1}, ["min_finished_trials"]),
    ("steps before the first", {"graceSteps": "-1"}, ["grace_steps"]),
    ("less than no time", {"gracePeriod": "-1s"}, ["grace_period"]),
    ("a share above all", {"auditShare": 1.1}, ["audit_share"]),
    ("a share that is no number", {"auditShare": "NaN"}, ["audit_share"]),
    ("a chance above a half", {"rule": "DECAY_CURVE", "probability": 0.6}, ["probability"]),
    ("a factor that lets all go on", {"rule": "ASHA", "reductionFactor": 1}, ["reduction_factor"]),
    ("a factor that is no number", {"rule": "ASHA", "reductionFactor": "NaN"}, ["reduction_factor"]),
    ("a factor without end", {"rule": "ASHA", "reductionFactor": "Infinity"}, ["reduction_factor"]),
    ("a rung before the first step", {"rule": "ASHA", "firstRung": "-1"}, ["first_rung"]),
    ("more than the best", {"rule": "CURVEFITTING", "threshold": 1.5}, ["threshold"]),
    ("a gap of less than nothing", {"rule": "CURVEFITTING", "gap": -1}, ["gap"]),
    ("an argument of another rule", {"rule": "MEDIAN", "firstRung": "1"}, ["first_rung"]),
    ("an argument of a rule, and no rule", {"probability": 0.1}, ["probability"]),
]

OF_A_PARAMETER: list[tuple[str, dict[str, Any], list[str]]] = [
    ("no type", DOUBLE | {"type": None}, ["type"]),
    ("an unspecified type", DOUBLE | {"type": "PARAMETER_TYPE_UNSPECIFIED"}, ["type"]),
    ("dashes before the name", DOUBLE | {"parameterName": "--lr"}, ["parameter_name"]),
    ("an equals sign in the name", DOUBLE | {"parameterName": "lr=1"}, ["parameter_name"]),
    ("a space in the name", DOUBLE | {"parameterName": "l r"}, ["parameter_name"]),
    ("a line break in the name", DOUBLE | {"parameterName": "lr\n"}, ["parameter_name"]),
    ("an invisible character in the name", DOUBLE | {"parameterName": "lr\u200b"}, ["parameter_name"]),
    # Ranges
    ("no bounds", {"parameterName": "a", "type": "DOUBLE"}, ["max_value"]),
    ("bounds of 0, which are none", DOUBLE | {"minValue": 0, "maxValue": 0}, ["max_value"]),
    ("bounds out of order", DOUBLE | {"minValue": 1, "maxValue": 0.5}, ["max_value"]),
    ("an absent upper bound is 0", {"parameterName": "a", "type": "INTEGER", "minValue": 3}, ["max_value"]),
    ("a bound of infinity", DOUBLE | {"maxValue": "Infinity"}, ["max_value"]),
    ("a bound of NaN", DOUBLE | {"minValue": "NaN"}, ["min_value"]),
    ("a range wider than any double", DOUBLE | {"minValue": -1.7e308, "maxValue": 1.7e308}, ["max_value"]),
    (
        "a range farther out than half a double",
        DOUBLE | {"minValue": 1e308, "maxValue": 1.7e308},
        ["max_value"],
    ),
    ("half a layer", INTEGER | {"minValue": 0.5}, ["min_value"]),
    ("layers and a half", INTEGER | {"maxValue": 8.5}, ["max_value"]),
    ("more than a double counts", INTEGER | {"maxValue": TOO_LARGE}, ["max_value"]),
    ("less than a double counts", INTEGER | {"minValue": -TOO_LARGE}, ["min_value"]),
    ("a logarithm of 0", DOUBLE | {"minValue": 0, "scaleType": LOG}, ["min_value"]),
    ("a logarithm of nothing", {**DOUBLE, "minValue": None, "scaleType": LOG}, ["min_value"]),
    ("a logarithm below 0", INTEGER | {"minValue": -1, "scaleType": LOG}, ["min_value"]),
    ("a reverse logarithm of 0", DOUBLE | {"minValue": 0, "scaleType": REVERSE_LOG}, ["min_value"]),
    # Discrete
    ("no values", DISCRETE | {"discreteValues": []}, ["discrete_values"]),
    ("absent values", {"parameterName": "a", "type": "DISCRETE"}, ["discrete_values"]),
    ("values that fall", DISCRETE | {"discreteValues": [1, 3, 2]}, ["discrete_values[2]"]),
    ("a value twice", DISCRETE | {"discreteValues": [1, 1]}, ["discrete_values[1]"]),
    ("two zeros", DISCRETE | {"discreteValues": [-0.0, 0.0]}, ["discrete_values[1]"]),
    ("a value of NaN", DISCRETE | {"discreteValues": [1, "NaN"]}, ["discrete_values[1]"]),
    ("a value of infinity", DISCRETE | {"discreteValues": ["-Infinity", 1]}, ["discrete_values[0]"]),
    ("1001 values", DISCRETE | {"discreteValues": list(range(1001))}, ["discrete_values"]),
    # Categorical
    ("no categories", CATEGORICAL | {"categoricalValues": []}, ["categorical_values"]),
    ("a category twice", CATEGORICAL | {"categoricalValues": ["a", "b", "a"]}, ["categorical_values"]),
    ("bounds of categories", CATEGORICAL | {"minValue": 1, "maxValue": 2}, ["min_value", "max_value"]),
    ("a scale of categories", CATEGORICAL | {"scaleType": LOG}, ["scale_type"]),
]


@pytest.mark.parametrize(
    ("body", "violated"), [pytest.param(body, told, id=name) for name, body, told in OF_THE_SEARCH]
)
def test_a_broken_rule_of_the_search_names_its_field(body: dict[str, Any], violated: list[str]) -> None:
    assert fields(refusal(body)) == [f"hyperparameters.{field}" for field in violated]


@pytest.mark.parametrize(
    ("parameter", "violated"), [pytest.param(given, told, id=name) for name, given, told in OF_A_PARAMETER]
)
def test_a_broken_rule_of_a_parameter_names_it_and_its_field(
    parameter: dict[str, Any], violated: list[str]
) -> None:
    other = DOUBLE | {"parameterName": "other"}
    assert fields(refusal(tuning_job(other, parameter))) == [
        f"hyperparameters.params[1].{field}" for field in violated
    ]


ACCEPTED: list[tuple[str, dict[str, Any]]] = [
    ("a name with hyphens", DOUBLE | {"parameterName": "first-layer-size"}),
    ("a name of another alphabet", DOUBLE | {"parameterName": "größe"}),
    ("a lower bound that is absent", {"parameterName": "a", "type": "DOUBLE", "maxValue": 1}),
    ("an upper bound that is absent, of a range below 0", DOUBLE | {"minValue": -1, "maxValue": None}),
    ("a lower bound of 0 on a linear scale", DOUBLE | {"minValue": 0.0, "scaleType": "UNIT_LINEAR_SCALE"}),
    ("a range below 0", DOUBLE | {"minValue": -2, "maxValue": -1}),
    ("a range of one point", DOUBLE | {"minValue": 1, "maxValue": 1}),
    ("a range as wide as can be", DOUBLE | {"minValue": -8e307, "maxValue": 8e307}),
    ("the largest whole numbers", INTEGER | {"minValue": -(2**53), "maxValue": 2**53}),
    ("a logarithm of the smallest number", DOUBLE | {"minValue": 5e-324, "scaleType": LOG}),
    ("whole numbers on a log scale", INTEGER | {"scaleType": REVERSE_LOG}),
    ("a scale of discrete values, as one client sends", DISCRETE | {"scaleType": LOG}),
    ("bounds of discrete values, which are ignored", DISCRETE | {"minValue": 9, "maxValue": 1}),
    ("discrete values about 0", DISCRETE | {"discreteValues": [-1, 0, 0.5]}),
    ("1000 values", DISCRETE | {"discreteValues": list(range(1000))}),
    ("categories with spaces or like numbers", CATEGORICAL | {"categoricalValues": ["512 256", "1", ""]}),
    ("bounds of 0 and no scale, which are absent", CATEGORICAL | {"minValue": 0, "scaleType": "NONE"}),
]


@pytest.mark.parametrize("parameter", [pytest.param(given, id=name) for name, given in ACCEPTED])
def test_parameters_that_keep_the_rules_are_accepted(parameter: dict[str, Any]) -> None:
    assert parse(tuning_job(parameter)).training_input is not None


@pytest.mark.parametrize(
    "body",
    [
        job(hyperparameters={"resumePreviousJobId": "census_0", "maxTrials": 5}),
        tuning_job(INTEGER, DISCRETE, CATEGORICAL, algorithm="GRID_SEARCH"),
        tuning_job(DOUBLE, INTEGER, DISCRETE, CATEGORICAL, algorithm="RANDOM_SEARCH"),
        tuning_job(maxTrials=2, maxParallelTrials=10),
        tuning_job(maxTrials=0, maxParallelTrials=0, maxFailedTrials=0),
        tuning_job(maxTrials=100_000),
    ],
)
def test_searches_that_keep_the_rules_are_accepted(body: dict[str, Any]) -> None:
    assert parse(body).training_input is not None


def test_a_long_value_is_cut_where_it_is_quoted() -> None:
    long = "x" * 100_000
    body = tuning_job(
        DOUBLE | {"parameterName": f"-{long}"},
        CATEGORICAL | {"categoricalValues": [long, long]},
        resumePreviousJobId=f"{long}-",
    )
    assert len(refusal(body).message) < 1500


@pytest.mark.parametrize(
    ("spec", "violated"),
    [case[1:] for case in OF_EARLY_STOPPING],
    ids=[case[0] for case in OF_EARLY_STOPPING],
)
def test_early_stopping_that_breaks_a_rule_is_refused(spec: dict[str, Any], violated: list[str]) -> None:
    body = tuning_job(**{EARLY: True}, earlyStopping=spec)
    assert fields(refusal(body)) == [f"hyperparameters.early_stopping.{field}" for field in violated]


def test_an_unknown_stopping_rule_is_refused_with_those_there_are() -> None:
    error = refusal(tuning_job(**{EARLY: True}, earlyStopping={"rule": "BEST"}))
    assert "DECAY_CURVE" in error.message


def test_how_trials_are_stopped_early_needs_that_they_are() -> None:
    error = refusal(tuning_job(earlyStopping={"rule": "ASHA"}))
    assert fields(error) == ["hyperparameters.early_stopping"]
    assert "enableTrialEarlyStopping" in str(error.violations[0])


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {
            "rule": "median",
            "minFinishedTrials": 3,
            "graceSteps": "10",
            "gracePeriod": "90s",
            "auditShare": 0.1,
        },
        {"rule": "DECAY_CURVE", "probability": 0.5},
        {"rule": "ASHA", "firstRung": 1, "reductionFactor": 4},
        {"rule": "CURVEFITTING", "epochNum": 20, "startStep": 6, "threshold": 0.95, "gap": 2},
        {"rule": "MEDIANSTOP", "startStep": 3},
    ],
)
def test_early_stopping_that_keeps_the_rules_is_taken(spec: dict[str, Any]) -> None:
    parsed = parse(tuning_job(**{EARLY: True}, earlyStopping=spec))
    assert parsed.training_input is not None
