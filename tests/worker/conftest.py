"""A database for each test that wants one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from store.database import Database
from tests.stored_rows import empty_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = empty_database(tmp_path)
    yield database
    database.close()
