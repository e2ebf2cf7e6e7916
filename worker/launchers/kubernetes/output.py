"""Keeps what a replica's pods print in a file, to be read from any offset, also when the pods are gone.

The API has no offsets: a log is asked for from a second on, and each line comes with when it was printed. A
cursor says how far that has been taken; it names the length of the file, so that what was written and not
accounted for, by a worker that ended in between, is taken back and comes again, the same.

Both streams come as one.
"""

import fcntl
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from worker.launchers.kubernetes.api import ApiServer
from worker.launchers.kubernetes.objects import CONTAINER

SECOND = 10**9


def output_file(directory: Path) -> Path:
    """Where what a replica printed is kept."""
    return directory / "output.log"


def keep(api: ApiServer, pods: Sequence[dict[str, Any]], directory: Path, most: int = sys.maxsize) -> bool:
    """Take in all that is new of what these pods have printed; false if that is more than it may be.

    Args:
        pods: all of one replica that there are.
        directory: the replica's own.
        most: how many bytes are taken in all, to the end of a line.
    """
    directory.mkdir(parents=True, exist_ok=True)
    cursor_file = directory / "output.json"
    with _locked(directory / "output.lock"), output_file(directory).open("ab") as file:
        told: dict[str, Any]
        told = json.loads(cursor_file.read_text()) if cursor_file.exists() else {"size": 0, "pods": {}}
        file.truncate(told["size"])
        file.seek(0, os.SEEK_END)
        for pod in sorted(pods, key=lambda each: str(each["metadata"]["creationTimestamp"])):
            uid = pod["metadata"]["uid"]
            cursor = Cursor(*told["pods"].get(uid, (-1, 0)))
            since = None if cursor.nanoseconds < 0 else _rfc3339(cursor.nanoseconds // SECOND)
            for line in api.log(pod["metadata"]["name"], CONTAINER, since):
                if file.tell() > most:
                    break
                if (text := cursor.take(line)) is not None:
                    file.write(text)
            told["pods"][uid] = [cursor.nanoseconds, cursor.lines]
        file.flush()
        size = os.fstat(file.fileno()).st_size
        if size != told["size"]:
            part = cursor_file.with_suffix(".part")
            part.write_text(json.dumps(told | {"size": size}))
            part.replace(cursor_file)
        return size <= most


@dataclass(slots=True)
class Cursor:
    """How far one pod's log has been taken."""

    nanoseconds: int = -1
    """When the last line was printed, since 1970; -1: there was none."""
    lines: int = 0
    """How many lines of that moment have been taken."""
    _again: int = 0
    """How many lines of that moment have come again."""

    def take(self, line: bytes) -> bytes | None:
        """The text of a line that is new; None of one that is not.

        The end of a line that began before the log was asked for has no time, and has been taken with its
        beginning. A line that has not come to its end will come again.
        """
        stamp, _, text = line.partition(b" ")
        moment = _moment(stamp)
        if moment is None or moment < self.nanoseconds or not text.endswith(b"\n"):
            return None
        if moment > self.nanoseconds:
            self.nanoseconds, self.lines, self._again = moment, 1, 1
            return text
        self._again += 1
        if self._again <= self.lines:
            return None
        self.lines += 1
        return text


def _moment(stamp: bytes) -> int | None:
    """Nanoseconds since 1970 of a time like 2026-11-21T10:00:00.123456789Z; None if it is none."""
    try:
        text = stamp.decode("ascii")
        seconds, dot, rest = text[:19], text[19:20], text[20:29]
        if dot != "." or len(rest) != 9:
            return None
        whole = datetime.fromisoformat(seconds + text[29:])
        return int(whole.timestamp()) * SECOND + int(rest)
    except ValueError:
        return None


def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
