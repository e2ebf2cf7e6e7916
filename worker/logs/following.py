"""Reads what is new of an attempt's output since a cursor."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from worker.launchers.protocol import Stream
from worker.logs.entries import MAX_BYTES, Printed, cut

READ_BYTES = 4 * MAX_BYTES
"""Of each stream in one look; more than an entry can have, so that every look gets on."""
ENTRIES = 10_000
"""Of each stream in one look."""
HELD_SECONDS = 3.0
"""How long a line without its end, or a traceback that may go on, is waited for."""

ReadOutput = Callable[[Stream, int, int], bytes]
"""At most so many bytes (third) of a stream from an offset (second)."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far one stream has been used."""

    offset: int = 0
    held: float | None = None
    """Since when, in seconds since the epoch, what follows has been waited for to be finished."""


@dataclass(frozen=True, slots=True)
class LogCursor:
    """How far an attempt's streams have been used."""

    positions: Mapping[Stream, Position]

    def to_json(self) -> dict[str, Any]:
        """The cursor as a JSON object that `from_json` reads."""
        return {str(stream): asdict(position) for stream, position in self.positions.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "LogCursor":
        """Read what `to_json` gave; an empty object stands for nothing yet."""
        return cls({stream: Position(**data.get(str(stream), {})) for stream in Stream})


@dataclass(frozen=True, slots=True)
class Output:
    """What one look at an attempt's output gave."""

    entries: list[Printed]
    cursor: LogCursor
    more: bool
    """Whether there is more to read now."""


def read_new(read: ReadOutput, cursor: LogCursor, now: float, *, ended: bool) -> Output:
    """Read what is new of both streams.

    Args:
        read: reads a part of a stream; fewer bytes than asked for only where it ends for now.
        cursor: where the last look stopped.
        now: seconds since the epoch.
        ended: the attempt has ended, so that nothing is waited for.
    """
    entries: list[Printed] = []
    positions = {}
    more = False
    for stream in Stream:
        before = cursor.positions[stream]
        data = read(stream, before.offset, READ_BYTES)
        if not data and before.held is None:
            positions[stream] = before
            continue
        whole = len(data) < READ_BYTES
        # Also when the clock was set back: nothing must be held for ever.
        stale = before.held is not None and not 0 <= now - before.held < HELD_SECONDS
        done = cut(data, end=ended and whole, stale=stale, limit=ENTRIES)
        entries += done.entries
        more = more or done.full or not whole
        held = None
        if done.used < len(data) and whole and not done.full:
            held = before.held if done.used == 0 and before.held is not None else now
        positions[stream] = Position(before.offset + done.used, held)
    return Output(entries, LogCursor(positions), more)
