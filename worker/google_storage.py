"""Google Cloud Storage, for a service whose gs:// means that (VERNIER_OBJECT_STORE=google).

Whoever the library's own rules find acts: application default credentials, or nobody in particular where
STORAGE_EMULATOR_HOST names another server. Only what the worker needs is here: whole packages, and pieces of
event files.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from store.objects.names import Place

TIMEOUT_SECONDS = 10.0
"""A look at a job must not last as long as a lease."""
INSTALL_HINT = "pip install google-cloud-storage"


class Unreachable(Exception):
    """Google Cloud Storage refused or did not answer; `lasting` if asking again is of no use."""

    def __init__(self, message: str, lasting: bool) -> None:
        super().__init__(message)
        self.lasting = lasting


@dataclass(frozen=True, slots=True)
class RemoteObject:
    name: str
    generation: int
    size: int


def is_installed() -> bool:
    """Whether the library is there."""
    try:
        return find_spec("google.cloud.storage") is not None
    except ModuleNotFoundError:
        return False


def download(place: Place, target: Path, max_bytes: int) -> None:
    """Fetch a whole object.

    Raises:
        Unreachable: it can't be had, or is larger than `max_bytes`.
    """
    with _explained(place):
        blob = _client().bucket(place.bucket).blob(place.name)
        blob.reload()
        if blob.size > max_bytes:
            raise Unreachable(
                f"{place} is larger than {max_bytes} bytes (VERNIER_MAX_PACKAGE_BYTES)", lasting=True
            )
        blob.download_to_filename(str(target), if_generation_match=blob.generation)


class GoogleStorage:
    """Lists and reads objects. One for all threads; it connects when it is first used."""

    def __init__(self) -> None:
        self._connected: Any = None

    def list_below(self, place: Place) -> list[RemoteObject]:
        """All objects below a place.

        Raises:
            Unreachable
        """
        with _explained(place):
            found = self._client().list_blobs(
                place.bucket,
                prefix=f"{place.name}/" if place.name else None,
                fields="items(name,generation,size),nextPageToken",
                timeout=TIMEOUT_SECONDS,
                retry=None,
            )
            return [RemoteObject(blob.name, int(blob.generation), int(blob.size)) for blob in found]

    def read(self, bucket: str, wanted: RemoteObject, first: int, last: int) -> bytes:
        """The bytes from `first` to `last`, both included, of that generation.

        Raises:
            Unreachable
        """
        with _explained(Place(bucket, wanted.name)):
            piece: bytes = (
                self._client()
                .bucket(bucket)
                .blob(wanted.name)
                .download_as_bytes(
                    start=first,
                    end=last,
                    raw_download=True,
                    if_generation_match=wanted.generation,
                    timeout=TIMEOUT_SECONDS,
                    checksum=None,
                    retry=None,
                )
            )
            return piece

    def _client(self) -> Any:
        if self._connected is None:
            self._connected = _client()
        return self._connected


def _client() -> Any:
    from google.cloud import storage

    return storage.Client()


@contextmanager
def _explained(place: Place) -> Iterator[None]:
    """Turn what the library raises into what the caller can act on."""
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError
    from requests.exceptions import RequestException

    try:
        yield
    except (exceptions.Unauthorized, exceptions.Forbidden, exceptions.NotFound, GoogleAuthError) as error:
        raise Unreachable(f"{place} can't be read: {error}", lasting=True) from error
    except (exceptions.GoogleAPIError, RequestException, OSError) as error:
        raise Unreachable(f"{place} can't be read for the moment: {error}", lasting=False) from error
