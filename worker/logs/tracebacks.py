"""Which lines are one Python traceback.

A traceback begins with its header, goes on with indented lines, and ends with the exception, whose message
may have any number of lines: nothing tells where it ends. So what follows the exception belongs to it until a
logger's record or another traceback begins. Chained tracebacks, with the sentence between them, are one; so
is an ExceptionGroup.
"""

import re

from worker.failures import CHAINED, TRACEBACK
from worker.logs.severity import read_record

MESSAGE_LINES = 100
"""Lines without indentation that may follow the line of the exception."""

_HEADER = re.compile(rf"(?:  \+ Exception Group )?{re.escape(TRACEBACK)}\s*$")
# A sentence that may stand before the header.
_PRELUDE = re.compile(r"Exception (?:in thread|in callback|ignored in:?) ")
# What a file that does not compile is told of without a header.
_FRAME = re.compile(r'  File "[^"]+", line \d+\s*$')


class Traceback:
    """A traceback that has begun, and what may follow in it. Lines come without their ends."""

    def __init__(self, first: str) -> None:
        self._last = first
        self._told = first.startswith("  +")
        """Whether what follows without indentation is of the exception's message."""
        self._message_lines = 0

    @staticmethod
    def begins(line: str) -> bool:
        """Whether a traceback begins with this line."""
        if line.startswith("  "):
            return bool(_HEADER.match(line) or _FRAME.match(line))
        return line.startswith(("Traceback", "Exception ")) and bool(
            _HEADER.match(line) or _PRELUDE.match(line)
        )

    def takes(self, line: str) -> bool:
        """Whether the next line belongs to it; if so, it has been taken."""
        if not line.strip():
            return True  # Between chained tracebacks, and in messages.
        if _HEADER.match(line):
            if not (self._last.strip() in CHAINED or _PRELUDE.match(self._last)):
                return False
            self._told, self._message_lines = line.startswith("  +"), 0
        elif line[0] not in " \t":
            if _PRELUDE.match(line) or read_record(line) is not None:
                return False
            self._message_lines += self._told
            if self._message_lines > MESSAGE_LINES:
                return False
            self._told = True
        self._last = line
        return True
