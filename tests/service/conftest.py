import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.database import Database
from tests.service.door import Door, Project, open_door

NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path_factory.mktemp('store') / 'vernier.sqlite3'}")
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
