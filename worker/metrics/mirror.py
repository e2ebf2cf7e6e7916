"""A local copy of the event files that a trial writes to an object store elsewhere.

    <folder>/files/…           the event files, as they are below the trial's place
            /generations.json  {name: the generation that was copied}

Objects there are replaced as a whole each time a writer flushes, mostly by themselves and some more. So only
what is new is fetched, with a little of what is known, which tells whether the rest is still the same.
"""

import json
import os
import time
from pathlib import Path
from typing import Protocol

from store.objects.names import Place, name_problem
from store.objects.records import replace_text
from worker.google_storage import RemoteObject

OVERLAP_BYTES = 4096
PIECE_BYTES = 8 * 2**20
MARK = "tfevents"


class Source(Protocol):
    """The store that is copied from; a test brings its own."""

    def list_below(self, place: Place) -> list[RemoteObject]:
        """All objects below a place."""
        ...

    def read(self, bucket: str, wanted: RemoteObject, first: int, last: int) -> bytes:
        """The bytes from `first` to `last`, both included."""
        ...


def refresh(source: Source, place: Place, folder: Path, not_after: float) -> list[str]:
    """Bring the copy up to date, unless that was done after `not_after` (seconds since the epoch).

    Whatever it raises, and wherever it is killed, the next call goes on from there. Gives sentences about
    objects that can't be copied.

    Raises:
        Exception: what the source raises.
    """
    noted = folder / "generations.json"
    generations: dict[str, int] = {}
    if noted.exists():
        if noted.stat().st_mtime > not_after:
            return []
        generations = json.loads(noted.read_text())
    (folder / "files").mkdir(parents=True, exist_ok=True)
    problems = []
    for remote in source.list_below(place):
        below = remote.name[len(place.name) + 1 :] if place.name else remote.name
        if MARK not in below.rpartition("/")[2] or generations.get(remote.name) == remote.generation:
            continue
        problem = name_problem(below)
        if problem is not None:
            problems.append(f"{place.bucket}/{remote.name} is not read: its name {problem}")
            continue
        target = folder / "files" / below
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy(source, place.bucket, remote, target)
        generations[remote.name] = remote.generation
        # Noted at once: what follows may fail.
        replace_text(noted, json.dumps(generations))
    replace_text(noted, json.dumps(generations))
    return problems


def age(seconds: float) -> float:
    """The time that lies so long back, for `refresh`."""
    return time.time() - seconds


def _copy(source: Source, bucket: str, remote: RemoteObject, target: Path) -> None:
    known = target.stat().st_size if target.exists() else 0
    start = max(0, known - OVERLAP_BYTES)
    if known and (remote.size < known or not _same(source, bucket, remote, target, start, known)):
        # Another file under the same name. Whoever follows the copy notices by its bytes.
        target.unlink()
        known = 0
    with target.open("ab") as file:
        while known < remote.size:
            last = min(known + PIECE_BYTES, remote.size) - 1
            file.write(source.read(bucket, remote, known, last))
            known = last + 1


def _same(source: Source, bucket: str, remote: RemoteObject, target: Path, start: int, end: int) -> bool:
    with target.open("rb") as file:
        file.seek(start, os.SEEK_SET)
        return file.read() == source.read(bucket, remote, start, end - 1)
