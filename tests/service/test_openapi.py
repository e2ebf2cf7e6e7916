"""The OpenAPI document is true: of every route, and of every answer to requests that are made from it."""

from collections import Counter
from typing import Any

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from schemathesis.openapi.checks import JsonSchemaError
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from service.app import make_api
from service.methods import SERVED, method_of
from service.openapi import OTHERS, document
from store.database import Database
from store.states import State
from tests.service.door import ANYTHING_GOES, Door, Project, answer_of
from tests.stored_rows import NOW, add_ended_trial, add_job

DESCRIBED = document()
CHECKS = (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)
MAX_EXAMPLES = 15
OF_LARGE = 6
"""Of the thousand requests that cover each corner of a job's schema, one in so many is sent."""
STATUS = {
    400: {"INVALID_ARGUMENT", "FAILED_PRECONDITION"},
    404: {"NOT_FOUND"},
    409: {"ABORTED", "ALREADY_EXISTS"},
    501: {"UNIMPLEMENTED"},
}
sent: Counter[str] = Counter()

api = schemathesis.openapi.from_dict(DESCRIBED)
without_batches = api.exclude(path="/batch")  # Its parts are no JSON; they have tests of their own.


@without_batches.parametrize()
@settings(max_examples=MAX_EXAMPLES, derandomize=True, suppress_health_check=list(HealthCheck))
def test_whatever_is_sent_the_answer_is_as_described(case: Any, door: Door) -> None:
    label = case.operation.label
    sent[label] += 1
    if sent[label] > 100 and case.meta.phase.name == "coverage" and sent[label] % OF_LARGE:
        return
    response = case.call(base_url=door.address, timeout=60)
    case.validate_response(response, checks=CHECKS)
    if response.status_code != 200:
        error = response.json()["error"]
        assert error["code"] == response.status_code
        assert error["status"] in STATUS[response.status_code]
        assert "Traceback" not in response.text


def test_the_service_describes_itself_and_loads_nothing_from_elsewhere(door: Door) -> None:
    with httpx.Client(base_url=door.address, trust_env=False) as http:
        assert http.get("/openapi.json").json() == DESCRIBED
        for page in ("/docs", "/redoc", "/docs/oauth2-redirect"):
            assert http.get(page).status_code == 404


@pytest.fixture(scope="module")
def routes(database: Database) -> dict[tuple[str, str], set[str]]:
    """{(path, verb): the parameters that the route declares}; of all that it is said there are."""
    app = make_api(database, ANYTHING_GOES, lambda _: None)
    return {
        (path, verb): {parameter["name"] for parameter in operation.get("parameters", [])}
        for path, operations in FastAPI.openapi(app)["paths"].items()
        for verb, operation in operations.items()
    }


def test_each_route_is_described_and_each_description_is_of_a_route(
    routes: dict[tuple[str, str], set[str]],
) -> None:
    described = {(path, verb) for path, operations in DESCRIBED["paths"].items() for verb in operations}
    # The same document is at two addresses, and the path of one has parts that are the same each time.
    twice = {("/$discovery/rest", "get"), ("/discovery/v1/apis/{api}/{version}/rest", "get")}
    assert routes.keys() - twice == described - {("/discovery/v1/apis/ml/v1/rest", "get")}
    assert {(method.path, method.verb.lower()) for method in SERVED} | {(path, "get") for path in OTHERS} | {
        ("/batch", "post")
    } == described


@pytest.mark.parametrize("method", SERVED, ids=lambda method: method.id)
def test_a_method_has_the_parameters_that_its_route_reads(
    method: Any, routes: dict[tuple[str, str], set[str]]
) -> None:
    named = {part.partition("}")[0] for part in method.path.split("{")[1:]}
    assert routes[method.path, method.verb.lower()] == named | {each.name for each in method.query}


@pytest.mark.parametrize("method", SERVED, ids=lambda method: method.id)
def test_a_request_is_known_as_the_one_method_it_is_for(method: Any) -> None:
    path = method.path.format(project="p", job_id="a")
    assert method_of(method.verb, path) is method
    assert method_of(method.verb, path.removeprefix("/v1")) is method
    assert method_of("DELETE", path) is None
    assert method_of(method.verb, f"{path}/more/of/it") is None


def test_good_answers_are_as_described(project: Project) -> None:
    spec = {
        "params": [{"parameterName": "x", "type": "DISCRETE", "discreteValues": [1.0], "minValue": "NaN"}]
    }
    project.create("a", scaleTier=6, scheduling={"maxRunningTime": "3.5s", "priority": "7"}, workerCount="0")
    project.create("b", hyperparameters={**spec, "maxTrials": "3", "algorithm": "random-search"})
    with project.door.database.write() as session:
        job = add_job(session, "c", State.RUNNING, project=project.name, hyperparameters=spec)
        job.start_time = NOW
        add_ended_trial(session, job, 1, {"x": 1.0}, objective=0.0)
        add_ended_trial(session, job, 2, {"x": 1.0}, State.FAILED).error_message = "It broke."
    path = "/v1/projects/{project}/jobs"
    for name in ("a", "b", "c"):
        response = project.http.get(f"/jobs/{name}")
        assert answer_of(response)
        api[f"{path}/{{job_id}}"]["GET"].validate_response(response)
    listed = project.http.get("/jobs?pageSize=2")
    assert answer_of(listed)["nextPageToken"]
    api[path]["GET"].validate_response(listed)
    patched = project.http.patch("/jobs/a?updateMask=labels", json={"labels": {"team": "x"}})
    assert answer_of(patched)["labels"]
    api[f"{path}/{{job_id}}"]["PATCH"].validate_response(patched)
    policy = {"bindings": [{"role": "roles/ml.viewer", "members": ["user:ana@example.com"]}]}
    kept = project.http.post("/jobs/a:setIamPolicy", json={"policy": policy})
    assert answer_of(kept)["etag"]
    api[f"{path}/{{job_id}}:setIamPolicy"]["POST"].validate_response(kept)


def test_an_answer_that_is_not_as_described_would_be_noticed(project: Project) -> None:
    response = httpx.get(f"{project.door.address}/v1/projects/{project.name}:getConfig", trust_env=False)
    with pytest.raises(JsonSchemaError, match="Response violates schema"):
        api["/v1/projects/{project}/jobs/{job_id}"]["GET"].validate_response(response)
