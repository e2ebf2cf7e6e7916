"""A database, and a clock of whoever renews leases, for each test that wants them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from store.database import Database
from tests.stored_rows import empty_database
from worker import renewal


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = empty_database(tmp_path)
    yield database
    database.close()


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets time pass for whoever renews leases."""
    passed = [0.0]
    monkeypatch.setattr(renewal, "time", SimpleNamespace(monotonic=lambda: passed[0]))

    def add(seconds: float) -> None:
        passed[0] += seconds

    return add
