"""The service with a time of day that tests set: `python -m tests.clock_that_jumps FILE serve …`.

The file has the seconds by which its clock is ahead. SQLite is told too, by a function in the place of its
own. What counts seconds without regard to the time of day goes on as ever. Celery's messages and beat keep
the real time: `datetime` can't be told.

Why not libfaketime: Python's sleeps, which are until a time of the monotonic clock, fail under it.
"""

import sys
import time
from pathlib import Path
from typing import Any

UNIX_EPOCH, DAY = 2440587.5, 86400.0
"""A Julian day, and the seconds of one."""


class Offset:
    """By how much the clock of a program started with this file is ahead."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def set(self, seconds: float) -> None:
        """Put the clock there, at once."""
        part = self.file.with_suffix(".part")
        part.write_text(str(seconds))
        part.replace(self.file)

    def get(self) -> float:
        return float(self.file.read_text())


def main(file: str, *arguments: str) -> None:
    offset = Offset(Path(file))
    real = time.time

    def now() -> float:
        return real() + offset.get()

    time.time = now  # Before anyone has taken it over into its own names.

    import store.database
    from cli.main import main as command

    prepare = store.database._prepare_sqlite

    def prepare_and_tell(connection: Any, record: Any) -> None:
        prepare(connection, record)
        connection.create_function("julianday", 1, lambda _: now() / DAY + UNIX_EPOCH)

    store.database._prepare_sqlite = prepare_and_tell
    sys.argv[1:] = arguments
    command()


if __name__ == "__main__":
    main(*sys.argv[1:])
