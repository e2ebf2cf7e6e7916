"""A local copy of the event files that a trial writes to an object store elsewhere.

    <folder>/files/…        the event files, as they are below the trial's place
            /versions.json  {name: the version that was copied}

Objects there are replaced as a whole each time a writer flushes, mostly by themselves and some more. So only
what is new is fetched, with a little of what is known, which tells whether the rest is still the same.
"""

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from store.objects.names import Place, name_problem
from store.objects.records import replace_text
from worker.elsewhere.remote import RemoteObject

OVERLAP_BYTES = 4096
PIECE_BYTES = 8 * 2**20
MARK = "tfevents"
MOST_BYTES = 2**30
"""Of one trial's event files together. What it writes is its own affair; this machine's disk is not."""


class Source(Protocol):
    """The part of a store that is needed here (`RemoteStore`)."""

    def list_below(self, place: Place) -> list[RemoteObject]: ...

    def read(self, bucket: str, wanted: RemoteObject, first: int, last: int) -> bytes: ...


def refresh(source: Source, place: Place, folder: Path, not_after: float) -> list[str]:
    """Bring the copy up to date, unless that was done after `not_after` (seconds since the epoch).

    Whatever it raises, and wherever it is killed, the next call goes on from there. Gives sentences about
    objects that can't be copied.

    Raises:
        Exception: what the source raises.
    """
    noted = folder / "versions.json"
    versions: dict[str, str] = {}
    if noted.exists():
        if not_after < noted.stat().st_mtime <= time.time():
            return []
        with suppress(ValueError):  # What was damaged is found out again.
            versions = json.loads(noted.read_text())
    (folder / "files").mkdir(parents=True, exist_ok=True)
    problems = []
    size = 0
    for remote in source.list_below(place):
        below = remote.name[len(place.name) + 1 :] if place.name else remote.name
        if MARK not in below.rpartition("/")[2]:
            continue
        size += remote.size
        if versions.get(remote.name) == remote.version:
            continue
        if size > MOST_BYTES:
            problems.append(
                f"{place.bucket}/{remote.name} is not read further: with it there are more than {MOST_BYTES} "
                "bytes of event files"
            )
            continue
        problem = name_problem(below)
        if problem is not None:
            problems.append(f"{place.bucket}/{remote.name} is not read: its name {problem}")
            continue
        target = folder / "files" / below
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy(source, place.bucket, remote, target)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            problems.append(f"{place.bucket}/{remote.name} is not read: it is beside an object below it")
            continue
        versions[remote.name] = remote.version
        # Noted at once: what follows may fail.
        replace_text(noted, json.dumps(versions))
    replace_text(noted, json.dumps(versions))
    return problems


def age(seconds: float) -> float:
    """The time that lies so long back, for `refresh`."""
    return time.time() - seconds


def _copy(source: Source, bucket: str, remote: RemoteObject, target: Path) -> None:
    known = target.stat().st_size if target.exists() else 0
    if known and not _continue(source, bucket, remote, target, known):
        # Another file under the same name. Whoever follows the copy notices by its bytes.
        target.unlink()
    with target.open("ab") as file:
        while (at := file.tell()) < remote.size:
            last = min(at + PIECE_BYTES, remote.size) - 1
            file.write(source.read(bucket, remote, at, last))


def _continue(source: Source, bucket: str, remote: RemoteObject, target: Path, known: int) -> bool:
    """Add to the copy what is new at the object's end; false if the object is not what was copied.

    What tells so comes in the same answer as what is new, unless that is long.
    """
    if remote.size < known:
        return False
    start = max(0, known - OVERLAP_BYTES)
    last = min(start + PIECE_BYTES, remote.size) - 1
    piece = source.read(bucket, remote, start, last)
    with target.open("r+b") as file:
        file.seek(start)
        if file.read() != piece[: known - start]:
            return False
        file.write(piece[known - start :])
    return True
