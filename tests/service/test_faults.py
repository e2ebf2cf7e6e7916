"""What a caller sees when something behind the door fails, and what the log says."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import structlog

from store.database import KEPT_OPEN, MORE_IN_A_RUSH, Database
from tests.postgres_server import PostgresServer
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


def unavailable(database: Database) -> str:
    """What every method says of a database that can't be used now; the log says more."""
    with (
        structlog.testing.capture_logs() as logged,
        open_door(database) as door,
        client(door.address) as http,
    ):
        error = error_of(http.get("/v1/projects/p/jobs"), 503, "UNAVAILABLE")
        error_of(http.post("/v1/projects/p/jobs/a:cancel"), 503, "UNAVAILABLE")
        logs = http.post("/v2/entries:list", json={"resourceNames": ["projects/p"]})
        error_of(logs, 503, "UNAVAILABLE")
    assert [line["event"] for line in logged] == ["database failed"] * 3
    assert "again later" in error["message"]
    return str(logged[0]["exc_info"])


def test_a_database_that_is_not_there_may_be_later(missing: Database) -> None:
    assert "unable to open" in unavailable(missing)


def test_a_database_whose_connections_are_all_in_use_may_be_free_later(database: Database) -> None:
    made = Database(database.url.render_as_string(hide_password=False))
    pool: Any = made.engine.pool
    pool._timeout = 0.01
    with ExitStack() as held:
        held.callback(made.close)
        for _ in range(KEPT_OPEN + MORE_IN_A_RUSH):
            held.enter_context(made.engine.connect())
        assert "QueuePool limit" in unavailable(made)


def test_a_database_server_that_went_away_may_come_back() -> None:
    with PostgresServer() as server:
        made = Database(server.url)
        made.upgrade()
        with made.read():
            pass
    try:
        assert "connection" in unavailable(made)
    finally:
        made.close()
