"""Bodies of projects.jobs.create for tests, and what parsing says of them."""

import json
from typing import Any

from api_schemas.errors import InvalidArgument
from api_schemas.jobs import Job, TrainingInput
from api_schemas.parsing import parse_job

LEARNING_RATE = {"parameterName": "lr", "type": "DOUBLE", "minValue": 0.001, "maxValue": 0.1}


def job(**training: Any) -> dict[str, Any]:
    """The least that is a job, with these fields of trainingInput besides; None leaves one out."""
    least = {"packageUris": ["/packages/trainer.tar.gz"], "pythonModule": "trainer.task"}
    given = {key: value for key, value in {**least, **training}.items() if value is not None}
    return {"jobId": "census_1", "trainingInput": given}


def custom_job(**training: Any) -> dict[str, Any]:
    """A job of scale tier CUSTOM, with a Compute Engine master."""
    return job(**{"scaleTier": "CUSTOM", "masterType": "n1-standard-4", **training})


def tuning_job(*params: dict[str, Any], **hyperparameters: Any) -> dict[str, Any]:
    """A job that searches these parameters, or a learning rate."""
    return job(hyperparameters={"params": list(params) or [LEARNING_RATE], **hyperparameters})


def parse(body: Any) -> Job:
    return parse_job(json.dumps(body).encode())


def training(body: dict[str, Any]) -> TrainingInput:
    """The trainingInput that a body is read as."""
    parsed = parse(body).training_input
    assert parsed is not None
    return parsed


def refusal(body: dict[str, Any] | bytes) -> InvalidArgument:
    """The error that a body is refused with."""
    try:
        parse_job(body if isinstance(body, bytes) else json.dumps(body).encode())
    except InvalidArgument as error:
        return error
    raise AssertionError("the body was accepted")


def fields(error: InvalidArgument) -> list[str]:
    return [violation.field for violation in error.violations]
