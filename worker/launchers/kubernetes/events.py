"""What the cluster's events say of objects that do not get on: all that it tells of refused pods."""

import time
from collections.abc import Callable

import structlog

from worker.launchers.kubernetes.api import EVENTS, ApiServer, Refused, Unreachable

log = structlog.get_logger(__name__)

FRESH_SECONDS = 3.0
"""How long a list of events is good for: it is one list for all objects that wait."""


class Warnings:
    """The last warning of each object, by the reason that the cluster gives them."""

    def __init__(self, api: ApiServer, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._lists: dict[str, tuple[float, dict[str, str]]] = {}

    def of(self, uid: str, reason: str) -> str:
        """The last message about an object; empty if there is none, or events can't be read for now."""
        asked, messages = self._lists.get(reason, (None, {}))
        if asked is None or self._clock() - asked >= FRESH_SECONDS:
            messages = self._read(reason)
            self._lists[reason] = (self._clock(), messages)
        return messages.get(uid, "")

    def _read(self, reason: str) -> dict[str, str]:
        try:
            found = self._api.list(EVENTS, fields=f"type=Warning,reason={reason}")["items"]
        except (Unreachable, Refused) as error:
            log.info("events can't be read", reason=str(error))
            return {}
        found.sort(key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
        return {event["involvedObject"].get("uid", ""): _one_line(event.get("message")) for event in found}


def _one_line(message: str | None) -> str:
    return " ".join((message or "").split())
