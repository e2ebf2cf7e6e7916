"""Reading and following a job's log through the client."""

from typing import Any

import pytest

from client import InvalidArgument, NotFound, ServiceFault, VernierClient
from client.errors import ClientError
from tests.client.fake_service import FakeService


def entry(number: int) -> dict[str, Any]:
    return {"insertId": f"{number:020d}", "timestamp": f"2019-06-24T10:06:{number:02d}.000000001Z"}


def test_entries_are_listed_to_the_last_page(service: FakeService, client: VernierClient) -> None:
    service.log_pages = [
        {"entries": [entry(1)], "nextPageToken": "a"},
        {"nextPageToken": "b"},  # Looked through so far, and nothing found.
        {"entries": [entry(2)]},
    ]
    assert list(client.list_log_entries("severity=ERROR")) == [entry(1), entry(2)]
    bodies = [body for *_, body in service.requests]
    assert [body.get("pageToken") for body in bodies] == [None, "a", "b"]
    assert {body["filter"] for body in bodies} == {"severity=ERROR"}
    assert bodies[0]["resourceNames"] == ["projects/local"]


def test_following_goes_on_after_the_last_entry_until_the_job_has_ended(
    service: FakeService, client: VernierClient, naps: list[float]
) -> None:
    service.add("j", state="RUNNING")
    service.stories["j"] = [{}, {}, {"state": "SUCCEEDED", "endTime": "2019-06-24T10:07:00Z"}]
    service.log_pages = [{"entries": [entry(1)]}, {}, {}, {"entries": [entry(2)]}]
    assert list(client.follow_log("j", poll=3.0)) == [entry(1), entry(2)]
    assert naps == [3.0, 3.0]


def test_an_outage_longer_than_the_patience_is_raised(service: FakeService, client: VernierClient) -> None:
    service.add("j", state="RUNNING")
    service.faults = ["none", *[503] * 99]
    told: list[ClientError] = []
    with pytest.raises(ServiceFault):
        list(client.follow_log("j", patience=0.0, on_outage=told.append))
    assert told == []


def test_what_is_not_there_is_not_followed(client: VernierClient) -> None:
    with pytest.raises(NotFound):
        next(client.follow_log("missing"))
    with pytest.raises(InvalidArgument):
        next(client.follow_log("no/id"))
