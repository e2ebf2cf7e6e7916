"""The service, killed at a point of its work: `python -m tests.dies_at POINT FILE serve …`.

As by `kill -9`, and once: it makes the file, and one that finds it lives.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

BEFORE_LAUNCH = "before-launch"
"""The intent is in the database, and nothing has been started for it."""
AFTER_LAUNCH = "after-launch"
"""A process runs, and the database does not know it."""
AFTER_END = "after-end"
"""The end of a process has been seen, and nothing of it is in the database."""
BEFORE_STOP = "before-stop"
"""A trial is to be stopped, and has not been told."""
POINTS = (BEFORE_LAUNCH, AFTER_LAUNCH, AFTER_END, BEFORE_STOP)


def main(point: str, file: str, *arguments: str) -> None:
    from cli.main import main as command
    from worker.launchers.local import LocalLauncher
    from worker.launchers.protocol import AttemptPhase, AttemptRef, AttemptSpec

    launch, observe, stop = LocalLauncher.launch, LocalLauncher.observe, LocalLauncher.stop

    def die(here: str) -> None:
        if here == point and not Path(file).exists():
            Path(file).touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def dying_launch(self: LocalLauncher, spec: AttemptSpec) -> None:
        die(BEFORE_LAUNCH)
        launch(self, spec)
        die(AFTER_LAUNCH)

    def dying_observe(self: LocalLauncher, refs: Sequence[AttemptRef]) -> Any:
        statuses = observe(self, refs)
        if any(status.phase is AttemptPhase.ENDED for status in statuses.values()):
            die(AFTER_END)
        return statuses

    def dying_stop(self: LocalLauncher, ref: AttemptRef, grace_seconds: float) -> None:
        die(BEFORE_STOP)
        stop(self, ref, grace_seconds)

    LocalLauncher.launch = dying_launch  # type: ignore[method-assign]
    LocalLauncher.observe = dying_observe  # type: ignore[method-assign]
    LocalLauncher.stop = dying_stop  # type: ignore[method-assign]
    sys.argv[1:] = arguments
    command()


if __name__ == "__main__":
    main(*sys.argv[1:])
