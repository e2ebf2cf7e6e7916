"""Who may use a data folder, and under which name.

Every lock here is the kernel's (flock): it goes with the process that holds it, whatever ends that. So who
gets a lock knows that its last holder is gone.
"""

import fcntl
import hashlib
import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

HOSTNAME_LENGTH = 40  # of a name, which must fit with all else into the column of leases


class CannotServe(Exception):
    """A process of the service can't start as asked; the message says what to change."""


@contextmanager
def own_data_dir(data_dir: Path) -> Iterator[None]:
    """Hold the data folder alone: `vernier serve` is all of the service.

    Raises:
        CannotServe: another process of a service holds it, or it can't be written.
    """
    with _data_dir(data_dir, fcntl.LOCK_EX):
        yield


@contextmanager
def shared_data_dir(data_dir: Path) -> Iterator[None]:
    """Hold the data folder together with other processes of the same service.

    Raises:
        CannotServe: `vernier serve` holds it, or it can't be written.
    """
    with _data_dir(data_dir, fcntl.LOCK_SH):
        yield


@contextmanager
def own_name(data_dir: Path) -> Iterator[str]:
    """A name, the lowest that is free, which no other live process has that looks after jobs in this folder.

    Whoever had it before is gone, with all that it was doing. It names the machine and the folder too, so it
    is nobody else's in a database that several folders share.
    """
    host = socket.gethostname()[:HOSTNAME_LENGTH]
    place = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:8]
    folder = data_dir / "workers"
    folder.mkdir(exist_ok=True, mode=0o700)
    for number in count(1):
        descriptor = _open(folder / f"{host}.{number}")
        try:
            if _try(descriptor, fcntl.LOCK_EX):
                yield f"{host}/{place}/{number}"
                return
        finally:
            os.close(descriptor)


def own_key(data_dir: Path) -> str:
    """A text that no other data folder has; it stays with the folder when that is moved."""
    file = data_dir / "key"
    with suppress(FileExistsError):
        part = data_dir / f"key.{os.getpid()}"
        part.write_text(uuid.uuid4().hex)
        try:
            os.link(part, file)
        finally:
            part.unlink()
    return file.read_text()


def place_of(data_dir: Path) -> str:
    """Where the folder is, in words."""
    return f"{data_dir} on {socket.gethostname()}"


@contextmanager
def _data_dir(data_dir: Path, kind: int) -> Iterator[None]:
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = _open(data_dir / "lock")
    except OSError as error:
        raise CannotServe(f"The data folder {data_dir} can't be used: {error.strerror}.") from error
    try:
        if not _try(lock, kind):
            raise CannotServe(
                f"Another service is using the data folder {data_dir}; stop it, or give this one its own "
                "with --data-dir or VERNIER_DATA_DIR."
            )
        yield
    finally:
        os.close(lock)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
