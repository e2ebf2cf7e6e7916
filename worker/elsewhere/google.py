"""Google Cloud Storage, for a service whose gs:// means that (VERNIER_OBJECT_STORE=google).

Whoever the library's own rules find acts: application default credentials, or nobody in particular where
STORAGE_EMULATOR_HOST names another server.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from store.objects.names import Place
from worker.elsewhere.remote import TIMEOUT_SECONDS, RemoteObject, Unreachable, too_large

INSTALL_HINT = "pip install google-cloud-storage"


def is_installed() -> bool:
    """Whether the library is there."""
    try:
        return find_spec("google.cloud.storage") is not None
    except ModuleNotFoundError:
        return False


class GoogleStorage:
    """Lists and reads objects (`RemoteStore`)."""

    def __init__(self) -> None:
        self._connecting = threading.Lock()
        self._connected: Any = None

    def list_below(self, place: Place) -> list[RemoteObject]:
        with _explained(place):
            found = self._client().list_blobs(
                place.bucket,
                prefix=f"{place.name}/" if place.name else None,
                fields="items(name,generation,size),nextPageToken",
                timeout=TIMEOUT_SECONDS,
                retry=None,
            )
            return [RemoteObject(blob.name, str(blob.generation), int(blob.size)) for blob in found]

    def read(self, bucket: str, wanted: RemoteObject, first: int, last: int) -> bytes:
        with _explained(Place(bucket, wanted.name)):
            piece: bytes = (
                self._client()
                .bucket(bucket)
                .blob(wanted.name)
                .download_as_bytes(
                    start=first,
                    end=last,
                    raw_download=True,
                    if_generation_match=int(wanted.version),
                    timeout=TIMEOUT_SECONDS,
                    checksum=None,
                    retry=None,
                )
            )
            return piece

    def download(self, place: Place, target: Path, max_bytes: int) -> None:
        with _explained(place):
            blob = self._client().bucket(place.bucket).blob(place.name)
            blob.reload()
            if blob.size > max_bytes:
                raise too_large(place, max_bytes)
            blob.download_to_filename(str(target), if_generation_match=blob.generation)

    def _client(self) -> Any:
        with self._connecting:
            if self._connected is None:
                from google.cloud import storage

                self._connected = storage.Client()
            return self._connected


@contextmanager
def _explained(place: Place) -> Iterator[None]:
    """Turn what the library raises into what the caller can act on."""
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError, TransportError
    from requests.exceptions import RequestException

    try:
        yield
    except TransportError as error:  # Of the server that says who one is, which may be back later.
        raise Unreachable(f"{place} can't be read for the moment: {error}", lasting=False) from error
    except (exceptions.Unauthorized, exceptions.Forbidden, exceptions.NotFound, GoogleAuthError) as error:
        raise Unreachable(f"{place} can't be read: {error}", lasting=True) from error
    except (exceptions.GoogleAPIError, RequestException, OSError) as error:
        raise Unreachable(f"{place} can't be read for the moment: {error}", lasting=False) from error
