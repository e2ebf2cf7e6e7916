"""What tests of several packages share."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres_server import PostgresServer

# On a busy machine any example may take its time; what hangs is ended by the time limit of its test.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# Where the tests are run in the background, a shell has SIGINT ignored, and so would what they start: the
# commands that are to be stopped with Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server for all tests that ask for one; each empties the database it uses, or makes its own."""
    with PostgresServer() as server:
        yield server
