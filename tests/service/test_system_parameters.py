"""Query parameters that every method takes, and the refusal of those none takes (docs/contract.md 1.1)."""

import asyncio
import json
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from api_schemas.errors import FieldViolation, InvalidArgument
from service.answers import PRESENTATION, JsonAnswer, Presentation
from service.methods import SERVED, Method
from service.system_parameters import SYSTEM_NAMES, read_query
from store.states import State
from tests.running_service import RunningService
from tests.service.door import Project, answer_of, error_of, violations
from tests.stored_rows import NOW, add_ended_trial, add_job

UNKNOWN = (
    'Invalid JSON payload received. Unknown name "foo": Cannot bind query parameter. '
    "Field 'foo' could not be found in request message."
)


def fields_of(response: httpx.Response) -> list[str]:
    return [violation["field"] for violation in violations(response)]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "alt=json",
        "fields=",
        "$.xgafv=2&key=k&access_token=a&oauth_token=o&quotaUser=me&uploadType=media&upload_protocol=raw",
        "quota_user=me&upload_type=media&prettyPrint=false",
        "%24.xgafv=1&pretty_print=FALSE",
    ],
)
def test_parameters_of_every_method_change_nothing(project: Project, query: str) -> None:
    created = project.create("a")
    response = project.http.get(f"/jobs/a?{query}")
    assert answer_of(response) == created
    assert response.text == json.dumps(created, separators=(",", ":"))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("alt=media", "alt"),
        ("alt=proto", "alt"),
        ("alt=xml", "alt"),
        ("alt=", "alt"),
        ("$.xgafv=3", "$.xgafv"),
        ("callback=steal", "callback"),
        ("callback=", "callback"),
        ("prettyPrint=perhaps", "prettyPrint"),
        ("prettyPrint=", "prettyPrint"),
        ("fields=jobs(", "fields"),
        ("fields=nothing", "fields"),
        ("fields=%ff%00", "fields"),
        ("fields=jobId/a", "fields"),
        ("fields=jobId&fields=state", "fields"),
        ("prettyPrint=true&pretty_print=true", "prettyPrint"),
        ("foo=1", "foo"),
        ("foo", "foo"),
        ("pageSize=1", "pageSize"),
        ("%ff=1", "\N{REPLACEMENT CHARACTER}"),
        ("Alt=json", "Alt"),
        ("=1", "query"),
    ],
)
def test_what_a_method_does_not_take_is_refused_by_name(project: Project, query: str, field: str) -> None:
    project.create("a")
    assert fields_of(project.http.get(f"/jobs/a?{query}")) == [field]


def test_an_unknown_parameter_is_refused_in_the_words_of_the_old_service(project: Project) -> None:
    error = error_of(project.http.get("/jobs?foo=1&bar=2&foo=3"), 400, "INVALID_ARGUMENT")
    assert error["message"] == f"{UNKNOWN}\n{UNKNOWN.replace('foo', 'bar')}"
    (details,) = error["details"]
    assert details["fieldViolations"][0] == {"field": "foo", "description": UNKNOWN}
    assert [violation["field"] for violation in details["fieldViolations"]] == ["foo", "bar"]


def test_all_that_is_wrong_is_told_at_once(project: Project) -> None:
    response = project.http.get("/jobs?alt=xml&callback=f&fields=no&prettyPrint=x")
    assert fields_of(response) == ["alt", "callback", "prettyPrint", "fields"]


def test_a_long_query_is_refused_with_a_short_answer(project: Project) -> None:
    assert fields_of(project.http.get("/jobs?" + "a=1&" * 10_000)) == ["query"]
    response = project.http.get("/jobs?" + "a" * 50_000)
    assert violations(response)
    assert len(response.content) < 2000


def test_a_bad_query_creates_nothing(project: Project) -> None:
    for query in ("foo=1", "fields=no", "callback=f"):
        assert violations(project.http.post(f"/jobs?{query}", json=project.body("a")))
    error_of(project.http.get("/jobs/a"), 404, "NOT_FOUND")


def test_a_methods_own_parameters_may_be_in_snake_case_but_not_twice(project: Project) -> None:
    names = [project.create()["jobId"] for _ in range(3)]
    first = answer_of(project.http.get("/jobs?page_size=2"))
    assert [job["jobId"] for job in first["jobs"]] == [names[2], names[1]]
    rest = answer_of(project.http.get("/jobs", params={"page_token": first["nextPageToken"]}))
    assert [job["jobId"] for job in rest["jobs"]] == [names[0]]
    assert fields_of(project.http.get("/jobs?pageSize=1&page_size=1")) == ["pageSize"]


def test_the_version_that_is_left_out_changes_nothing(project: Project) -> None:
    root = str(project.http.base_url).replace("/v1/", "/")
    assert fields_of(project.http.get(f"{root}jobs?foo=1")) == ["foo"]
    assert answer_of(project.http.get(f"{root}jobs?fields=nextPageToken")) == {}


def test_pretty_print_indents_answers_and_errors(project: Project) -> None:
    created = project.create("a")
    response = project.http.get("/jobs/a?prettyPrint=true")
    assert answer_of(response) == created
    assert response.text == json.dumps(created, indent=2) + "\n"
    missing = project.http.get("/jobs/b?prettyPrint=true")
    assert missing.text == json.dumps(error_envelope(missing), indent=2) + "\n"


def error_envelope(response: httpx.Response) -> dict[str, Any]:
    return {"error": error_of(response, 404, "NOT_FOUND")}


