"""TFRecord framing: cutting a growing, perhaps damaged file into records.

    uint64  length                       little endian
    uint32  masked CRC-32C of length
    byte    data[length]
    uint32  masked CRC-32C of data

(TensorFlow, `tensorflow/core/lib/io/record_writer.h`.) What is lost is only what was hit:

* A file that ends within a record is still being written: the reader waits in front of that record.
* Data or a length that fails its checksum costs that record: the next whole, valid record is sought.
* Damage looks like a tail that is still being written (a network file system may show zeros first). It is
  passed over when a valid record stands behind it, or when none begins in the `SEEK_SPAN` bytes behind it.
"""

import re
import struct
from dataclasses import dataclass
from typing import Final

from google_crc32c import value as crc32c

HEADER: Final = 12
FOOTER: Final = 4
# Longer records (graphs, images) are passed over unread. A scalar's record has some 50 bytes.
RECORD_LIMIT: Final = 2**24 - 1
# Room for the longest record that is read.
WINDOW: Final = HEADER + RECORD_LIMIT + FOOTER
# How far behind damage the next record is sought before the bytes up to there are given up, whatever follows.
SEEK_SPAN: Final = 2**22

_MASK_DELTA = 0xA282EAD8
_LENGTH = struct.Struct("<Q")
_CHECKSUM = struct.Struct("<I")
# Where a header may start, found at C speed: a length below 2**24 that is not zero, then any checksum.
_HEADER_CANDIDATE = re.compile(rb"(?=(?:[^\0]..|.[^\0].|..[^\0])\0{5}.{4})", re.DOTALL)


def masked_crc(data: bytes) -> int:
    """Checksum `data` as TFRecord does: CRC-32C, rotated right by 15 bits, plus a constant, modulo 2**32."""
    crc: int = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


@dataclass(slots=True)
class Split:
    """What `split` found in a window.

    Attributes:
        records: the data of each whole, valid record, in order.
        consumed: where to read on, in bytes from the start of the window; past its end when a record that is
            too long to read was passed over.
        damaged: how many damaged places were passed over.
        oversized: how many records longer than RECORD_LIMIT were passed over.
    """

    records: list[bytes]
    consumed: int = 0
    damaged: int = 0
    oversized: int = 0


class Lengths(dict[bytes, int | None]):
    """The length that each record header holds, or None where its checksum fails; a file has few of them."""

    def __missing__(self, header: bytes) -> int | None:
        (stored,) = _CHECKSUM.unpack_from(header, 8)
        if masked_crc(header[:8]) != stored:
            return None
        length: int = _LENGTH.unpack_from(header)[0]
        if len(self) < 4096:
            self[header] = length
        return length


def split(window: bytes, remaining: int, lengths: Lengths) -> Split:
    """Cut as many records as possible off the front of a window.

    Args:
        window: bytes of the file from where the last call stopped.
        remaining: bytes from the start of the window to the end of the file.
        lengths: kept between the windows of a file to save work.

    Returns:
        The records; with `consumed` at 0 when nothing can be done without more bytes. WINDOW bytes are always
        enough, except in front of a record too long to read that is still being written.
    """
    records: list[bytes] = []
    found = Split(records)
    position = 0
    end = len(window)
    checksum_at = _CHECKSUM.unpack_from
    while position + HEADER <= end:
        unfinished = False
        length = lengths[window[position : position + HEADER]]
        if length is not None:
            data = position + HEADER
            following = data + length + FOOTER
            if length > RECORD_LIMIT and following <= remaining:
                found.oversized += 1
                position = following
                continue
            if following <= end:
                record = window[data : data + length]
                crc = crc32c(record)
                # masked_crc() written out, because this line runs for every record.
                masked = (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF
                if masked == checksum_at(window, data + length)[0]:
                    records.append(record)
                    position = following
                    continue
            elif end < remaining and length <= RECORD_LIMIT:
                break  # whole in the next window, which starts here
            else:
                unfinished = True
        following, is_record = _next_record(window, position + 1, lengths)
        if not is_record and (unfinished or end - position < SEEK_SPAN + HEADER):
            break
        found.damaged += 1
        position = following
    found.consumed = position
    return found


def _next_record(window: bytes, start: int, lengths: Lengths) -> tuple[int, bool]:
    """Seek the first whole, valid record that begins in the `SEEK_SPAN` bytes from `start` on.

    Returns:
        Its position and True; or False, and the first position at which one may yet begin.
    """
    end = len(window)
    possible = start + SEEK_SPAN
    for candidate in _HEADER_CANDIDATE.finditer(window, start, possible + HEADER - 1):
        position = candidate.start()
        length = lengths[window[position : position + HEADER]]
        if length is None:
            continue
        data = position + HEADER
        if data + length + FOOTER > end:
            possible = min(possible, position)
        elif masked_crc(window[data : data + length]) == _CHECKSUM.unpack_from(window, data + length)[0]:
            return position, True
    return possible, False
