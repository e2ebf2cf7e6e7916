"""What is known of an attempt whatever becomes of its objects: that it was launched, and how it ended.

Files in the attempt's own directory. Workers that run side by side share it.
"""

from collections.abc import Sequence
from pathlib import Path

from worker.cluster import Replica
from worker.launchers.notes import read_note, write_note
from worker.launchers.protocol import AttemptPhase, AttemptStatus, Cause, Exceeded, ReplicaEnd

LAUNCHED, ENDED = "launched.json", "ended.json"


class Record:
    """Of the attempt in this directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def replicas(self) -> tuple[Replica, ...] | None:
        """All that were launched; None: it was not, or not to the end."""
        told = read_note(self._directory / LAUNCHED)
        return None if told is None else tuple(Replica.named(name) for name in told)

    def launched(self, replicas: Sequence[Replica]) -> None:
        write_note(self._directory / LAUNCHED, [replica.name for replica in replicas])

    def end(self) -> AttemptStatus | None:
        """How it ended; None: that has not been seen."""
        told = read_note(self._directory / ENDED)
        if told is None:
            return None
        return AttemptStatus(
            phase=AttemptPhase(told["phase"]),
            exit_code=told["exit_code"],
            told_to_stop=told["told_to_stop"],
            failed=tuple(ReplicaEnd(Replica.named(name), code) for name, code in told["failed"]),
            exceeded=None if told["exceeded"] is None else Exceeded.from_json(told["exceeded"]),
            lost=Replica.named(told["lost"]),
            cause=None if told["cause"] is None else Cause.from_json(told["cause"]),
        )

    def ended(self, status: AttemptStatus) -> None:
        plain = {
            "phase": status.phase,
            "exit_code": status.exit_code,
            "told_to_stop": status.told_to_stop,
            "failed": [[end.replica.name, end.exit_code] for end in status.failed],
            "exceeded": None if status.exceeded is None else status.exceeded.to_json(),
            "lost": status.lost.name,
            "cause": None if status.cause is None else status.cause.to_json(),
        }
        write_note(self._directory / ENDED, plain)
