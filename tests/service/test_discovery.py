"""The discovery document: Google's client builds itself from it, and it says what v1's own document said."""

import json
from collections.abc import Iterator
from importlib import resources
from typing import Any

import httpx
import pytest
from google.auth.credentials import AnonymousCredentials
from googleapiclient import discovery  # type: ignore[import-untyped]
from googleapiclient.errors import HttpError  # type: ignore[import-untyped]

from service.discovery import document
from service.methods import METHODS
from tests.service.door import Door, Project, answer_of, error_of

SERVED = document("http://localhost:8080/")
V1: dict[str, Any] = json.loads(
    resources.files("googleapiclient").joinpath("discovery_cache/documents/ml.v1.json").read_text()
)
OURS = {
    "GoogleCloudMlV1__HyperparameterOutput.errorMessage",
    "GoogleCloudMlV1__HyperparameterSpec.forbidden",
    "GoogleCloudMlV1__HyperparameterSpec.initialTrials",
    "GoogleCloudMlV1__HyperparameterSpec.searchAlgorithm",
    "GoogleCloudMlV1__Job.waitReason",
    "GoogleCloudMlV1__ParameterSpec.conditions",
    "GoogleCloudMlV1__HyperparameterOutput.earlyStop",
    "GoogleCloudMlV1__HyperparameterSpec.earlyStopping",
    "GoogleCloudMlV1__TrainingOutput.earlyStopping",
    "GoogleCloudMlV1__HyperparameterSpec.algorithm: POPULATION_BASED_TRAINING",
}
"""What is in our document and not in v1's."""
WHAT_IT_IS = (
    "type",
    "format",
    "$ref",
    "location",
    "required",
    "pattern",
    "path",
    "flatPath",
    "httpMethod",
)


@pytest.fixture
def ml(project: Project) -> Iterator[Any]:
    with discovery.build(
        "ml",
        "v1",
        discoveryServiceUrl=f"{project.door.address}/$discovery/rest?version={{apiVersion}}",
        static_discovery=False,
        cache_discovery=False,
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
    ) as ml:
        yield ml


def test_a_client_made_from_the_document_does_all_that_is_served(project: Project, ml: Any) -> None:
    parent = f"projects/{project.name}"
    jobs = ml.projects().jobs()
    body = project.body("first", scaleTier="CUSTOM", masterType="standard")
    created = jobs.create(parent=parent, body=body).execute()
    assert created["trainingInput"] == body["trainingInput"]
    name = f"{parent}/jobs/first"
    assert jobs.get(name=name).execute() == created
    assert jobs.get(name=name, fields="jobId", prettyPrint=True, quotaUser="me").execute() == {
        "jobId": "first"
    }

    for number in range(3):
        jobs.create(parent=parent, body=project.body(f"job_{number}")).execute()
    listed: list[str] = []
    request = jobs.list(parent=parent, pageSize=3)
    while request is not None:
        answer = request.execute()
        listed += [job["jobId"] for job in answer["jobs"]]
        request = jobs.list_next(request, answer)
    assert listed == ["job_2", "job_1", "job_0", "first"]

    patched = jobs.patch(name=name, updateMask="labels", body={"labels": {"team": "x"}}).execute()
    assert patched["labels"] == {"team": "x"}
    policy = {"bindings": [{"role": "roles/ml.viewer", "members": ["user:ana@example.com"]}]}
    assert (
        jobs.setIamPolicy(resource=name, body={"policy": policy}).execute()["bindings"] == policy["bindings"]
    )
    read = jobs.getIamPolicy(resource=name, options_requestedPolicyVersion=1).execute()
    assert read["bindings"] == policy["bindings"]
    asked = {"permissions": ["ml.jobs.get"]}
    assert jobs.testIamPermissions(resource=name, body=asked).execute() == asked
    assert ml.projects().getConfig(name=parent).execute()["serviceAccount"]
    assert jobs.cancel(name=name).execute() == {}

    with pytest.raises(HttpError) as missing:
        jobs.get(name=f"{parent}/jobs/nope").execute()
    assert missing.value.status_code == 404


def test_a_client_made_from_the_document_sends_its_batches_here(project: Project, ml: Any) -> None:
    parent = f"projects/{project.name}"
    told: list[Any] = []
    batch = ml.new_batch_http_request(
        callback=lambda _, answer, error: told.append(error.status_code if error else answer)
    )
    batch.add(ml.projects().jobs().list(parent=parent))
    batch.add(ml.projects().jobs().get(name=f"{parent}/jobs/nope"))
    batch.add(ml.projects().jobs().create(parent=parent, body=project.body("a"), fields="jobId"))
    batch.execute()
    assert told == [{}, 404, {"jobId": "a"}]


