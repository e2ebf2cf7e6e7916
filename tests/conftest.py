"""What tests of several packages share."""

from collections.abc import Iterator

import pytest

from tests.postgres_server import PostgresServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server for all tests that ask for one; each empties the database it uses, or makes its own."""
    with PostgresServer() as server:
        yield server
