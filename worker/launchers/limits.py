"""What an attempt may print, write and hold in memory, so that one that has no measure hurts only itself.

Looked at now and then: between two looks an attempt may go beyond. What is kept of its output does not.
"""

import json
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from api_schemas.memory import MEMORY_LABEL
from worker.launchers.machine_memory import MB, held_by
from worker.launchers.protocol import Exceeded, Limit
from worker.launchers.replica_groups import ReplicaGroups

ENTRIES = 20_000
"""Files and directories that one look at what is on disk takes in; what is beyond is not counted."""
DISK_SECONDS = 10.0
"""Between two looks at what an attempt has on disk, each of which may take a while."""
MEMORY_SECONDS = 1.0
"""Between two looks at the memory of an attempt's processes, for which all others are looked at too."""
BLOCK = 512
"""Bytes in the unit of st_blocks, whatever the file system's own blocks are."""


@dataclass(frozen=True, slots=True)
class Limits:
    """In bytes.

    Attributes:
        output: of what one replica prints, on both streams.
        disk: of an attempt's own directories and of what it adds to its job dir; None: any.
    """

    output: int = 2**30
    disk: int | None = None


class LimitWatch:
    """Finds out which attempts have gone beyond their limits."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._looked: dict[Path, float] = {}

    def begin(self, attempt: ReplicaGroups, job_dir: Path | None, memory: int = 0) -> None:
        """Note what the attempt may hold, and what is in the job dir before it, which is not its doing.

        Args:
            memory: megabytes, of each replica; 0: any.
        """
        if memory:
            attempt.directory.mkdir(parents=True, exist_ok=True)
            _memory_note(attempt).write_text(str(memory))
        note = _note(attempt)
        if self._limits.disk is None or job_dir is None or note.exists():
            return
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps({"job_dir": str(job_dir), "before": size_of([job_dir])}))

    def exceeded(self, attempt: ReplicaGroups) -> Exceeded | None:
        """The limit that the attempt, which runs, has gone beyond; None if it has not."""
        for replica, group in attempt.groups().items():
            if group.printed() > self._limits.output:
                return Exceeded(
                    Limit.OUTPUT,
                    f"The replica {replica} printed more than {self._limits.output} bytes "
                    "(VERNIER_MAX_OUTPUT_BYTES) and was stopped.",
                )
        limit = self._limits.disk
        if limit is not None and self._is_time(_note(attempt), DISK_SECONDS) and _on_disk(attempt) > limit:
            return Exceeded(
                Limit.DISK,
                f"The trial wrote more than {limit} bytes to its working directory and its job dir "
                "(VERNIER_MAX_DISK_BYTES) and was stopped.",
            )
        return self._too_much_memory(attempt)

    def _too_much_memory(self, attempt: ReplicaGroups) -> Exceeded | None:
        note = _memory_note(attempt)
        if not note.exists() or not self._is_time(note, MEMORY_SECONDS):
            return None
        limit = int(note.read_text() or 0)
        for replica, group in attempt.groups().items():
            if limit and held_by(group.processes()) > limit * MB:
                return Exceeded(
                    Limit.MEMORY,
                    f"The replica {replica} held more than the {limit} MB of memory that its job asks for "
                    f"(label {MEMORY_LABEL}) and was stopped.",
                )
        return None

    def _is_time(self, note: Path, seconds: float) -> bool:
        now = self._clock()
        if now < self._looked.get(note, -seconds) + seconds:
            return False
        # Those of attempts that have ended are let go.
        self._looked = {each: last for each, last in self._looked.items() if now < last + 2 * DISK_SECONDS}
        self._looked[note] = now
        return True


def size_of(places: Iterable[Path]) -> int:
    """Bytes that these directories take on disk, not following links, without what can't be read."""
    total, left, folders = 0, ENTRIES, [str(place) for place in places]
    while folders and left > 0:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                left -= 1
                if left <= 0:
                    break
                with suppress(OSError):
                    total += entry.stat(follow_symlinks=False).st_blocks * BLOCK
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
    return total


def _on_disk(attempt: ReplicaGroups) -> int:
    written = size_of([attempt.directory])
    try:
        note = json.loads(_note(attempt).read_text())
    except (FileNotFoundError, ValueError):
        return written
    return written + max(0, size_of([Path(note["job_dir"])]) - int(note["before"]))


def _note(attempt: ReplicaGroups) -> Path:
    return attempt.directory / "disk.json"


def _memory_note(attempt: ReplicaGroups) -> Path:
    return attempt.directory / "memory"
