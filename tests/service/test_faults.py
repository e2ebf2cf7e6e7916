"""What a caller sees when something behind the door fails, and what the log says."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from store.database import Database
from tests.service.door import answer_of, client, error_of, open_door


@pytest.fixture
def without_tables(tmp_path: Path) -> Iterator[Database]:
    """A database that was never brought up to date: every query of a job fails."""
    made = Database(f"sqlite:///{tmp_path / 'empty.sqlite3'}")
    yield made
    made.close()


@pytest.fixture
def missing(tmp_path: Path) -> Iterator[Database]:
    """A database that can't be reached."""
    made = Database(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.sqlite3'}")
    yield made
    made.close()


def test_a_failure_nobody_expected_is_told_to_the_log_alone(without_tables: Database) -> None:
    with (
        structlog.testing.capture_logs() as logged,
        open_door(without_tables) as door,
        client(door.address) as http,
    ):
        response = http.get("/v1/projects/p/jobs")
    error = error_of(response, 500, "INTERNAL")
    assert error["message"] == "The service failed; its log says why."
    (line,) = logged
    assert (line["method"], line["path"]) == ("GET", "/v1/projects/p/jobs")
    assert "no such table" in str(line["exc_info"])


def test_a_service_that_lives_and_reaches_its_database_says_so(database: Database) -> None:
    with open_door(database) as door, client(door.address) as http:
        assert answer_of(http.get("/healthz")) == {"status": "ok"}
        assert answer_of(http.get("/readyz")) == {"status": "ready"}


def test_a_service_without_its_database_lives_but_is_not_ready(missing: Database) -> None:
    with (
        structlog.testing.capture_logs() as logged,
        open_door(missing) as door,
        client(door.address) as http,
    ):
        assert answer_of(http.get("/healthz")) == {"status": "ok"}
        error_of(http.get("/readyz"), 503, "UNAVAILABLE")
    assert [line["event"] for line in logged] == ["database away"]
