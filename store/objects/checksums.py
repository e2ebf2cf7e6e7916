"""MD5 and CRC32C of an object's content, base64, as they are written on the wire."""

import base64
import hashlib
from dataclasses import dataclass
from typing import BinaryIO

import google_crc32c

from store.objects.errors import ContentMismatch

CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Checksums:
    """None where one is not known."""

    md5: str | None = None
    crc32c: str | None = None

    def check(self, announced: "Checksums") -> None:
        """
        Raises:
            ContentMismatch: one that was announced is another than this.
        """
        for kind, told, found in (
            ("MD5", announced.md5, self.md5),
            ("CRC32C", announced.crc32c, self.crc32c),
        ):
            if told is not None and told != found:
                raise ContentMismatch(f"Provided {kind} hash '{told}' doesn't match calculated '{found}'.")


def checksums_of(file: BinaryIO) -> Checksums:
    """Both checksums of all that is left to read."""
    md5 = hashlib.md5(usedforsecurity=False)
    crc32c = 0
    while chunk := file.read(CHUNK_BYTES):
        md5.update(chunk)
        crc32c = google_crc32c.extend(crc32c, chunk)
    return Checksums(
        base64.b64encode(md5.digest()).decode(), base64.b64encode(crc32c.to_bytes(4, "big")).decode()
    )
