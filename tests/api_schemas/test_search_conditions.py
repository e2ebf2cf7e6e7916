"""Conditional parameters and forbidden combinations (docs/contract.md 6.7): what is read, what is refused."""

import time
from typing import Any

import pytest

from api_schemas.wire import to_wire
from tests.api_schemas.job_bodies import fields, refusal, training, tuning_job

OPT = {"parameterName": "opt", "type": "CATEGORICAL", "categoricalValues": ["adam", "sgd"]}
BATCH = {"parameterName": "batch", "type": "DISCRETE", "discreteValues": [32.0, 64.0]}
MOMENTUM = {"parameterName": "momentum", "type": "DOUBLE", "minValue": -1, "maxValue": 1}
SGD = {"parameterName": "opt", "values": ["sgd"]}
AT = "hyperparameters"


def conditional(condition: dict[str, Any], *, last: dict[str, Any] = MOMENTUM, **spec: Any) -> dict[str, Any]:
    return tuning_job(OPT, BATCH, last | {"conditions": [condition]}, **spec)


def forbidding(*conditions: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return tuning_job(OPT, BATCH, MOMENTUM, forbidden=[{"conditions": list(conditions)}], **spec)


@pytest.mark.parametrize(
    "condition",
    [
        SGD,
        {"parameterName": "batch", "values": [32, "64"]},
        {"parameterName": "batch", "min": 0},
        {"parameterName": "batch", "min": "40", "max": 1e3},
        {"parameterName": "batch", "min": 32, "max": 32},
    ],
)
def test_conditions_are_kept_as_they_were_given(condition: dict[str, Any]) -> None:
    for body in (conditional(condition), forbidding(condition)):
        spec = training(body).hyperparameters
        assert spec is not None
        told = spec.params[2].conditions or spec.forbidden[0].conditions
        written = to_wire(told[0])
        assert written.keys() == condition.keys(), "also a bound of 0, which proto would leave out"
        assert training(tuning_job(**to_wire(spec))).hyperparameters == spec


@pytest.mark.parametrize(
    ("condition", "field"),
    [
        ({"values": ["sgd"]}, "parameter_name"),
        ({"parameterName": "speed", "values": ["sgd"]}, "parameter_name"),
        ({"parameterName": "opt"}, "values"),
        ({"parameterName": "batch", "values": [32], "min": 1}, "values"),
        ({"parameterName": "opt", "values": ["sgd", "rmsprop"]}, "values[1]"),
        ({"parameterName": "batch", "values": [33]}, "values[0]"),
        ({"parameterName": "batch", "values": ["many"]}, "values[0]"),
        ({"parameterName": "opt", "min": 1}, "min"),
        ({"parameterName": "batch", "max": "NaN"}, "max"),
        ({"parameterName": "batch", "min": 64, "max": 32}, "min"),
        ({"parameterName": "batch", "min": 33, "max": 63}, "min"),
        ({"parameterName": "batch", "min": 65}, "min"),
        ({"parameterName": "batch", "max": 31}, "max"),
    ],
)
def test_a_condition_that_can_t_be_meant_is_refused(condition: dict[str, Any], field: str) -> None:
    assert fields(refusal(conditional(condition))) == [f"{AT}.params[2].conditions[0].{field}"]
    assert fields(refusal(forbidding(SGD, condition))) == [f"{AT}.forbidden[0].conditions[1].{field}"]


@pytest.mark.parametrize(
    ("kind", "bounds", "why"),
    [
        ("DOUBLE", {"min": 5}, "'layers' has no value of at least 5."),
        ("DOUBLE", {"max": 0.5}, "'layers' has no value of at most 0.5."),
        ("DOUBLE", {"min": 3, "max": 2}, "'layers' has no value of at least 3 and at most 2."),
        ("INTEGER", {"min": 2.25, "max": 2.75}, "'layers' has no value of at least 2.25 and at most 2.75."),
    ],
)
def test_a_condition_that_can_never_hold_is_refused(kind: str, bounds: dict[str, float], why: str) -> None:
    layers = {"parameterName": "layers", "type": kind, "minValue": 1, "maxValue": 4}
    late = MOMENTUM | {"conditions": [{"parameterName": "layers", **bounds}]}
    assert why in refusal(tuning_job(layers, late)).message


@pytest.mark.parametrize("name", ["momentum", "late"])
def test_a_parameter_depends_on_those_before_it_only(name: str) -> None:
    condition = {"parameterName": name, "min": 0}
    late = MOMENTUM | {"parameterName": "late"}
    body = tuning_job(OPT, MOMENTUM | {"conditions": [condition]}, late)
    assert fields(refusal(body)) == [f"{AT}.params[1].conditions[0].parameter_name"]


def test_a_combination_of_nothing_is_refused() -> None:
    assert fields(refusal(forbidding())) == [f"{AT}.forbidden[0].conditions"]


def test_a_grid_with_rules_has_its_limits() -> None:
    many = {"parameterName": "n", "type": "INTEGER", "minValue": 1, "maxValue": 10_001}
    assert fields(refusal(conditional(SGD, last=many, algorithm="GRID_SEARCH"))) == [f"{AT}.params"]
    assert training(conditional(SGD, last=many)).hyperparameters


def test_there_are_only_so_many() -> None:
    assert fields(refusal(forbidding(*[SGD] * 101))) == [AT]
    many = {"parameterName": "batch", "values": ["32"] * 1001}
    assert fields(refusal(forbidding(many))) == [f"{AT}.forbidden[0].conditions[0].values"]


@pytest.mark.parametrize("bound", ["Infinity", "NaN", 1e308])
def test_a_grid_with_rules_and_without_an_end_is_refused_for_its_bound(bound: Any) -> None:
    endless = {"parameterName": "n", "type": "INTEGER", "minValue": 1, "maxValue": bound}
    wrong = conditional(SGD, last=endless, algorithm="GRID_SEARCH")
    assert fields(refusal(wrong)) == [f"{AT}.params[2].max_value"]


def test_values_are_looked_up_not_searched_for() -> None:
    """Ten megabytes have room for a million categories, of which conditions name a hundred thousand."""
    names = [str(number) for number in range(20_000)]
    many = {"parameterName": "many", "type": "CATEGORICAL", "categoricalValues": names}
    last = {"conditions": [{"parameterName": "many", "values": names[-1000:]}]}
    began = time.process_time()
    assert training(tuning_job(many, forbidden=[last] * 5)).hyperparameters
    assert time.process_time() - began < 2.0


class TestInitialTrials:
    @staticmethod
    def beginning(**values: Any) -> dict[str, Any]:
        return conditional(
            SGD,
            forbidden=[{"conditions": [{"parameterName": "momentum", "min": 0.9}]}],
            initialTrials=[{"hyperparameters": values}],
        )

    @pytest.mark.parametrize(
        "values", [{"opt": "adam", "batch": 32}, {"opt": "sgd", "batch": 32, "momentum": 0}]
    )
    def test_they_name_the_active_parameters(self, values: dict[str, Any]) -> None:
        assert training(self.beginning(**values)).hyperparameters

    @pytest.mark.parametrize(
        ("values", "said"),
        [
            ({"opt": "adam", "batch": 32, "momentum": 0}, "'momentum' is not active"),
            ({"opt": "sgd", "batch": 32}, "'momentum' is missing"),
            ({"opt": "sgd", "batch": 32, "momentum": 0.9}, "forbidden by forbidden[0]"),
        ],
    )
    def test_others_are_refused(self, values: dict[str, Any], said: str) -> None:
        [violation] = refusal(self.beginning(**values)).violations
        assert said in violation.description
        assert violation.field == f"{AT}.initial_trials[0].hyperparameters"
