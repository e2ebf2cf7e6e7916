"""What a caller sees when something behind the door fails, and what the log says."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import structlog
from sqlalchemy import Connection, create_engine, event, text

from store.database import KEPT_OPEN, MORE_IN_A_RUSH, Database
from store.objects.buckets import Buckets
from tests.postgres_server import PostgresServer
from tests.running_service import wait_until
from tests.service.door import ANYTHING_GOES, answer_of, client, error_of, open_door
from tests.stored_rows import empty_database


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


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Database]:
    """A database that no other test uses, on which nobody has connected yet."""
    made = empty_database(tmp_path)
    yield made
    made.close()


def unavailable(database: Database) -> str:
    """What every method says of a database that can't be used now; the log says more."""
    with (
        structlog.testing.capture_logs() as logged,
        open_door(database) as door,
        client(door.address) as http,
    ):
        answer = http.get("/v1/projects/p/jobs")
        error = error_of(answer, 503, "UNAVAILABLE")
        assert int(answer.headers["Retry-After"]) > 0
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
        with structlog.testing.capture_logs(), open_door(made) as door, client(door.address) as http:
            error_of(http.get("/readyz"), 503, "UNAVAILABLE")


def refused_to_write(database: Database, folder: Path) -> str:
    """What is said of a database that can only be read now: what asks is answered, what writes is refused."""
    with (
        structlog.testing.capture_logs() as logged,
        open_door(database) as door,
        client(f"{door.address}/v1/projects/p") as http,
    ):
        package = folder / "trainer.whl"
        package.touch()
        training = {"packageUris": [str(package)], "pythonModule": "trainer.task", "args": ["x" * 50_000]}
        refusal = http.post("/jobs", json={"jobId": "a", "trainingInput": training})
        error_of(refusal, 503, "UNAVAILABLE")
        assert int(refusal.headers["Retry-After"]) > 0
        assert answer_of(http.get("/jobs")) == {}
    (line,) = logged
    return str(line["exc_info"])


def test_a_database_file_that_can_only_be_read_may_be_written_later(own: Database, tmp_path: Path) -> None:
    # As root may write where nobody may, it is SQLite that is told.
    event.listen(own.engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only = ON"))
    assert "readonly database" in refused_to_write(own, tmp_path)


def test_a_database_server_that_can_only_be_read_may_be_written_later(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    # A standby is one, and so is a server whose disk its owner wants to have left alone.
    with postgres.database() as url:
        made = Database(url)
        made.upgrade()
        with made.engine.begin() as connection:
            connection.execute(text("ALTER ROLE CURRENT_USER SET default_transaction_read_only = on"))
        made.engine.dispose()
        try:
            assert "read-only transaction" in refused_to_write(made, tmp_path)
        finally:
            with made.engine.begin() as connection:
                connection.execute(text("SET TRANSACTION READ WRITE"))
                connection.execute(text("ALTER ROLE CURRENT_USER RESET default_transaction_read_only"))
            made.close()


def test_a_request_that_stood_still_for_too_long_may_be_sent_again(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    # As a door does that has no time for its requests; the server ends the transaction by itself.
    with postgres.database() as url:
        made = Database(url, patience_seconds=0.2)
        made.upgrade()
        stand_still = StandStill(made)
        try:
            assert "idle-in-transaction timeout" in refused_to_write(made, tmp_path)
            assert stand_still.done
        finally:
            made.close()


class StandStill:
    """Has the transaction that inserts the first job wait, once, until the server has given it up."""

    def __init__(self, database: Database) -> None:
        self.done = False
        # In a transaction the activity would stay as it was first seen.
        self._engine = create_engine(database.url, isolation_level="AUTOCOMMIT")
        event.listen(database.engine, "after_cursor_execute", self._wait)

    def _wait(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if self.done or not statement.startswith("INSERT INTO jobs"):
            return
        self.done = True
        driver: Any = connection.connection.driver_connection
        pid = driver.info.backend_pid
        alive = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
        with closing(self._engine.connect()) as other:
            wait_until(lambda: not other.scalar(alive, {"pid": pid}))
        self._engine.dispose()


def test_a_database_without_room_may_have_some_later(own: Database, tmp_path: Path) -> None:
    with own.read() as session:
        pages = session.scalar(text("PRAGMA page_count"))
    own.engine.dispose()
    limit = f"PRAGMA max_page_count = {pages}"
    event.listen(own.engine, "connect", lambda connection, _: connection.execute(limit))
    assert "full" in refused_to_write(own, tmp_path)


def test_a_database_that_another_program_holds_is_not_waited_for_without_end(
    own: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.database.BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(str(own.url.database), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "locked" in refused_to_write(own, tmp_path)


def test_a_full_disk_is_told_by_every_method(own: Database, tmp_path: Path) -> None:
    objects = tmp_path / "objects"
    config = replace(ANYTHING_GOES, objects_dir=objects)
    training = {"packageUris": [str(tmp_path)], "pythonModule": "trainer.task", "jobDir": "gs://bucket/a"}
    with (
        mock.patch.object(Buckets, "ensure", side_effect=OSError(errno.ENOSPC, "No space left on device")),
        structlog.testing.capture_logs() as logged,
        open_door(own, config) as door,
        client(f"{door.address}/v1/projects/p") as http,
    ):
        refusal = http.post("/jobs", json={"jobId": "a", "trainingInput": training})
        error = error_of(refusal, 503, "UNAVAILABLE")
        assert answer_of(http.get("/jobs")) == {}
    assert "full" in error["message"]
    assert int(refusal.headers["Retry-After"]) > 0
    assert len(logged) == 1


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
