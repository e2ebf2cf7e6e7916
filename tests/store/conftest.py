"""A database for each test, on SQLite and on PostgreSQL: what the store promises holds on both."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from store.database import Database
from tests.postgres_server import PostgresServer
from tests.stored_rows import empty_database, remove_all_rows

SQLITE, POSTGRESQL = "sqlite", "postgresql"


@pytest.fixture(params=[SQLITE, POSTGRESQL])
def database(request: pytest.FixtureRequest) -> Database:
    database: Database = request.getfixturevalue(f"{request.param}_database")
    return database


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Iterator[Database]:
    database = empty_database(tmp_path)
    yield database
    database.close()


@pytest.fixture(scope="session")
def migrated_url(postgres: PostgresServer) -> str:
    """A database with all tables; made once, since migrating takes longer than most tests."""
    database = Database(postgres.url_of(postgres.create_database()))
    database.upgrade()
    database.close()
    return database.url.render_as_string(hide_password=False)


@pytest.fixture
def postgresql_database(migrated_url: str) -> Iterator[Database]:
    database = Database(migrated_url)
    remove_all_rows(database)
    yield database
    database.close()


@pytest.fixture(params=[SQLITE, POSTGRESQL])
def own_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """One whose schema a test may change: no other test meets it."""
    if request.param == SQLITE:
        database = empty_database(tmp_path)
        yield database
        database.close()
    else:
        postgres: PostgresServer = request.getfixturevalue("postgres")
        with postgres.database() as url:
            database = Database(url)
            database.upgrade()
            yield database
            database.close()
