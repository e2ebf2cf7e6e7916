"""Takes a multipart/related body apart while it arrives: one part of JSON, then the content (RFC 2387, 2046).

Some clients end the lines of the frame with CRLF, as the RFC has it, and some with LF alone. The first
boundary says which; the content itself may have any bytes.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from service.content_type import media_type_and_boundary
from service.storage.errors import invalid

MAX_HEAD_BYTES = 64 * 1024
"""Up to where the content begins: the JSON and the headers of both parts."""
_BOUNDARY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,198}[\x21-\x7e])?")


@dataclass(slots=True)
class Related:
    """A body of two parts. `read_head` first; then `content` gives the second part, bit by bit."""

    chunks: AsyncIterator[bytes]
    boundary: bytes
    resource: bytes = b""
    """The JSON."""
    content_type: str | None = None
    """What the second part's own header says."""
    _line_end: bytes = b""
    _head_bytes: int = 0
    _buffer: bytearray = field(default_factory=bytearray)

    async def read_head(self) -> None:
        """Read up to where the content begins.

        Raises:
            InvalidArgument: the body is not of that form.
        """
        dashed = b"--" + self.boundary
        line = await self._line()
        while line.rstrip() != dashed:  # What stands before the first boundary means nothing.
            line = await self._line()
        self._line_end = b"\r\n" if line.endswith(b"\r\n") else b"\n"
        await self._headers()
        lines = []
        while (line := await self._line()).rstrip() != dashed:
            lines.append(line)
        self.resource = b"".join(lines)
        self.content_type = (await self._headers()).get("content-type")

    async def content(self) -> AsyncIterator[bytes]:
        """
        Raises:
            InvalidArgument: the body ends before the last boundary.
        """
        end = self._line_end + b"--" + self.boundary + b"--"
        # The content may be empty: then the boundary follows the headers' end at once.
        if await self._begins_with(end[len(self._line_end) :]):
            return
        while True:
            found = self._buffer.find(end)
            if found >= 0:
                yield bytes(self._buffer[:found])
                return
            # Its beginning may stand at the end of what has arrived.
            keep = len(end) - 1
            if len(self._buffer) > keep:
                yield bytes(self._buffer[:-keep])
                del self._buffer[:-keep]
            await self._more()

    async def _headers(self) -> dict[str, str]:
        found = {}
        while (line := (await self._line()).strip()) != b"":
            name, _, value = line.decode("latin-1").partition(":")
            found[name.strip().lower()] = value.strip()
        return found

    async def _line(self) -> bytes:
        """One line of the head, with its end."""
        while (end := self._buffer.find(b"\n")) < 0 and len(self._buffer) <= MAX_HEAD_BYTES:
            await self._more()
        self._head_bytes += end + 1
        if end < 0 or self._head_bytes > MAX_HEAD_BYTES:
            raise invalid(f"The first part of the body is longer than {MAX_HEAD_BYTES} bytes.")
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        return line

    async def _begins_with(self, text: bytes) -> bool:
        while len(self._buffer) < len(text):
            if not text.startswith(self._buffer):
                return False
            await self._more()
        return self._buffer.startswith(text)

    async def _more(self) -> None:
        async for chunk in self.chunks:
            if chunk:
                self._buffer += chunk
                return
        raise invalid("The multipart body ends before its last boundary.")


def related(content_type: str, chunks: AsyncIterator[bytes]) -> Related:
    """A body of this content type.

    Raises:
        InvalidArgument: it is not multipart/related, or names no boundary.
    """
    media_type, boundary = media_type_and_boundary(content_type)
    if media_type != "multipart/related" or not boundary:
        raise invalid("uploadType=multipart needs the content type multipart/related with a boundary.")
    if len(boundary) > 2 and boundary[0] == boundary[-1] == "'":
        # gcloud's HTTP library puts it in single quotes, which mean nothing in a header: it is between them.
        boundary = boundary[1:-1]
    if not _BOUNDARY.fullmatch(boundary):
        raise invalid("The boundary of the multipart body is not one.")
    return Related(chunks, boundary.encode())
