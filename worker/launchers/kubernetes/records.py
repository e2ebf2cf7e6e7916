"""What is known of an attempt whatever becomes of its objects: that it was launched, and how it ended.

Files in the attempt's own directory. Workers that run side by side share it.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from worker.cluster import Replica
from worker.launchers.protocol import AttemptPhase, AttemptStatus, Cause, Exceeded, Limit, ReplicaEnd


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
        return AttemptStatus(
            phase=AttemptPhase(told["phase"]),
            exit_code=told["exit_code"],
            told_to_stop=told["told_to_stop"],
            failed=tuple(ReplicaEnd(Replica.named(name), code) for name, code in told["failed"]),
            exceeded=_exceeded(told["exceeded"]),
            lost=Replica.named(told["lost"]),
            cause=None if told["cause"] is None else Cause.from_json(told["cause"]),
        )

    def ended(self, status: AttemptStatus) -> None:
        plain = {
            "phase": status.phase,
            "exit_code": status.exit_code,
            "told_to_stop": status.told_to_stop,
            "failed": [[end.replica.name, end.exit_code] for end in status.failed],
            "exceeded": None if status.exceeded is None else asdict(status.exceeded),
            "lost": status.lost.name,
            "cause": None if status.cause is None else status.cause.to_json(),
        }
        _write(self._ended, plain)


def _exceeded(told: dict[str, str] | None) -> Exceeded | None:
    return None if told is None else Exceeded(Limit(told["limit"]), told["sentence"])


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
