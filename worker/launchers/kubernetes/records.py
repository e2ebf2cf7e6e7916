"""What is known of an attempt whatever becomes of its objects: that it was launched, and how it ended.

Files in the attempt's own directory. Workers that run side by side share it.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from worker.cluster import PRIMARY, Replica
from worker.launchers.protocol import AttemptPhase, AttemptStatus, ReplicaEnd


class Record:
    """Of the attempt in this directory."""

    def __init__(self, directory: Path) -> None:
        self._launched = directory / "launched.json"
        self._ended = directory / "ended.json"

    def replicas(self) -> tuple[Replica, ...] | None:
        """All that were launched; None: it was not, or not to the end."""
        told = _read(self._launched)
        return None if told is None else tuple(Replica.named(name) for name in told)

    def launched(self, replicas: Sequence[Replica]) -> None:
        _write(self._launched, [replica.name for replica in replicas])

    def end(self) -> AttemptStatus | None:
        """How it ended; None: that has not been seen."""
        told = _read(self._ended)
        if told is None:
            return None
        failed = tuple(ReplicaEnd(Replica.named(name), code) for name, code in told.pop("failed"))
        phase, lost = AttemptPhase(told.pop("phase")), Replica.named(told.pop("lost"))
        return AttemptStatus(phase, failed=failed, lost=lost, **told)

    def ended(self, status: AttemptStatus) -> None:
        failed = [[end.replica.name, end.exit_code] for end in status.failed]
        plain = asdict(status) | {"failed": failed, "lost": status.lost.name}
        _write(self._ended, plain)


def place(directory: Path, replica: Replica) -> Path:
    """Where what belongs to one replica of the attempt is: what it printed, where it works."""
    return directory if replica == PRIMARY else directory / "replicas" / replica.name


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text())
    except FileNotFoundError:
        return None


def _write(file: Path, what: Any) -> None:
    """All of it, or nothing: it is read again after a crash."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(what))
    part.replace(file)
