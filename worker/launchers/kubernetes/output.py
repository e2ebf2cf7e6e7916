"""Keeps what a replica's pods print in a file, to be read from any offset, also when the pods are gone.

The API has no offsets: a log is asked for from a second on, and each line comes with when it was printed. A
cursor names the line of each pod that was taken last; what follows it is new. It also names the length of the
file, so that what was written and not accounted for, by a worker that ended in between, is taken back and
comes again, the same.

Nodes keep a log until it has a size, and then begin another, of which alone they tell. Where the line that
was taken last has gone that way, others may have gone with it: that is a gap, and a line says so.

Both streams come as one.
"""

import fcntl
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from worker.launchers.kubernetes.api import ApiServer, Json
from worker.launchers.kubernetes.lines import START, After, Line, Place, since
from worker.launchers.kubernetes.objects import CONTAINER
from worker.launchers.notes import read_note, write_note

GAP = b"[vernier] Output may be missing here: the node had let go of it before it was read.\n"


@dataclass(frozen=True, slots=True)
class Kept:
    """What came of taking in a log."""

    fits: bool = True
    """Whether all of it is no more than it may be."""
    waits: bool = False
    """Whether there was a gap, which was left open."""
    goes_on: bool = False
    """Whether what was taken last is still there, of the newest pod: one can listen from there on."""


def output_file(directory: Path) -> Path:
    """Where what a replica printed is kept."""
    return directory / "output.log"


def kept_bytes(directory: Path) -> int:
    """How much of that file will stay as it is."""
    return int(_told(directory)["size"])


def taken(directory: Path, pod: str) -> Place:
    """How far the log of a pod, named by its uid, has been taken."""
    return _place(_told(directory), pod)


def in_order(pods: Iterable[Json]) -> list[Json]:
    """The pods of a replica, of which each took the place of the one before."""
    return sorted(pods, key=lambda each: str(each["metadata"]["creationTimestamp"]))


def keep(
    api: ApiServer,
    pods: Sequence[Json],
    directory: Path,
    most: int = sys.maxsize,
    over_gaps: bool = True,
    ended: bool = False,
) -> Kept:
    """Take in all that is new of what these pods have printed.

    Args:
        pods: all of one replica that there are.
        directory: the replica's own.
        most: how many bytes are taken in all, to the end of a line.
        over_gaps: whether what comes after a gap is taken, too.
        ended: the pods print no more: a last line needs no end, and a gap nothing that comes after it.
    """
    goes_on = False
    with _file(directory, most) as file:
        for pod in in_order(pods):
            uid = pod["metadata"]["uid"]
            place = file.taken(uid)
            after, told = After(place), False
            for new in _new(api.log(pod["metadata"]["name"], CONTAINER, since(place)), after):
                if after.gap and not told and (new or ended):
                    if not over_gaps:
                        return Kept(waits=True)
                    file.add_gap(uid)
                    told = True
                if not file.add(uid, new):
                    return Kept(fits=False)
            if ended and after.unfinished is not None and file.fits:
                file.add(uid, [after.unfinished])
            goes_on = file.taken(uid) != place or (not after.gap and place != START)
        return Kept(fits=file.fits, goes_on=goes_on)


def _new(lines: Iterable[bytes], after: After) -> Iterator[list[Line]]:
    yield from map(after.take, lines)
    yield after.end()


def append(directory: Path, pod: str, after: Place, lines: Sequence[Line], most: int) -> Kept:
    """Add the lines of a pod, named by its uid, that come after a place.

    Raises:
        Overtaken: that is not as far as its log has been taken.
    """
    with _file(directory, most) as file:
        if file.taken(pod) != after:
            raise Overtaken
        file.add(pod, lines)
        return Kept(fits=file.fits)


class Overtaken(Exception):
    """Somebody else has taken a log further."""


class _File:
    """What is kept, open to be added to."""

    def __init__(self, opened: BinaryIO, told: dict[str, Any], most: int) -> None:
        self._opened = opened
        self._told = told
        self._most = most

    @property
    def fits(self) -> bool:
        return bool(self._told["size"] <= self._most)

    def taken(self, pod: str) -> Place:
        return _place(self._told, pod)

    def add(self, pod: str, lines: Sequence[Line]) -> bool:
        """Add lines of a pod, as long as there is room; false if there is none for one of them."""
        for place, text in lines:
            if not self.fits:
                return False
            self._write(text)
            self._told["pods"][pod] = list(place)
        return True

    def add_gap(self, pod: str) -> None:
        """Say that something may be missing after what was taken last of a pod, unless that was said."""
        gaps, place = self._told.setdefault("gaps", {}), list(self.taken(pod))
        if self.fits and gaps.get(pod) != place:
            self._write(GAP)
            gaps[pod] = place

    def _write(self, text: bytes) -> None:
        self._opened.write(text)
        self._told["size"] += len(text)


@contextmanager
def _file(directory: Path, most: int) -> Iterator[_File]:
    """What is kept of a replica, to be added to by nobody else meanwhile; what fails adds nothing."""
    directory.mkdir(parents=True, exist_ok=True)
    with _locked(directory / "output.lock"), output_file(directory).open("ab") as opened:
        told = _told(directory)
        before = told["size"]
        opened.truncate(before)
        opened.seek(0, os.SEEK_END)
        yield _File(opened, told, most)
        opened.flush()
        if told["size"] != before:
            write_note(_cursor(directory), told)


def _told(directory: Path) -> dict[str, Any]:
    told: dict[str, Any] = read_note(_cursor(directory)) or {"size": 0, "pods": {}}
    return told


def _place(told: dict[str, Any], pod: str) -> Place:
    moment, number = told["pods"].get(pod, START)
    return moment, number


def _cursor(directory: Path) -> Path:
    return directory / "output.json"


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
