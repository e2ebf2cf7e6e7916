"""Following a job to its end."""

import pytest

from client import NotFound, ServiceFault, VernierClient
from client.errors import ClientError
from tests.client.fake_service import FakeService


def test_a_job_is_followed_to_its_terminal_state(
    service: FakeService, client: VernierClient, naps: list[float]
) -> None:
    service.add("census_1")
    service.stories["census_1"] = [{"state": state} for state in ("QUEUED", "RUNNING", "RUNNING", "FAILED")]

    states = [job["state"] for job in client.follow("census_1", poll=3.0)]

    assert states == ["QUEUED", "RUNNING", "RUNNING", "FAILED"]
    assert naps == [3.0] * 3


@pytest.mark.parametrize("state", ["SUCCEEDED", "FAILED", "CANCELLED"])
def test_wait_gives_the_ended_job(service: FakeService, client: VernierClient, state: str) -> None:
    service.add("census_1")
    service.stories["census_1"] = [{"state": "RUNNING"}, {"state": state}]

    assert client.wait("census_1")["state"] == state


def test_an_outage_is_outlived_and_told(service: FakeService, client: VernierClient) -> None:
    service.add("census_1", state="SUCCEEDED")
    service.faults = [503] * 12  # more than the retries of two looks
    told: list[ClientError] = []

    jobs = list(client.follow("census_1", on_outage=told.append))

    assert [job["state"] for job in jobs] == ["SUCCEEDED"]
    assert len(told) == 2


def test_an_outage_longer_than_the_patience_is_raised(service: FakeService, client: VernierClient) -> None:
    service.add("census_1", state="RUNNING")
    service.faults = [503] * 99

    with pytest.raises(ServiceFault):
        client.wait("census_1", patience=0.0)


def test_a_job_that_is_not_there_is_not_waited_for(client: VernierClient) -> None:
    with pytest.raises(NotFound):
        client.wait("census_1")
