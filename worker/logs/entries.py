"""Cuts what a process has printed into entries: a line is one, and so is a whole traceback.

What is not finished yet is left alone and looked at again from its beginning when there is more, so nothing
has to be remembered but how far the output has been used. Whatever pieces the bytes come in, the entries are
the same, unless something was let go unfinished because it had been waited for too long.
"""

import codecs
from dataclasses import dataclass

from worker.logs.severity import DEFAULT, read_record
from worker.logs.tracebacks import Traceback

MAX_BYTES = 256 * 1024
"""Of an entry; longer lines are cut, between characters."""
TRACEBACK_SEVERITY = "ERROR"


@dataclass(frozen=True, slots=True)
class Printed:
    """What becomes an entry."""

    severity: str
    message: str


@dataclass(frozen=True, slots=True)
class Cut:
    """What was made of some output."""

    entries: list[Printed]
    used: int
    """Bytes, from the beginning; the rest is to be looked at again."""
    full: bool
    """Whether it stopped because there were as many entries as were asked for."""


def cut(
    data: bytes, *, end: bool = False, stale: bool = False, limit: int = 10_000, max_bytes: int = MAX_BYTES
) -> Cut:
    """Cut the output that follows the last cut's.

    Args:
        end: nothing comes after `data`: what is unfinished counts as finished.
        stale: what begins with `data` has been waited for long enough.
        limit: entries after which to stop.
        max_bytes: of an entry.

    A line ends with a line feed. What a carriage return within a line overwrites on a terminal is dropped,
    and so are blank lines outside tracebacks, and NULs. Bytes that are no UTF-8 become U+FFFD.
    """
    cutter = _Cutter(data, max_bytes)
    while len(cutter.entries) < limit:
        if not cutter.next_line(end):
            cutter.close(end, stale)
            return Cut(cutter.entries, cutter.used, full=False)
    return Cut(cutter.entries, cutter.used, full=True)


class _Cutter:
    def __init__(self, data: bytes, max_bytes: int) -> None:
        self.entries: list[Printed] = []
        self.used = 0
        self._data = data
        self._max_bytes = max_bytes
        self._read = 0
        """How far lines have been read; beyond `used` by what the traceback has taken."""
        self._traceback: Traceback | None = None
        self._taken: list[str] = []

    def next_line(self, end: bool) -> bool:
        """Read one line; false if there is no finished one."""
        start, data = self._read, self._data
        stop = data.find(b"\n", start, start + self._max_bytes + 1)
        after = stop + 1
        if stop < 0:
            if len(data) - start > self._max_bytes:
                after = stop = start + _whole_characters(data[start : start + self._max_bytes])
            elif end and start < len(data):
                after = stop = len(data)
            else:
                return False
        self._take(_text(data[start:stop]), data.find(b"\r", start, stop - 1) >= 0, after)
        return True

    def _take(self, line: str, is_overwritten: bool, after: int) -> None:
        if self._traceback is not None:
            fits = after - self.used <= self._max_bytes
            if fits and not is_overwritten and self._traceback.takes(line):
                self._taken.append(line)
                self._read = after
                return
            self._end_traceback()
        self._read = after
        if Traceback.begins(line):
            self._traceback, self._taken = Traceback(line), [line]
            return
        self.used = after
        if line.strip():
            record = read_record(line)
            self.entries.append(
                Printed(DEFAULT, line) if record is None else Printed(record.severity, record.message)
            )

    def _end_traceback(self) -> None:
        self.entries.append(Printed(TRACEBACK_SEVERITY, "\n".join(self._taken).rstrip()))
        self._traceback, self.used = None, self._read

    def close(self, end: bool, stale: bool) -> None:
        """Let go of what is not finished, if nothing more comes or it has been waited for."""
        waited_for = stale and self.used == 0
        if self._traceback is not None:
            if end or waited_for:
                self._end_traceback()
        elif waited_for and self._data:
            # The current state of a progress bar, or a line that is printed in parts.
            stop = self._data.rfind(b"\r")
            after = stop + 1
            if stop < 0:
                after = stop = _whole_characters(self._data)
            self._take(_text(self._data[:stop]), False, after)


def _text(raw: bytes) -> str:
    text = raw.decode("utf-8", errors="replace").rstrip("\r")
    if "\r" in text:
        text = next((part for part in reversed(text.split("\r")) if part.strip()), "")
    return text.replace("\0", "") if "\0" in text else text


def _whole_characters(raw: bytes) -> int:
    """How many bytes there are without a character that has only begun."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(raw)
    return len(raw) - len(decoder.getstate()[0])
