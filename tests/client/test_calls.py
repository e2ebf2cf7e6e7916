"""Each call asks what the contract says (docs/contract.md 1.2) and gives what the service answers."""

from typing import Any

import pytest

from client import AlreadyExists, InvalidArgument, NotFound, VernierClient
from tests.client.fake_service import FakeService

JOBS = "/v1/projects/local/jobs"
BODY = {"jobId": "census_1", "trainingInput": {"region": "us-central1", "pythonModule": "trainer.task"}}


def test_create_posts_the_body_and_gives_the_job(service: FakeService, client: VernierClient) -> None:
    job = client.create_job(BODY)

    assert service.requests == [("POST", JOBS, {}, BODY)]
    assert job["state"] == "QUEUED"
    assert job["trainingInput"] == BODY["trainingInput"]


def test_get_gives_the_job(service: FakeService, client: VernierClient) -> None:
    service.add("census_1", state="RUNNING")

    assert client.get_job("census_1")["state"] == "RUNNING"
    assert service.requests == [("GET", f"{JOBS}/census_1", {}, None)]


def test_cancel_posts_an_empty_object(service: FakeService, client: VernierClient) -> None:
    service.add("census_1")

    client.cancel_job("census_1")

    assert service.requests == [("POST", f"{JOBS}/census_1:cancel", {}, {})]
    assert service.jobs["local", "census_1"]["state"] == "CANCELLING"


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({"update": {"team": "x", "owner": "bo"}}, {"owner": "bo", "spot": "", "team": "x"}),
        ({"remove": ["owner", "nobody"]}, {"spot": ""}),
        ({"update": {"a": "1", "b": "2"}, "remove": ["a", "spot"]}, {"owner": "ana", "b": "2"}),
    ],
)
def test_labels_are_read_changed_and_written_as_a_whole(
    service: FakeService, client: VernierClient, given: dict[str, Any], left: dict[str, str]
) -> None:
    service.add("census_1", labels={"owner": "ana", "spot": ""})

    assert client.update_labels("census_1", **given)["labels"] == left
    assert service.requests == [
        ("GET", f"{JOBS}/census_1", {}, None),
        ("PATCH", f"{JOBS}/census_1", {"updateMask": "labels"}, {"labels": left}),
    ]


def test_labels_are_cleared_before_others_are_set(service: FakeService, client: VernierClient) -> None:
    service.add("census_1", labels={"owner": "ana"})

    assert client.update_labels("census_1", {"a": "1"}, clear=True)["labels"] == {"a": "1"}
    assert client.update_labels("census_1", clear=True)["labels"] == {}
    assert service.methods() == ["PATCH", "PATCH"]


def test_labels_of_an_unknown_job_are_not_found(client: VernierClient) -> None:
    for clear in (False, True):
        with pytest.raises(NotFound):
            client.update_labels("census_1", {"a": "1"}, clear=clear)


def test_list_goes_through_all_pages_as_they_are_needed(service: FakeService, client: VernierClient) -> None:
    for number in range(7):
        service.add(f"job_{number}")

    jobs = client.list_jobs(page_size=3)
    assert next(jobs)["jobId"] == "job_0"
    assert len(service.requests) == 1

    assert [job["jobId"] for job in jobs] == [f"job_{number}" for number in range(1, 7)]
    assert [query for _, _, query, _ in service.requests] == [
        {"pageSize": "3"},
        {"pageSize": "3", "pageToken": "3"},
        {"pageSize": "3", "pageToken": "6"},
    ]


def test_list_of_an_empty_project_is_empty(client: VernierClient) -> None:
    assert list(client.list_jobs()) == []


def test_projects_are_kept_apart_and_quoted(service: FakeService) -> None:
    service.add("census_1", project="example.com:ml")

    with VernierClient(service.address, "example.com:ml") as other:
        assert other.get_job("census_1")["jobId"] == "census_1"
    assert service.requests[0][1] == "/v1/projects/example.com%3Aml/jobs/census_1"


def test_an_unknown_job_is_not_found(client: VernierClient) -> None:
    with pytest.raises(NotFound) as raised:
        client.get_job("census_1")

    assert raised.value.status == "NOT_FOUND"
    assert raised.value.http_status == 404
    assert raised.value.message == "Job 'census_1' does not exist in project 'local'."


def test_a_taken_id_already_exists(service: FakeService, client: VernierClient) -> None:
    service.add("census_1", trainingInput=BODY["trainingInput"])

    with pytest.raises(AlreadyExists):
        client.create_job(BODY)


def test_a_refused_field_is_named(client: VernierClient) -> None:
    with pytest.raises(InvalidArgument) as raised:
        client.create_job({"jobId": "census_1", "trainingInput": {"region": "mars-1"}})

    assert raised.value.violations == [
        {"field": "region", "description": "The provided GCE region 'mars-1' is not available."}
    ]


@pytest.mark.parametrize("job_id", ["", "..", "a/b", "census-1", "a:cancel", "1a", "a" * 129])
def test_an_id_that_names_another_resource_is_refused_without_a_request(
    service: FakeService, client: VernierClient, job_id: str
) -> None:
    with pytest.raises(InvalidArgument) as raised:
        client.get_job(job_id)

    assert raised.value.violations[0]["field"] == "job_id"
    assert service.requests == []


@pytest.mark.parametrize("project", ["", ".", "..", " "])
def test_a_project_that_names_another_resource_is_refused(project: str) -> None:
    with pytest.raises(InvalidArgument):
        VernierClient("http://127.0.0.1:1", project)


def test_the_token_is_sent_as_bearer(service: FakeService) -> None:
    with VernierClient(service.address, token="secret") as other:
        list(other.list_jobs())

    assert service.headers[0]["Authorization"] == "Bearer secret"


def test_the_address_comes_from_the_environment(
    service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERNIER_API", service.address + "/")

    with VernierClient() as made:
        assert made.base_url == service.address
        assert list(made.list_jobs()) == []


def test_a_proxy_does_not_catch_what_is_for_this_machine(
    service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)

    with VernierClient(service.address) as made:
        assert list(made.list_jobs()) == []
