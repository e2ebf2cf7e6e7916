"""TensorBoard event files under a trial's directories: finding them, and following each from a byte offset.

A file is known by its path. That it still is the file that was read so far is told by the bytes at both ends
of what was read, not by its inode, which changes when a directory is synchronised or mounted anew. A file
that has shrunk or whose bytes differ was replaced: it is read from its start, under a new source number.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from google_crc32c import value as crc32c

from worker.metrics.measurement import Measurement
from worker.metrics.regular_file import open_regular, read_at
from worker.metrics.scalar_events import ScalarReader
from worker.metrics.tfrecord import WINDOW, Lengths, split

ENTRIES_LIMIT: Final = 200_000  # of all directories below a root
_MARK_BYTES = 64
_CHUNK = 2**20  # read at a time, unless a record is longer


@dataclass(frozen=True, slots=True)
class FilePosition:
    """How far one event file has been read.

    Attributes:
        path: which file: the number of its root, a slash, and its path below that root.
        source: the number its measurements carry.
        offset: bytes read, up to the end of a record.
        mark: checksum of the bytes at both ends of what was read.
        size, mtime_ns: the file's size in bytes and its modification time when it was last read to its end;
            -1 when there was more to read.
    """

    path: str
    source: int
    offset: int = 0
    mark: int = 0
    size: int = -1
    mtime_ns: int = -1


@dataclass(frozen=True, slots=True)
class EventFile:
    """An event file found under a root, with its status at that time; `path` as in FilePosition."""

    path: str
    location: Path
    status: os.stat_result


@dataclass(frozen=True, slots=True)
class Following:
    """What one look at one file gave: `read` counts bytes, `more` says that the limit cut the look short."""

    measurements: list[Measurement]
    position: FilePosition
    read: int
    more: bool
    problems: list[str]


def find(roots: Sequence[Path]) -> tuple[list[EventFile], list[str]]:
    """Find the plain files named `*tfevents*` anywhere under the roots, ordered by path; and what hindered.

    Symbolic links are not followed: they lead out of a trial's directory, or to a file that is found anyway.
    Hidden files are passed over: synchronising programs write such copies before they rename them. So is what
    vanishes meanwhile; roots need not exist.
    """
    found: list[EventFile] = []
    problems: list[str] = []
    # Whether one is inside another only several can tell.
    real = [os.path.realpath(root) for root in roots] if len(roots) > 1 else list(map(str, roots))
    for index, root in enumerate(real):
        inside_another = any(
            root.startswith(os.path.join(other, "")) or (root == other and position < index)
            for position, other in enumerate(real)
            if position != index
        )
        if not inside_another:
            found += _walk(root, str(index), problems)
    return sorted(found, key=lambda file: file.path), problems


def _walk(root: str, name: str, problems: list[str]) -> Iterator[EventFile]:
    pending = [(root, name)]
    left = ENTRIES_LIMIT
    while pending:
        directory, path = pending.pop()
        entries = _entries(directory, left, problems)
        left -= len(entries)
        for entry in entries:
            below = f"{path}/{entry.name}"
            try:
                if entry.is_dir(follow_symlinks=False):
                    pending.append((entry.path, below))
                elif "tfevents" in entry.name and not entry.name.startswith("."):
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode):
                        yield EventFile(_storable(below), Path(entry.path), status)
                    else:
                        problems.append(f"{entry.path}: not read, because it is a link or no plain file")
            except FileNotFoundError:
                continue
            except OSError as error:
                problems.append(f"{entry.path}: {error.strerror or error}")
    if left <= 0:
        problems.append(f"{root}: only {ENTRIES_LIMIT} entries were searched for event files")


def _entries(directory: str, limit: int, problems: list[str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(islice(entries, limit))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        problems.append(f"{directory}: {error.strerror or error}")
        return []


def _storable(path: str) -> str:
    """Make any file name into text that every database and JSON parser takes."""
    return os.fsencode(path).decode(errors="backslashreplace")


def follow(
    file: EventFile,
    position: FilePosition,
    scalars: ScalarReader,
    *,
    new_source: int,
    limit: int | None,
    final: bool,
) -> Following:
    """Read what was added to one file since `position`.

    Args:
        file: as found just now.
        position: where the last look stopped; with `offset` 0 for a file never read.
        scalars: takes the wanted tag out of the records.
        new_source: the source number in case the file was replaced; then `position.source` has it afterwards.
        limit: bytes after which to stop, within a window; None for no limit.
        final: nobody writes any more, so that an unfinished end is worth a problem.
    """
    nothing = Following([], position, 0, False, [])
    if not final and (file.status.st_size, file.status.st_mtime_ns) == (position.size, position.mtime_ns):
        return nothing
    try:
        with open_regular(file.location) as (descriptor, status):
            if status.st_size < position.offset or _mark(descriptor, position.offset) != position.mark:
                position = FilePosition(position.path, new_source)
            return _follow(descriptor, status, file, position, scalars, limit, final)
    except FileNotFoundError:
        return nothing
    except OSError as error:
        return replace(nothing, problems=[f"{file.location}: {error.strerror or error}"])


def _follow(
    descriptor: int,
    status: os.stat_result,
    file: EventFile,
    position: FilePosition,
    scalars: ScalarReader,
    limit: int | None,
    final: bool,
) -> Following:
    measurements: list[Measurement] = []
    lengths = Lengths()
    offset, size = position.offset, status.st_size
    damaged = oversized = 0
    unparsable = scalars.unparsable
    chunk = _CHUNK
    at_end = offset == size
    while not at_end and (limit is None or offset - position.offset < limit):
        wanted = min(chunk, size - offset)
        window = read_at(descriptor, wanted, offset)
        at_end = wanted == size - offset or len(window) < wanted
        piece = split(window, len(window) if at_end else size - offset, lengths)
        measurements += scalars.read(piece.records, position.source)
        offset += piece.consumed
        damaged += piece.damaged
        oversized += piece.oversized
        if piece.consumed:
            chunk = _CHUNK
        elif chunk == WINDOW:
            at_end = True  # the start of a record too long to read: the rest is not written yet
        else:
            chunk = WINDOW
    problems = []
    if damaged:
        problems.append(f"{file.location}: {damaged} damaged record(s) passed over")
    if oversized:
        problems.append(f"{file.location}: {oversized} record(s) of 16 MiB or more passed over")
    if scalars.unparsable > unparsable:
        problems.append(f"{file.location}: {scalars.unparsable - unparsable} record(s) are no events")
    if final and at_end and offset < size:
        problems.append(f"{file.location}: the last {size - offset} byte(s) are not a whole record")
    after = FilePosition(
        path=position.path,
        source=position.source,
        offset=offset,
        mark=_mark(descriptor, offset),
        size=size if at_end else -1,
        mtime_ns=status.st_mtime_ns if at_end else -1,
    )
    return Following(measurements, after, offset - position.offset, not at_end, problems)


def _mark(descriptor: int, offset: int) -> int:
    """Checksum the bytes at both ends of what stands before `offset`."""
    length = min(_MARK_BYTES, offset)
    return int(crc32c(read_at(descriptor, length, 0) + read_at(descriptor, length, offset - length)))
