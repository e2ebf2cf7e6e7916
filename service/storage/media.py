"""Sending an object's content, all of it or one range (RFC 9110, 14)."""

import re
from collections.abc import AsyncIterator
from email.utils import formatdate
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from service.storage.errors import RangeNotSatisfiable
from service.storage.wire import DEFAULT_TYPE, etag
from store.objects.records import StoredObject

CHUNK_BYTES = 2**18
_RANGE = re.compile(r"bytes=(?:(\d{1,19})-(\d{1,19})?|-(\d{1,19}))")


class Content(StreamingResponse):
    """The content of an object from an open file, which is closed whatever becomes of the answer."""

    def __init__(self, stored: StoredObject, file: BinaryIO, wanted: str | None) -> None:
        """
        Args:
            wanted: the Range header. One that is malformed, or asks for several ranges, counts for nothing.

        Raises:
            RangeNotSatisfiable: none of the bytes is there; the file is closed.
        """
        try:
            first, last, partial = _range(wanted, stored.size)
        except RangeNotSatisfiable:
            file.close()
            raise
        self._file = file
        headers = _headers(stored)
        headers["Content-Length"] = str(last - first + 1)
        if partial:
            headers["Content-Range"] = f"bytes {first}-{last}/{stored.size}"
        super().__init__(
            _pieces(file, first, last - first + 1),
            status_code=206 if partial else 200,
            headers=headers,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            self.body_iterator = _pieces(self._file, 0, 0)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


def _range(wanted: str | None, size: int) -> tuple[int, int, bool]:
    """First and last byte to send, and whether a range was asked for; last is first - 1 for nothing."""
    match = None if wanted is None else _RANGE.fullmatch(wanted.strip())
    if match is None:
        return 0, size - 1, False
    first, last, suffix = (None if group is None else int(group) for group in match.groups())
    if suffix is not None:
        first, last = max(0, size - suffix), size - 1
        if suffix == 0:
            raise RangeNotSatisfiable(size)
    assert first is not None
    if last is not None and last < first:
        return 0, size - 1, False
    if first >= size:
        raise RangeNotSatisfiable(size)
    return first, size - 1 if last is None else min(last, size - 1), True


def _headers(stored: StoredObject) -> dict[str, str]:
    about = stored.about
    checksums = {"crc32c": about.crc32c, "md5": about.md5}
    named = {
        "Content-Type": about.headers.get("contentType", DEFAULT_TYPE),
        "Cache-Control": about.headers.get("cacheControl", "no-cache"),
        "Content-Disposition": about.headers.get("contentDisposition"),
        "Content-Encoding": about.headers.get("contentEncoding"),
        "Content-Language": about.headers.get("contentLanguage"),
        "ETag": f'"{etag(stored)}"',
        "Last-Modified": formatdate(stored.generation / 1e9, usegmt=True),
        "Accept-Ranges": "bytes",
        "X-Goog-Generation": str(stored.generation),
        "X-Goog-Metageneration": str(about.metageneration),
        "X-Goog-Hash": ",".join(f"{kind}={value}" for kind, value in checksums.items() if value),
        "X-Goog-Storage-Class": "STANDARD",
        "X-Goog-Stored-Content-Encoding": about.headers.get("contentEncoding", "identity"),
        "X-Goog-Stored-Content-Length": str(stored.size),
        # A page among the objects must not act in the name of the service's own pages.
        "Content-Security-Policy": "sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    return {name: value for name, value in named.items() if value}


async def _pieces(file: BinaryIO, first: int, count: int) -> AsyncIterator[bytes]:
    await run_in_threadpool(file.seek, first)
    while count > 0:
        piece = await run_in_threadpool(file.read, min(count, CHUNK_BYTES))
        if not piece:
            # A trial cut the file short. The answer is then too, and the client sees it by its length.
            return
        count -= len(piece)
        yield piece
