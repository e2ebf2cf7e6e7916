"""Which store a place is in."""

from store.objects.names import Place, Scheme
from worker.elsewhere.google import GoogleStorage
from worker.elsewhere.remote import RemoteStore
from worker.elsewhere.s3 import S3Storage


class Stores:
    """The stores that are asked, each with its connections."""

    def __init__(self) -> None:
        self._stores: dict[Scheme, RemoteStore] = {"gs": GoogleStorage(), "s3": S3Storage()}

    def of(self, place: Place) -> RemoteStore:
        """The store that a place is in; its library may be missing, which asking it tells."""
        return self._stores[place.scheme]
