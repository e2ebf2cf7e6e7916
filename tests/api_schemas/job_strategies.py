"""Hypothesis strategies for jobs that are nearly right: about three of four keep every rule."""

from typing import Any

from hypothesis import strategies as st

from api_schemas.enums import GoalType, ParameterType, ScaleType


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
