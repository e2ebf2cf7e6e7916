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


# Jobs that are nearly right


def maybe(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of these fields, each or not."""
    return st.fixed_dictionaries({}, optional=fields)


def written_as(numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Numbers as such, and as the strings that proto's JSON allows."""
    return numbers | numbers.map(str)


def members(enum: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(
        [form for member in enum for form in (member.name, member.name.lower(), member.value)]
    )


def parameter(kind: ParameterType, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from(["a", "b", "c-d", "ü", "learning_rate", "n"])
    written = st.sampled_from([kind.name, kind.name.lower(), kind.value])
    return st.fixed_dictionaries({"parameterName": names, "type": written, **fields})


def ranged(kind: ParameterType, numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    bounds = parameter(kind, minValue=numbers, maxValue=numbers).map(in_order)
    return st.builds(lambda given, scale: given | scale, bounds, maybe(scaleType=members(ScaleType)))


def in_order(given: dict[str, Any]) -> dict[str, Any]:
    low, high = sorted([given["minValue"], given["maxValue"]])
    return given | {"minValue": low, "maxValue": str(high)}


texts = st.text(max_size=6)
counts = written_as(st.integers(0, 5))
doubles = st.floats(allow_nan=False, allow_infinity=False)
durations = st.builds(
    lambda seconds, part: f"{seconds}{part}s", st.integers(0, 10**12), st.sampled_from(["", ".5"])
)
parameters = st.one_of(
    ranged(ParameterType.DOUBLE, doubles),
    ranged(ParameterType.INTEGER, st.integers(-(10**6), 10**6)),
    parameter(
        ParameterType.DISCRETE,
        discreteValues=st.lists(doubles, min_size=1, max_size=4, unique=True).map(sorted),
        minValue=st.sampled_from(["NaN", "-Infinity", -0.0, 1]),
    ),
    parameter(
        ParameterType.CATEGORICAL, categoricalValues=st.lists(texts, min_size=1, max_size=4, unique=True)
    ),
)
searches = st.fixed_dictionaries(
    {
        "params": st.lists(
            parameters, min_size=1, max_size=3, unique_by=lambda given: str(given["parameterName"])
        )
    },
    optional={
        "goal": members(GoalType),
        "maxTrials": counts,
        "maxParallelTrials": counts,
        "hyperparameterMetricTag": texts,
        "resumePreviousJobId": st.sampled_from(["", "earlier"]),
        "enableTrialEarlyStopping": st.booleans(),
        "algorithm": st.sampled_from(["RANDOM_SEARCH", 0, None]),
    },
)
replicas = maybe(
    acceleratorConfig=st.sampled_from(
        [{}, {"count": "0", "type": 0}, {"count": 2, "type": "nvidia-tesla-k80"}]
    ),
    diskConfig=maybe(bootDiskType=st.sampled_from(["", "pd-ssd"]), bootDiskSizeGb=counts),
)
machines = st.sampled_from([{}, {"scaleTier": 6}, {"scaleTier": "custom", "masterType": "n1-standard-4"}])
rest = maybe(
    workerCount=st.sampled_from([0, "0"]),
    masterConfig=replicas,
    workerConfig=replicas,
    args=st.lists(texts, max_size=2),
    jobDir=texts,
    scheduling=maybe(maxRunningTime=durations, maxWaitTime=durations, priority=counts),
    hyperparameters=searches,
    enableWebAccess=st.booleans(),
)
least = st.just({"packageUris": ["/p"], "pythonModule": "m"})
jobs = st.fixed_dictionaries(
    {
        "jobId": st.sampled_from(["a", "B_1"]),
        "trainingInput": st.builds(
            lambda *parts: {k: v for p in parts for k, v in p.items()}, least, machines, rest
        ),
    },
    optional={"labels": st.dictionaries(st.sampled_from(["a", "b1"]), st.sampled_from(["", "x"]))},
)


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
