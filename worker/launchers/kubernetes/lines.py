"""The lines of a pod's log, as the API gives them with when each was printed, and which of them are new."""

from datetime import UTC, datetime

SECOND = 10**9

Place = tuple[int, int]
"""Of a line in a log: when it was printed, in nanoseconds since 1970, and which it is of those in a row that
were printed then."""
START: Place = (-1, 0)
"""Before all lines."""
Line = tuple[Place, bytes]
DISORDER = SECOND
"""No line is earlier than one before it by more: two streams are written into one log, nearly in order."""


class After:
    """Tells which lines of an answer come after a place. The answer begins with a full second.

    Attributes:
        gap: whether that place was not there.
        found: whether it is known where what is new begins.
        unfinished: the last line, if it has not come to its end.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._last = START
        self._held: list[Line] = []
        self.gap = False
        self.found = place == START
        self.unfinished: Line | None = None

    def take(self, line: bytes) -> list[Line]:
        """What is known to be new with the next line.

        The end of a line that began before the log was asked for has no time, and has been taken with its
        beginning. A line that has not come to its end will come again.
        """
        stamp, _, text = line.partition(b" ")
        moment = _moment(stamp)
        if moment is None:
            return []
        last = (moment, self._last[1] + 1 if moment == self._last[0] else 1)
        if not text.endswith(b"\n"):
            if last == self._place:  # It was taken so.
                return self._find()
            self.unfinished = (last, text)
            return []
        self._last = last
        if self.found:
            return [(self._last, text)]
        if self._last == self._place:
            return self._find()
        if moment > self._place[0]:
            self._held.append((self._last, text))
            if moment > self._place[0] + DISORDER:
                return self.end()
        return []

    def _find(self) -> list[Line]:
        self.found = True
        self._held = []
        return []

    def end(self) -> list[Line]:
        """What is new, if the answer has come to its end."""
        if self.found:
            return []
        self.gap = self.found = True
        held, self._held = self._held, []
        return held


def since(place: Place) -> str | None:
    """From when a log is to be asked for to go on after a place, as the API takes it; None: all of it."""
    if place == START:
        return None
    return datetime.fromtimestamp((place[0] - DISORDER) // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(stamp: bytes) -> int | None:
    """Nanoseconds since 1970 of a time like 2026-11-21T10:00:00.123456789Z; None if it is none."""
    try:
        text = stamp.decode("ascii")
        seconds, dot, rest = text[:19], text[19:20], text[20:29]
        if dot != "." or len(rest) != 9:
            return None
        whole = datetime.fromisoformat(seconds + text[29:])
        return int(whole.timestamp()) * SECOND + int(rest)
    except ValueError:
        return None
