"""One server of each kind for all tests, and what tests ask of them as their owner."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.object_stores.servers import FakeGcs, Minio


@pytest.fixture(scope="session")
def minio() -> Iterator[Minio]:
    with Minio() as server:
        yield server


@pytest.fixture(scope="session")
def fake_gcs() -> Iterator[FakeGcs]:
    with FakeGcs() as server:
        yield server


Put = Callable[[str, str, bytes], None]
"""Writes an object: bucket, name and content. The bucket is made if need be."""


@pytest.fixture
def put_s3(minio: Minio) -> Put:
    s3 = s3_client(minio)

    def put(bucket: str, name: str, content: bytes) -> None:
        if bucket not in [each["Name"] for each in s3.list_buckets()["Buckets"]]:
            s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key=name, Body=content)

    return put


@pytest.fixture
def put_gs(fake_gcs: FakeGcs, monkeypatch: pytest.MonkeyPatch) -> Put:
    from google.cloud import storage

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", fake_gcs.address)
    client = storage.Client(project="tests")

    def put(bucket: str, name: str, content: bytes) -> None:
        if client.lookup_bucket(bucket) is None:
            client.create_bucket(bucket)
        client.bucket(bucket).blob(name).upload_from_string(content)

    return put


def s3_client(minio: Minio) -> Any:
    from botocore.session import Session

    return Session().create_client(
        "s3",
        endpoint_url=minio.address,
        aws_access_key_id=minio.user,
        aws_secret_access_key=minio.password,
        region_name="us-east-1",
    )
