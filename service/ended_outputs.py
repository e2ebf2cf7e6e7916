"""What ended jobs gave back, kept in memory for lists: it never changes, and is asked for often."""

import threading
from collections import OrderedDict

MAX_BYTES = 32 * 2**20
"""Some 600 jobs of 200 trials each, or a great many small ones."""

BESIDE = 200
"""Bytes that an entry takes besides its text, roughly."""


class EndedOutputs:
    """{job key: its trainingOutput as JSON text, without curves}; so many bytes of those asked for last.

    Of one database; may be shared by threads.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, job_pk: int) -> bytes | None:
        """The text; empty if the job has no output, None if that is not known."""
        with self._lock:
            output = self._kept.get(job_pk)
            if output is not None:
                self._kept.move_to_end(job_pk)
            return output

    def keep(self, job_pk: int, output: bytes) -> None:
        """Remember it, and forget what was not asked for longest."""
        with self._lock:
            self._bytes += len(output) + BESIDE - self._size(self._kept.get(job_pk))
            self._kept[job_pk] = output
            self._kept.move_to_end(job_pk)
            while self._bytes > self._max_bytes:
                _, forgotten = self._kept.popitem(last=False)
                self._bytes -= self._size(forgotten)

    @staticmethod
    def _size(output: bytes | None) -> int:
        return 0 if output is None else len(output) + BESIDE
