"""Whatever comes in, it is read or refused: no other error leaves the parser."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from api_schemas.enums import Algorithm, GoalType, ParameterType, ScaleTier, ScaleType
from api_schemas.errors import ApiError
from api_schemas.hyperparameters import HyperparameterSpec, ParameterSpec
from api_schemas.jobs import Job, ReplicaConfig, Scheduling, TrainingInput
from api_schemas.parsing import parse_job
from api_schemas.scalars import Message
from api_schemas.wire import to_wire
from tests.api_schemas.job_strategies import jobs

MESSAGES: tuple[type[Message], ...] = (
    Job,
    TrainingInput,
    HyperparameterSpec,
    ParameterSpec,
    Scheduling,
    ReplicaConfig,
)
NAMES = sorted(
    {spelling for m in MESSAGES for name, f in m.model_fields.items() for spelling in (name, f.alias or name)}
)
ENUMS = [m.name for enum in (ScaleTier, Algorithm, GoalType, ParameterType, ScaleType) for m in enum]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from([*ENUMS, "a", "1800s", "-1s", "0.5s", "1e400", "NaN", "-Infinity", "/a", "5", "\0"]),
)
json_like = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=6)
    ),
    max_leaves=30,
)


def answered(body: bytes) -> Job | None:
    """What the parser makes of a body; None if it refuses it, and says so in JSON."""
    try:
        return parse_job(body)
    except ApiError as error:
        refused = error
    assert refused.http_status == 400
    assert refused.message
    json.dumps(refused.body(), allow_nan=False).encode("utf-8")
    return None


@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:\\u0d8e1-+. ntf', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    answered(body)


@given(json_like)
def test_any_json_is_read_or_refused(value: Any) -> None:
    answered(json.dumps(value).encode())


@given(st.dictionaries(st.sampled_from(NAMES), json_like, max_size=5))
def test_any_fields_of_a_job_are_read_or_refused(value: dict[str, Any]) -> None:
    least = {"packageUris": ["/p"], "pythonModule": "m", "hyperparameters": {"params": [value]}}
    answered(json.dumps({"jobId": "a", **value}).encode())
    answered(json.dumps({"jobId": "a", "trainingInput": {**least, **value}}).encode())
    answered(json.dumps({"jobId": "a", "trainingInput": least}).encode())


@settings(max_examples=300)
@given(jobs)
def test_the_canonical_form_of_a_job_is_read_as_itself(body: dict[str, Any]) -> None:
    job = answered(json.dumps(body).encode())
    if job is None:
        return
    wire = to_wire(job)
    text = json.dumps(wire, allow_nan=False)
    again = parse_job(text.encode())
    assert to_wire(again) == wire
    assert json.dumps(to_wire(again)) == text
    # The worker reads what was stored without the parser.
    if job.training_input is not None:
        stored = to_wire(job.training_input)
        assert to_wire(TrainingInput.model_validate(stored)) == stored
