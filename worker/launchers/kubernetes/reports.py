"""What cloudml-hypertune has reported, where pods share no volume with the service.

The file that it writes is the one in which a container may leave its last words: its node reads that when
the container has ended, and they become part of the pod's status. That is 4096 bytes, the newest 30 reports
or so; nothing of them is known while the trial runs.
"""

from collections.abc import Sequence
from pathlib import Path

from store.objects.records import replace_text
from worker.launchers.kubernetes.api import Json
from worker.launchers.kubernetes.states import NEVER_BEGAN, newest, terminated

LIMIT_BYTES = 4096
"""What a node takes of them, from their end."""


def keep_reports(pods: Sequence[Json], file: Path) -> None:
    """Write what a replica's newest pod has reported to a file, if that has ended and is known."""
    end = terminated(newest(pods)) if pods else None
    if end is None or end.get("reason") in NEVER_BEGAN:
        return  # Then the words are its node's.
    raw = str(end.get("message", "")).encode(errors="replace")
    reports = raw.decode()
    if len(raw) >= LIMIT_BYTES:
        reports = reports.partition("\n")[2]  # Of the first line only the end is there.
    if reports:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_text(file, reports)
