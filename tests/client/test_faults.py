"""What the client does when the service is busy, broken, away, or something else."""

import socket

import pytest

from client import (
    AlreadyExists,
    ClientError,
    InvalidArgument,
    ResourceExhausted,
    ServiceFault,
    ServiceUnreachable,
    UnexpectedAnswer,
    VernierClient,
)
from tests.client.fake_service import FakeService

BODY = {
    "jobId": "census_1",
    "trainingInput": {"packageUris": ["/p/trainer.whl"], "pythonModule": "trainer.task"},
}


@pytest.mark.parametrize("fault", ["drop", "lose", 429, 500, 503])
def test_a_passing_fault_is_retried(
    service: FakeService, client: VernierClient, naps: list[float], fault: int | str
) -> None:
    service.add("census_1")
    service.faults = [fault, fault]

    assert client.get_job("census_1")["jobId"] == "census_1"
    assert service.methods() == ["GET"] * 3
    assert len(naps) == 2


def test_delays_grow_from_try_to_try(service: FakeService, client: VernierClient, naps: list[float]) -> None:
    service.faults = [503] * 5

    with pytest.raises(ServiceFault):
        list(client.list_jobs())

    assert len(service.requests) == 5
    assert naps == sorted(naps)
    assert 1.5 <= sum(naps) <= 2.0


def test_a_wish_of_the_service_to_wait_is_followed_within_bounds(
    service: FakeService, client: VernierClient, naps: list[float]
) -> None:
    service.faults = [429]
    service.retry_after = "7"
    list(client.list_jobs())
    service.faults = [429]
    service.retry_after = "86400"
    list(client.list_jobs())

    assert naps == [7.0, 60.0]


@pytest.mark.parametrize(("fault", "kind"), [(429, ResourceExhausted), (500, ServiceFault)])
def test_a_lasting_fault_is_raised_as_what_it_is(
    service: FakeService, client: VernierClient, fault: int, kind: type[ClientError]
) -> None:
    service.faults = [fault] * 9

    with pytest.raises(kind) as raised:
        client.get_job("census_1")
    assert raised.value.message == f"scripted {fault}"


def test_a_wrong_request_is_not_retried(service: FakeService, client: VernierClient) -> None:
    service.faults = [400]

    with pytest.raises(InvalidArgument):
        client.create_job(BODY)
    assert len(service.requests) == 1


def test_a_create_whose_answer_was_lost_is_given_once(service: FakeService, client: VernierClient) -> None:
    service.faults = ["lose"]

    assert client.create_job(BODY)["jobId"] == "census_1"
    assert service.methods() == ["POST", "POST", "GET"]


def test_a_lost_answer_does_not_make_another_job_ours(service: FakeService, client: VernierClient) -> None:
    service.add("census_1", trainingInput={"pythonModule": "other.task"})
    service.faults = ["drop"]

    with pytest.raises(AlreadyExists):
        client.create_job(BODY)


def test_a_retry_after_a_refusal_does_not_make_the_same_job_ours(
    service: FakeService, client: VernierClient
) -> None:
    service.add("census_1", trainingInput=BODY["trainingInput"])
    service.faults = [429]  # refused, so the first try cannot have created it

    with pytest.raises(AlreadyExists):
        client.create_job(BODY)


def test_no_service_says_how_to_start_one(naps: list[float]) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # taken and not listening: nobody else can answer there
        address = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        with VernierClient(address, sleep=naps.append) as client, pytest.raises(ServiceUnreachable) as raised:
            client.get_job("census_1")

    assert raised.value.status == "UNAVAILABLE"
    assert address in raised.value.message
    assert "vernier serve" in raised.value.message
    assert len(naps) == 4


def test_a_connection_that_always_breaks_is_unreachable(service: FakeService, client: VernierClient) -> None:
    service.faults = ["drop"] * 9

    with pytest.raises(ServiceUnreachable):
        client.get_job("census_1")


@pytest.mark.parametrize(
    "raw",
    [
        (404, "text/html", b"<h1>Jupyter</h1>"),
        (404, "application/json", b'{"detail": "Not Found"}'),
        (200, "text/html", b"<h1>Hello</h1>"),
        (200, "application/json", b"[1, 2]"),
        (302, "text/html", b""),
    ],
)
def test_another_server_at_the_address_is_recognised(
    service: FakeService, client: VernierClient, raw: tuple[int, str, bytes]
) -> None:
    service.raw_answer = raw

    with pytest.raises(UnexpectedAnswer, match="not this service"):
        client.get_job("census_1")


def test_a_proxys_error_page_is_a_fault_of_the_service(service: FakeService, client: VernierClient) -> None:
    service.raw_answer = (502, "text/html", b"<h1>Bad Gateway</h1>")

    with pytest.raises(ServiceFault, match="Bad Gateway"):
        client.get_job("census_1")


@pytest.mark.parametrize("address", ["127.0.0.1:8080", "ftp://x", "http://", "http://x:99999", "http://x:y"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(InvalidArgument, match=r"write it like http://127\.0\.0\.1:8080"):
        VernierClient(address)
