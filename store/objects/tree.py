"""Reaching files below a directory that other programs write to, without ever being led out of it.

Trials make links as they like. Each step of a path is opened from the directory before it, and none may be a
link, so nothing can be exchanged between a check and its use.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

MAX_LEVELS = 512
"""No object's name has more, of 1024 bytes."""
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe under an object's name must not hold the reader for ever.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or a directory."""

    name: str
    is_directory: bool


@contextmanager
def directory(root: Path, segments: Sequence[str], create: bool = False) -> Iterator[int]:
    """A descriptor of a directory below `root`, which is made on the way if `create`.

    Raises:
        OSError: it is not there, or a step on the way is no directory.
    """
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for segment in segments:
            if create:
                with suppress(FileExistsError):
                    os.mkdir(segment, dir_fd=descriptor)
            below = os.open(segment, _DIRECTORY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def open_file(parent: int, name: str) -> tuple[int, os.stat_result]:
    """A descriptor of a plain file, for reading, and its status then.

    Raises:
        OSError: there is none of that name, or it is no plain file.
    """
    descriptor = os.open(name, _FILE, dir_fd=parent)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "no plain file", name)
    return descriptor, status


def file_status(parent: int, name: str) -> os.stat_result | None:
    """The status of a plain file; None if there is none of that name."""
    with suppress(FileNotFoundError):
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if stat.S_ISREG(status.st_mode):
            return status
    return None


def entries(parent: int) -> list[Entry]:
    """The files and directories in a directory; links, pipes and the like are left out.

    Names alone: of a million files the rest would take a gigabyte, for a page of a thousand.
    """
    found = []
    with os.scandir(parent) as listed:
        for entry in listed:
            with suppress(FileNotFoundError):  # Gone meanwhile.
                is_directory = entry.is_dir(follow_symlinks=False)
                if is_directory or entry.is_file(follow_symlinks=False):
                    found.append(Entry(entry.name, is_directory))
    return found


def remove_empty(parent: int, name: str, levels: int = MAX_LEVELS) -> bool:
    """Remove a directory if it holds nothing but empty directories; false if something is left of it.

    Args:
        levels: how deep it may be; each holds a descriptor.
    """
    if levels == 0:
        return False
    try:
        descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
    except OSError:
        return False
    try:
        for entry in entries(descriptor):
            if not (entry.is_directory and remove_empty(descriptor, entry.name, levels - 1)):
                return False
    finally:
        os.close(descriptor)
    try:
        os.rmdir(name, dir_fd=parent)
    except OSError:
        return False
    return True
