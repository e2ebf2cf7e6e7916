"""A service with an object store of its own, and the clients that its tests ask it with."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from store.database import Database
from tests.service.door import ANYTHING_GOES, Door, client, open_door

MAX_OBJECT_BYTES = 4 * 2**20


@pytest.fixture(scope="session")
def objects_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data") / "objects"


@pytest.fixture(scope="session")
def storing(database: Database, objects_dir: Path) -> Iterator[Door]:
    config = replace(ANYTHING_GOES, objects_dir=objects_dir, max_object_bytes=MAX_OBJECT_BYTES)
    with open_door(database, config) as door:
        yield door


@pytest.fixture
def http(storing: Door) -> Iterator[httpx.Client]:
    with client(storing.address) as made:
        yield made


@pytest.fixture
def bucket_name(request: pytest.FixtureRequest) -> str:
    """A bucket that no other test uses; it is not there yet."""
    return "b-" + str(abs(hash(request.node.name)) % 10**15)


@pytest.fixture
def google(storing: Door) -> Iterator[storage.Client]:
    """The unmodified library, told only where to ask."""
    made = storage.Client(
        project="p",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": storing.address},
    )
    yield made
    made.close()


@pytest.fixture
def bucket(google: storage.Client, bucket_name: str) -> storage.Bucket:
    return google.create_bucket(bucket_name)
