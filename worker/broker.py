"""Redis as the broker, into which anybody may put anything: what is no message is dropped, with a warning.

With Celery's own transport an item that can't be read, or that it stumbles over, ends the worker that has
taken it. To drop one costs nothing: the sweep asks again.
"""

from collections.abc import Callable
from queue import Empty
from typing import Any

import structlog
from kombu.transport import TRANSPORT_ALIASES, redis, virtual

log = structlog.get_logger(__name__)

ERRORS = {*redis.Transport.connection_errors, *redis.Transport.channel_errors}
NOT_OF_AN_ITEM = (Empty, MemoryError, *(ERRORS - {KeyError}))
"""What comes of the connection. Celery waits, or connects anew."""


class NotAMessage(Exception):
    """An item that is not as Celery would have put it there."""


class Message(virtual.Message):
    """
    Raises:
        NotAMessage: it is none.
    """

    def __init__(self, payload: Any, channel: Any = None, **kwargs: Any) -> None:
        try:
            super().__init__(payload, channel=channel, **kwargs)  # type: ignore[no-untyped-call]
            names = (self.delivery_tag, self.delivery_info["exchange"], self.delivery_info["routing_key"])
        except Exception as error:
            raise NotAMessage(repr(error)) from error
        if not all(isinstance(name, str) for name in names):
            raise NotAMessage("it does not say where it was sent")


class Channel(redis.Channel):
    Message = Message

    def basic_consume(
        self, queue: str, no_ack: bool, callback: Callable[[Any], object], *args: Any, **kwargs: Any
    ) -> Any:
        def take(message: Any) -> None:
            try:
                callback(message)
            except NOT_OF_AN_ITEM:
                raise
            except Exception as error:
                log.warning("a message that makes no sense is dropped", reason=_reason(error))
                if not message.acknowledged:
                    message.reject()  # Else it would come again with the next connection.

        return super().basic_consume(queue, no_ack, take, *args, **kwargs)  # type: ignore[no-untyped-call]


class Transport(redis.Transport):
    Channel = Channel

    def on_readable(self, fileno: int) -> None:  # type: ignore[override]
        try:
            super().on_readable(fileno)  # type: ignore[no-untyped-call]
        except (KeyError, *NOT_OF_AN_ITEM):  # A KeyError is of a connection that is gone.
            raise
        except Exception as error:  # The item has been taken out of the queue.
            log.warning("what is no message is dropped", reason=_reason(error))


def use() -> None:
    """Have Celery use this for redis:// and rediss:// in this process."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"


def _reason(error: Exception) -> str:
    """Not its repr, in which the whole item may be."""
    return f"{type(error).__name__}: {error}"[:200]
