"""What all storage routes share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from store.objects.buckets import Buckets
from store.objects.files import ObjectFiles
from store.objects.uploads import Uploads

T = TypeVar("T")
LONG_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Storage:
    """The store behind the routes, and the limits of requests."""

    files: ObjectFiles
    buckets: Buckets
    uploads: Uploads
    max_object_bytes: int
    max_body_bytes: int
    """Of requests that carry JSON only."""
    _long: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(LONG_AT_ONCE))

    async def at_length(self, work: Callable[[], T]) -> T:
        """Do in a thread what reads whole objects, a few at once, so that others still find a thread."""
        return await run_sync(work, limiter=self._long)
