from collections.abc import Iterator

import pytest

from client import VernierClient
from tests.client.fake_service import FakeService


@pytest.fixture
def service() -> Iterator[FakeService]:
    fake = FakeService()
    yield fake
    fake.close()


@pytest.fixture
def naps() -> list[float]:
    """The seconds that the client has asked to sleep; it never really does."""
    return []


@pytest.fixture
def client(service: FakeService, naps: list[float]) -> Iterator[VernierClient]:
    with VernierClient(service.address, sleep=naps.append) as made:
        yield made
