"""What was posted in canonical form comes back equal (docs/contract.md 1.7): so clients know their own jobs.

Bodies are made canonical here, field by field, and not by the code that writes answers.
"""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.service.door import Project, answer_of

Body = st.SearchStrategy[dict[str, Any]]


def message(**fields: st.SearchStrategy[Any]) -> Body:
    """Any of these fields, each or not."""
    return st.fixed_dictionaries({}, optional=fields)


def both(first: Body, second: Body) -> Body:
    return st.builds(lambda one, other: one | other, first, second)


characters = st.characters(codec="utf-8", exclude_characters="\0")
texts = st.text(characters, max_size=8)
words = st.text(characters, min_size=1, max_size=8)
int32 = st.integers(1, 100_000)
int64 = st.integers(1, 2**63 - 1).map(str)
doubles = st.floats(allow_nan=False, allow_infinity=False, max_value=1e300, min_value=-1e300).filter(bool)
durations = st.one_of(
    st.integers(1, 315_576_000_000).map(lambda seconds: f"{seconds}s"),
    st.decimals("0.000000001", "604800", places=9).map(lambda seconds: f"{seconds:f}".rstrip("0") + "s"),
).filter(lambda text: not text.endswith(".s"))

accelerators = st.just({}) | st.fixed_dictionaries(
    {"count": int64, "type": st.sampled_from(["NVIDIA_TESLA_T4", "TPU_V2"])}
)
disks = message(bootDiskType=st.sampled_from(["pd-ssd", "pd-standard"]), bootDiskSizeGb=int32)
replicas = message(acceleratorConfig=accelerators, diskConfig=disks, tpuTfVersion=words)
roles = message(
    workerType=st.just("n1-highcpu-16"),
    masterConfig=replicas,
    workerConfig=replicas,
    parameterServerConfig=replicas,
    evaluatorConfig=replicas,
)
machines = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {"scaleTier": st.sampled_from(["STANDARD_1", "PREMIUM_1", "BASIC_GPU", "BASIC_TPU"])}
    ),
    both(st.just({"scaleTier": "CUSTOM", "masterType": "n1-standard-4"}), roles),
)


def bounds(low: float, high: float) -> dict[str, float]:
    given = {"minValue": min(low, high), "maxValue": max(low, high)}
    return {name: bound for name, bound in given.items() if bound}


whole = st.integers(-(10**9), 10**9).filter(bool)
scales = message(scaleType=st.sampled_from(["UNIT_LINEAR_SCALE"]))
kinds: Body = st.one_of(
    both(st.builds(bounds, doubles, doubles).map(lambda given: given | {"type": "DOUBLE"}), scales),
    both(st.builds(bounds, whole, whole).map(lambda given: given | {"type": "INTEGER"}), scales),
    st.builds(bounds, st.just(1e-4), st.just(1)).map(
        lambda given: given | {"type": "DOUBLE", "scaleType": "UNIT_LOG_SCALE"}
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("DISCRETE"),
            "discreteValues": st.lists(doubles | whole | st.just(0), min_size=1, max_size=5, unique=True).map(
                sorted
            ),
        }
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("CATEGORICAL"),
            "categoricalValues": st.lists(texts, min_size=1, max_size=5, unique=True),
        }
    ),
)
searches = both(
    message(
        goal=st.sampled_from(["MAXIMIZE", "MINIMIZE"]),
        maxTrials=int32,
        maxParallelTrials=int32,
        maxFailedTrials=int32,
        hyperparameterMetricTag=words,
        enableTrialEarlyStopping=st.just(True),
        algorithm=st.just("RANDOM_SEARCH"),
    ),
    st.lists(kinds, min_size=1, max_size=4).map(
        lambda found: {"params": [{"parameterName": f"p{n}", **kind} for n, kind in enumerate(found)]}
    ),
)
trainings = both(
    machines,
    message(
        args=st.lists(texts, min_size=1, max_size=4),
        hyperparameters=searches,
        region=words,
        jobDir=st.sampled_from(["/out", "/out/", "file:///out/a%20b", "gs://bucket/out", "gs://bucket/out/"]),
        runtimeVersion=words,
        pythonVersion=words,
        serviceAccount=words,
        network=words,
        encryptionConfig=st.just({"kmsKeyName": "projects/p/locations/r/keyRings/k/cryptoKeys/c"}),
        scheduling=message(
            maxRunningTime=durations,
            maxWaitTime=st.integers(1800, 10**6).map(lambda seconds: f"{seconds}s"),
            priority=st.integers(1, 1000),
        ),
        useChiefInTfConfig=st.just(True),
        enableWebAccess=st.just(True),
    ),
)


@settings(
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(given=trainings)
def test_a_canonical_training_input_comes_back_equal(project: Project, given: dict[str, Any]) -> None:
    body = project.body(**given)
    created = answer_of(project.http.post("/jobs", json=body))
    assert created["trainingInput"] == body["trainingInput"]
    assert project.get(body["jobId"])["trainingInput"] == body["trainingInput"]
    listed = answer_of(project.http.get("/jobs", params={"pageSize": 1}))["jobs"]
    assert listed[0]["trainingInput"] == body["trainingInput"]
