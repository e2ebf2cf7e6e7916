"""S3: Amazon's, or any server that speaks its protocol.

Where that is and who acts is found as Amazon's own tools find it: `AWS_*` variables, profiles in ~/.aws, the
roles of a machine or of a pod. `AWS_ENDPOINT_URL` names another server than Amazon's.
"""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from store.objects.names import Place
from worker.elsewhere.remote import TIMEOUT_SECONDS, RemoteObject, Unreachable, too_large

INSTALL_HINT = "pip install botocore"
CONNECT_SECONDS = 5.0
CONNECTIONS = 16
_PIECE_BYTES = 2**20
_REFUSALS = frozenset({301, 400, 401, 403, 404, 405})
_PASSING = frozenset({"NoSuchKey", "RequestTimeout"})
"""Refusals by their number that are none: the object was replaced or removed since it was listed, or the
connection was too slow."""


def is_installed() -> bool:
    """Whether the library is there."""
    return find_spec("botocore") is not None


class S3Storage:
    """Lists and reads objects (`RemoteStore`)."""

    def __init__(self) -> None:
        self._connecting = threading.Lock()
        self._connected: Any = None

    def list_below(self, place: Place) -> list[RemoteObject]:
        with _explained(place):
            pages = (
                self._client()
                .get_paginator("list_objects_v2")
                .paginate(Bucket=place.bucket, Prefix=f"{place.name}/" if place.name else "")
            )
            return [
                RemoteObject(each["Key"], each["ETag"], int(each["Size"]))
                for page in pages
                for each in page.get("Contents", ())
            ]

    def read(self, bucket: str, wanted: RemoteObject, first: int, last: int) -> bytes:
        with _explained(Place(bucket, wanted.name, "s3")):
            answer = self._client().get_object(
                Bucket=bucket, Key=wanted.name, IfMatch=wanted.version, Range=f"bytes={first}-{last}"
            )
            with closing(answer["Body"]) as body:
                piece: bytes = body.read()
            return piece

    def download(self, place: Place, target: Path, max_bytes: int) -> None:
        with _explained(place):
            # A package is fetched once: here it is the library that asks again.
            answer = _client(attempts=5).get_object(Bucket=place.bucket, Key=place.name)
            with closing(answer["Body"]) as body:
                if answer["ContentLength"] > max_bytes:
                    raise too_large(place, max_bytes)
                with target.open("xb") as file:
                    for piece in body.iter_chunks(_PIECE_BYTES):
                        file.write(piece)

    def _client(self) -> Any:
        with self._connecting:
            if self._connected is None:
                self._connected = _client(attempts=1)
            return self._connected


def _client(attempts: int) -> Any:
    from botocore.config import Config
    from botocore.session import Session

    return Session().create_client(
        "s3",
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=TIMEOUT_SECONDS,
            retries={"mode": "standard", "total_max_attempts": attempts},
            max_pool_connections=CONNECTIONS,
            # Of a part of an object there is none, and other servers than Amazon's differ in it.
            response_checksum_validation="when_required",
        ),
    )


@contextmanager
def _explained(place: Place) -> Iterator[None]:
    """Turn what the library raises into what the caller can act on.

    The sentences are the same each time: the numbers of requests are left out of them.
    """
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        told = error.response.get("Error", {})
        code = str(told.get("Code", status))
        why = f"{code}: {told['Message']}" if told.get("Message") else code
        raise _unreachable(place, why, status in _REFUSALS and code not in _PASSING) from error
    except (
        exceptions.CredentialRetrievalError,
        exceptions.MetadataRetrievalError,
        exceptions.ConnectionError,
        exceptions.HTTPClientError,
        exceptions.IncompleteReadError,
        OSError,
    ) as error:
        raise _unreachable(place, str(error), lasting=False) from error
    except exceptions.BotoCoreError as error:  # No credentials, no such profile, an impossible endpoint.
        raise _unreachable(place, str(error), lasting=True) from error


def _unreachable(place: Place, why: str, lasting: bool) -> Unreachable:
    moment = "" if lasting else " for the moment"
    return Unreachable(f"{place} can't be read{moment}: {why}", lasting)
