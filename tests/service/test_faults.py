"""What a caller sees when something behind the door fails."""

import logging
from pathlib import Path

import httpx
import pytest

from store.database import Database
from tests.service.door import answer_of, error_of, open_door


@pytest.fixture
def without_tables(tmp_path: Path) -> Database:
    """A database that was never brought up to date: every query of a job fails."""
    return Database(f"sqlite:///{tmp_path / 'empty.sqlite3'}")


def test_a_failure_nobody_expected_is_answered_without_its_details(
    without_tables: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.CRITICAL), open_door(without_tables) as door:
        response = httpx.get(f"{door.address}/v1/projects/p/jobs", trust_env=False)
    error = error_of(response, 500, "INTERNAL")
    assert error["message"] == "The service failed; its log says why."
    without_tables.close()


def test_a_service_that_lives_and_reaches_its_database_says_so(database: Database) -> None:
    with open_door(database) as door, httpx.Client(base_url=door.address, trust_env=False) as http:
        assert answer_of(http.get("/healthz")) == {"status": "ok"}
        assert answer_of(http.get("/readyz")) == {"status": "ready"}


def test_a_service_without_its_database_lives_but_is_not_ready(tmp_path: Path) -> None:
    missing = Database(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.sqlite3'}")
    with open_door(missing) as door, httpx.Client(base_url=door.address, trust_env=False) as http:
        assert answer_of(http.get("/healthz")) == {"status": "ok"}
        error_of(http.get("/readyz"), 503, "UNAVAILABLE")
    missing.close()
