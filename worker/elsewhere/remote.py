"""What the worker asks of an object store elsewhere, and how that fails."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from store.objects.names import Place

TIMEOUT_SECONDS = 10.0
"""For one answer. Nothing is asked again at once: there is another look."""


class Unreachable(Exception):
    """The store refused or did not answer; `lasting` if asking again is of no use."""

    def __init__(self, message: str, lasting: bool) -> None:
        super().__init__(message)
        self.lasting = lasting


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """An object as it was when it was listed; another content has another `version`."""

    name: str
    version: str
    size: int


class RemoteStore(Protocol):
    """One for all threads; it connects when it is first used. Every method raises Unreachable."""

    def list_below(self, place: Place) -> list[RemoteObject]:
        """All objects below a place."""
        ...

    def read(self, bucket: str, wanted: RemoteObject, first: int, last: int) -> bytes:
        """The bytes from `first` to `last`, both included, of that version."""
        ...

    def download(self, place: Place, target: Path, max_bytes: int) -> None:
        """Fetch a whole object; one that is larger than `max_bytes` counts as refused."""
        ...


def too_large(place: Place, max_bytes: int) -> Unreachable:
    """What is raised of a package that is larger than it may be."""
    return Unreachable(f"{place} is larger than {max_bytes} bytes (VERNIER_MAX_PACKAGE_BYTES)", lasting=True)