def test_the_document_is_where_clients_look_for_it_and_says_where_it_was_found(door: Door) -> None:
    with httpx.Client(base_url=door.address, trust_env=False) as http:
        (listed,) = answer_of(http.get("/discovery/v1/apis"))["items"]
        assert listed["id"] == "ml:v1"
        found = answer_of(http.get(listed["discoveryRestUrl"]))
        assert found == document(f"{door.address}/")
        assert answer_of(http.get("/$discovery/rest?version=v1")) == found
        assert answer_of(http.get("/$discovery/rest")) == found
        local = http.get("/$discovery/rest", headers={"Host": "LOCALHOST:81"})
        assert answer_of(local)["rootUrl"] == "http://localhost:81/"
        assert (
            answer_of(http.get("/$discovery/rest", headers={"Host": "localhost"}))["rootUrl"]
            == "http://localhost/"
        )


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "evil.example@localhost", ""])
def test_no_document_names_a_host_that_is_not_ours(door: Door, host: str) -> None:
    response = httpx.get(f"{door.address}/$discovery/rest", headers={"Host": host}, trust_env=False)
    assert response.status_code == 403 or "evil" not in response.text


@pytest.mark.parametrize("host", ["localhost:abc", "localhost:99999"])
def test_a_port_that_is_none_is_refused(door: Door, host: str) -> None:
    response = httpx.get(f"{door.address}/$discovery/rest", headers={"Host": host}, trust_env=False)
    error_of(response, 400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    "path",
    ["/$discovery/rest?version=v2", "/discovery/v1/apis/ml/v2/rest", "/discovery/v1/apis/storage/v1/rest"],
)
def test_other_apis_are_not_described(door: Door, path: str) -> None:
    error_of(httpx.get(f"{door.address}{path}", trust_env=False), 404, "NOT_FOUND")


def methods(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """{id: method} of a document or a resource in it."""
    found = {method["id"]: method for method in described.get("methods", {}).values()}
    for inner in described.get("resources", {}).values():
        found |= methods(inner)
    return found


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.id)
def test_each_method_is_that_of_v1(method: Any) -> None:
    ours, theirs = methods(SERVED)[f"ml.{method.id}"], methods(V1)[f"ml.{method.id}"]
    compare(ours, theirs)
    assert ours["parameterOrder"] == theirs["parameterOrder"]
    assert ours["parameters"].keys() == theirs["parameters"].keys()
    for name, parameter in ours["parameters"].items():
        compare(parameter, theirs["parameters"][name])
    for body in ("request", "response"):
        assert ours.get(body) == theirs.get(body)


def test_all_methods_of_v1_for_jobs_are_served() -> None:
    of_jobs = {name for name in methods(V1) if name.startswith("ml.projects.jobs.")}
    assert methods(SERVED).keys() == of_jobs | {"ml.projects.getConfig"}


OUR_MESSAGES = {
    *(f"GoogleCloudMlV1__{name}" for name in ("EarlyStop", "EarlyStoppingOutput", "EarlyStoppingSpec")),
    *(f"GoogleCloudMlV1__{name}" for name in ("ForbiddenCombination", "InitialTrial")),
    *(f"GoogleCloudMlV1__{name}" for name in ("ParameterCondition", "SearchAlgorithm")),
}


def test_all_other_messages_are_v1s() -> None:
    assert SERVED["schemas"].keys() - V1["schemas"].keys() == OUR_MESSAGES


@pytest.mark.parametrize("name", sorted(SERVED["schemas"].keys() - OUR_MESSAGES))
def test_each_message_is_that_of_v1(name: str) -> None:
    ours, theirs = SERVED["schemas"][name], V1["schemas"][name]
    assert (ours["id"], ours["type"]) == (theirs["id"], theirs["type"])
    for field, described in ours["properties"].items():
        if f"{name}.{field}" not in OURS:
            same_field(described, theirs["properties"][field], f"{name}.{field}")


def test_what_is_left_out_of_v1s_messages_is_known() -> None:
    left_out = {
        f"{name.rpartition('_')[2]}.{field}"
        for name, described in SERVED["schemas"].items()
        if name not in OUR_MESSAGES
        for field in V1["schemas"][name].get("properties", {}).keys() - described["properties"].keys()
    }
    assert left_out == {"Job.predictionInput", "Job.predictionOutput"}


def test_the_parameters_of_every_method_are_those_of_v1() -> None:
    assert V1["parameters"].keys() - SERVED["parameters"].keys() == {"callback"}
    for name, parameter in SERVED["parameters"].items():
        compare(parameter, V1["parameters"][name])
        assert set(parameter.get("enum", [])) <= set(V1["parameters"][name].get("enum", []))


def test_every_reference_is_to_something() -> None:
    text = json.dumps(SERVED)
    assert {part.split('"')[0] for part in text.split('"$ref": "')[1:]} <= SERVED["schemas"].keys()


def compare(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert {key: ours.get(key) for key in WHAT_IT_IS} == {key: theirs.get(key) for key in WHAT_IT_IS}


def same_field(ours: dict[str, Any], theirs: dict[str, Any], name: str) -> None:
    compare(ours, theirs)
    more = {f"{name}: {value}" for value in set(ours.get("enum", [])) ^ set(theirs.get("enum", []))}
    assert more <= OURS
    for inside in ("items", "additionalProperties"):
        assert (inside in ours) == (inside in theirs)
        if inside in ours:
            same_field(ours[inside], theirs[inside], name)
