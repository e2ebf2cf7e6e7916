"""The broker inside the process: who waits for a message hears of it at once, and is not woken without one.

Celery's own looks for one at intervals. Where those are short enough for us they cost a good part of what a
thousand trials at rest do.
"""

import threading
from queue import Empty
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, memory

WAIT_SECONDS = 0.05
"""How long a message may be missed, where several wait for one."""

_something_new = threading.Event()
"""Some message has been put there, or is done with, so that another may be taken."""


class Channel(memory.Channel):
    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:
        super()._put(queue, message, **kwargs)  # type: ignore[no-untyped-call]
        _something_new.set()

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        super().basic_ack(delivery_tag, multiple)  # type: ignore[no-untyped-call]
        _something_new.set()


class Transport(memory.Transport):
    Channel = Channel

    def drain_events(  # type: ignore[override]
        self, connection: Any, timeout: float | None = None
    ) -> None:
        """Deliver one message, if there is one soon.

        Raises:
            TimeoutError: there was none. It is asked again.
        """
        _something_new.clear()
        try:
            self.cycle.get(self._deliver, timeout=timeout)  # type: ignore[union-attr]
        except Empty:
            _something_new.wait(WAIT_SECONDS)
            raise TimeoutError from None


def use() -> None:
    """Have Celery use this for memory:// in this process."""
    TRANSPORT_ALIASES["memory"] = f"{__name__}:Transport"
