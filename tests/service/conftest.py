import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.database import Database
from tests.postgres_server import PostgresServer
from tests.service.door import Door, Project, open_door

NUMBERS = itertools.count(1)


ON_BOTH = {"test_cancel", "test_create", "test_get_and_list", "test_job_view", "test_resume"}
"""Modules whose tests run on PostgreSQL too: those that ask most of the database."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    module = metafunc.module.__name__.rpartition(".")[2]
    if "database" in metafunc.fixturenames and module in ON_BOTH:
        metafunc.parametrize("database", ["sqlite", "postgresql"], indirect=True, scope="session")


@pytest.fixture(scope="session")
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    if getattr(request, "param", "sqlite") == "postgresql":
        postgres: PostgresServer = request.getfixturevalue("postgres")
        url = postgres.url_of(postgres.create_database())
    else:
        url = f"sqlite:///{tmp_path_factory.mktemp('store') / 'vernier.sqlite3'}"
    made = Database(url)
    made.upgrade()
    yield made
    made.close()


@pytest.fixture(scope="session")
def door(database: Database) -> Iterator[Door]:
    with open_door(database) as door:
        yield door


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file where a package may be; the door looks no closer."""
    path = tmp_path_factory.mktemp("packages") / "trainer-0.1.tar.gz"
    path.write_bytes(b"")
    return path


@pytest.fixture
def project(door: Door, package: Path) -> Iterator[Project]:
    """A project that no other test sees."""
    made = Project(door, f"project-{next(NUMBERS)}", package)
    with made.http:
        yield made
