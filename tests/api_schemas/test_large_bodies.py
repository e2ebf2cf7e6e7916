"""Bodies as large as the door lets in are answered, with an answer of a sane size."""

import json

import pytest

from api_schemas.parsing import MAX_ENTRIES, TOLD_AT_MOST
from tests.api_schemas.job_bodies import fields, job, refusal, training, tuning_job

TEN_MEGABYTES = 10 * 2**20
SANE = 100_000
"""Characters of an answer."""


def test_ten_thousand_categories_are_read() -> None:
    names = [f"category {number}" for number in range(10_000)]
    spec = training(
        tuning_job({"parameterName": "a", "type": "CATEGORICAL", "categoricalValues": names})
    ).hyperparameters
    assert spec is not None
    assert spec.params[0].categorical_values == names


def test_ten_megabytes_of_arguments_are_read() -> None:
    args = ["x" * 100] * (TEN_MEGABYTES // 100)
    assert training(job(args=args)).args == args


@pytest.mark.parametrize(
    "body",
    [
        job() | {f"u{number}": 0 for number in range(100_000)},
        tuning_job({f"u{number}": 0 for number in range(100_000)}),
        tuning_job(*[{"u": 0}] * MAX_ENTRIES),
    ],
    ids=["of the job", "of a parameter", "of many parameters"],
)
def test_of_many_unknown_fields_the_first_are_told(body: dict[str, object]) -> None:
    error = refusal(body)
    assert len(error.violations) == TOLD_AT_MOST + 1
    assert len(json.dumps(error.body())) < SANE


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (job(args=[1] * 1_000_000), "job.training_input.args[0]"),
        (
            tuning_job({"parameterName": "a", "type": "DISCRETE", "discreteValues": ["x"] * 1_000_000}),
            "job.training_input.hyperparameters.params[0].discrete_values[0]",
        ),
        (tuning_job(params=[1] * 1_000_000), "job.training_input.hyperparameters.params"),
        (tuning_job(params=[{}] * 1_000_000), "job.training_input.hyperparameters.params"),
        (job() | {"labels": {f"k{number}": 0 for number in range(100_000)}}, "job.labels"),
        (job(region=[[[0] * 1_000_000]]), "job.training_input.region"),
    ],
    ids=["texts", "numbers", "messages of another kind", "messages", "labels", "depth"],
)
def test_of_many_bad_values_one_is_told(body: dict[str, object], field: str) -> None:
    error = refusal(body)
    assert fields(error) == [field]
    assert len(error.message) < 400


def test_most_parameters_can_be_wrong_at_once() -> None:
    error = refusal(tuning_job(*[{"type": 99}] * MAX_ENTRIES))
    assert len(error.violations) == TOLD_AT_MOST + 1
    assert len(json.dumps(error.body())) < SANE


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":"' + rb"\"" * (TEN_MEGABYTES // 2),
        b'{"a":"' + b"\\" * TEN_MEGABYTES,
        b'"' * TEN_MEGABYTES,
        b"[" * TEN_MEGABYTES,
        b"]" * TEN_MEGABYTES,
        b" " * TEN_MEGABYTES,
        b'{"a":' + b"9" * TEN_MEGABYTES + b"}",
    ],
    ids=["escaped quotes", "backslashes", "quotes", "brackets", "closing brackets", "spaces", "digits"],
)
def test_what_is_hard_to_scan_is_refused_like_anything_else(body: bytes) -> None:
    # A scan that takes more than one pass would not end within the life of this test.
    assert fields(refusal(body)) == ["job"]
