"""Opening files whose path another program controls.

A trial may put anything under a name that we read: a link out of its own directory, a pipe that would hold
the reader for ever, a device. Only plain files that stand under that very name are opened.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextmanager
def open_regular(path: Path) -> Iterator[tuple[int, os.stat_result]]:
    """Open a plain file for reading, and close it at the end of the block.

    Yields:
        Its descriptor, for `os.pread`, and its status at the time of opening.

    Raises:
        OSError: when it cannot be opened, is a symbolic link, or is no plain file.
    """
    descriptor = os.open(path, _FLAGS)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path} is not a plain file")
        yield descriptor, status
    finally:
        os.close(descriptor)


def read_at(descriptor: int, size: int, offset: int) -> bytes:
    """Read `size` bytes from `offset`; fewer only where the file ends.

    Raises:
        OSError: when the file cannot be read.
    """
    parts = []
    while size > 0 and (part := os.pread(descriptor, size, offset)):
        parts.append(part)
        offset += len(part)
        size -= len(part)
    return b"".join(parts)