@pytest.mark.parametrize(
    ("mask", "kept"),
    [
        ("jobId", {"jobId": "a"}),
        ("job_id,state", {"jobId": "a", "state": "QUEUED"}),
        ("jobId,job_id", {"jobId": "a"}),
        ("trainingInput(pythonModule)", {"trainingInput": {"pythonModule": "trainer.task"}}),
        ("training_input/python_module", {"trainingInput": {"pythonModule": "trainer.task"}}),
        ("labels", {}),
        ("labels/team", {}),
        ("trainingOutput/trials(trialId,finalMetric/objectiveValue)", {}),
        ("*/pythonModule", {"trainingInput": {"pythonModule": "trainer.task"}}),
    ],
)
def test_fields_choose_what_an_answer_holds(project: Project, mask: str, kept: dict[str, Any]) -> None:
    response = project.http.post("/jobs", params={"fields": mask}, json=project.body("a"))
    assert response.json() == kept
    assert project.http.get("/jobs/a", params={"fields": mask}).json() == kept
    assert project.http.get("/jobs", params={"fields": f"jobs({mask})"}).json() == {"jobs": [kept]}


def test_fields_reach_the_measurements_of_trials(project: Project) -> None:
    spec = {"params": [{"parameterName": "x", "type": "DOUBLE", "minValue": 0.0, "maxValue": 1.0}]}
    with project.door.database.write() as session:
        job = add_job(session, "tuned", State.RUNNING, project=project.name, hyperparameters=spec)
        job.start_time = NOW
        add_ended_trial(session, job, 1, {"x": 0.5}, objective=0.25)
    mask = "trainingOutput/trials(trialId,hyperparameters/x,finalMetric/objectiveValue)"
    trial = {"trialId": "1", "hyperparameters": {"x": "0.5"}, "finalMetric": {"objectiveValue": 0.25}}
    answer = project.http.get("/jobs/tuned", params={"fields": mask}).json()
    assert answer == {"trainingOutput": {"trials": [trial]}}


def test_errors_are_told_whole_whatever_fields_are_wanted(project: Project) -> None:
    assert error_of(project.http.get("/jobs/none?fields=jobId"), 404, "NOT_FOUND")["message"]


def test_what_is_secret_in_a_query_is_in_no_log(tmp_path: Path) -> None:
    secret = "s3cr3t-of-mine"
    with RunningService(tmp_path / "data") as service, service.client() as http:
        for name in ("key", "access_token", "oauth_token"):
            for path in ("/jobs", "/jobs/none", "/jobs/none:frobnicate", "/nowhere"):
                response = http.get(path, params={name: secret})
                assert secret not in response.text
            http.post("/jobs", params={name: secret}, content=b"{")
            assert secret not in http.get("/jobs", params=[(name, secret), (name, secret)]).text
        service.stop()
        assert secret not in (service.data_dir / "service.log").read_text()


def test_the_logging_api_takes_them_too(project: Project) -> None:
    project.create("a")
    address = f"{project.door.address}/v2/entries:list"
    body = {"resourceNames": [f"projects/{project.name}"], "filter": 'resource.labels.job_id="a"'}
    answer = project.http.post(
        address, params={"fields": "entries(logName,resource/labels/job_id)"}, json=body
    )
    log_name = f"projects/{project.name}/logs/service"
    entry = {"logName": log_name, "resource": {"labels": {"job_id": "a"}}}
    assert answer.json()["entries"][0] == entry
    assert fields_of(project.http.post(address, params={"fields": "jobs", "foo": 1}, json=body)) == ["foo"]
    # What is in a payload is its writer's choice, so a mask may name anything there.
    answer = project.http.post(address, params={"fields": "entries/jsonPayload/a(b,c)"}, json=body)
    assert answer.json()["entries"][0] == {"jsonPayload": {}}


words = st.sampled_from(
    [
        "jobs",
        "labels",
        "trainingOutput",
        "trials",
        "*",
        "a",
        "_",
        "__a",
        "entries",
        "json_payload",
        "consumedMLUnits",
    ]
)
masks = st.lists(words | st.sampled_from([",", "/", "(", ")", " "]) | st.text(max_size=2), max_size=9)


@given(
    st.sampled_from(SERVED),
    st.dictionaries(
        st.sampled_from([*SYSTEM_NAMES, "pageSize", "update_mask"]) | st.text(max_size=4),
        masks.map("".join) | st.sampled_from(["json", "true", "1"]),
        max_size=3,
    ),
)
def test_any_query_is_read_or_refused(method: Method, query: dict[str, str]) -> None:
    own: dict[str, str] = {}
    refused: list[FieldViolation] | None = None
    try:
        own, _ = read_query(method, urlencode(query, errors="replace").encode())
    except InvalidArgument as error:
        refused = list(error.violations)
    assert own.keys() <= {parameter.name for parameter in method.query}
    assert refused is None or (refused and all(violation.field for violation in refused))


def test_large_answers_are_cut_beside_the_answering_of_others() -> None:
    threads = set()

    class Noting(dict[str, Any]):
        def items(self) -> Any:
            threads.add(threading.get_ident())
            return super().items()

    async def answer() -> None:
        answer = JsonAnswer(Noting(a=1, b=2))
        scope = {"type": "http", "state": {PRESENTATION: Presentation({"a": {}})}}
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            raise AssertionError

        await answer(scope, receive, send)
        assert sent[-1]["body"] == b'{"a":1}'

    asyncio.run(answer())
    assert threads
    assert threading.get_ident() not in threads
