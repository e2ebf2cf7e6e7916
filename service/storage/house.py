"""What all storage routes share."""

from dataclasses import dataclass

from store.objects.buckets import Buckets
from store.objects.files import ObjectFiles
from store.objects.uploads import Uploads


@dataclass(frozen=True, slots=True)
class Storage:
    """The store behind the routes, and the limits of requests."""

    files: ObjectFiles
    buckets: Buckets
    uploads: Uploads
    max_object_bytes: int
    max_body_bytes: int
    """Of requests that carry JSON only."""
