"""All Jobs and pods of one owner, as the API server has them: listed once, then kept current by two watches.

A watch is asked for half a minute at a time, and the next one goes on where it ended. So it is known within a
minute when nothing is heard any more, whatever is between here and there. Then, after a cut, and where the
server has forgotten where it was (410), everything is listed anew; what vanished meanwhile is seen from that.

What is here may be some moments old, and what is not here may be there all the same: who must know asks.
"""

import itertools
import threading
import time
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.api import JOBS, PODS, ApiServer, Json, Refused, Unreachable

log = structlog.get_logger(__name__)

WATCH_SECONDS = 30
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 5.0
"""From a failed request to the next; each time twice as long."""


class Listener(Protocol):
    def __call__(self, attempt: str, where: str, made: Json, gone: bool) -> None:
        """An object of an attempt, which it names by its digest, is new, has changed or is gone."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """What there is of one attempt."""

    jobs: tuple[Json, ...]
    pods: tuple[Json, ...]
    version: int
    """Another one whenever any of it has changed."""


@dataclass(slots=True)
class _Attempt:
    objects: dict[str, dict[str, Json]] = field(default_factory=lambda: {JOBS: {}, PODS: {}})
    """{where: {name: the object}}"""
    version: int = 0


class Cache:
    """What there is of an owner's attempts. Threads of its own keep it, from `start` to `close`.

    Args:
        selector: the labels of all that belongs to the owner.
        changed: called from such a thread.
    """

    def __init__(self, api: ApiServer, selector: str, changed: Listener) -> None:
        self._api = api
        self._selector = selector
        self._changed = changed
        self._lock = threading.Lock()
        self._attempts: dict[str, _Attempt] = {}
        self._versions = itertools.count(1)
        self._current = {JOBS: False, PODS: False}
        self._closed = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to listen, if that has not begun."""
        with self._lock:
            if self._threads or self._closed.is_set():
                return
            self._threads = [
                threading.Thread(target=self._run, args=(where,), name="cluster-cache", daemon=True)
                for where in (JOBS, PODS)
            ]
            for thread in self._threads:
                thread.start()

    def close(self) -> None:
        """Listen no more; nothing is known from then on."""
        with self._lock:
            self._closed.set()
            self._current = dict.fromkeys(self._current, False)
        self._api.stop_watching()
        for thread in self._threads:
            thread.join()

    @property
    def is_current(self) -> bool:
        """Whether it hears of changes, as far as is known."""
        return all(self._current.values())

    def version(self, attempt: str) -> int | None:
        """`Known.version` as it is now; None: nothing is known of it."""
        with self._lock:
            found = self._attempts.get(attempt)
            return None if found is None or not self.is_current else found.version

    def known(self, attempt: str) -> Known | None:
        """What there is of an attempt, not to be changed; None: nothing is known of it."""
        with self._lock:
            found = self._attempts.get(attempt)
            if found is None or not self.is_current:
                return None
            jobs, pods = (tuple(found.objects[where].values()) for where in (JOBS, PODS))
            return Known(jobs, pods, found.version)

    # Its threads

    def _run(self, where: str) -> None:
        pause = PAUSE_SECONDS
        while not self._closed.is_set():
            try:
                version = self._list(where)
                pause = PAUSE_SECONDS
                while not self._closed.is_set():
                    began = time.monotonic()
                    version = self._watch(where, version)
                    if time.monotonic() - began < PAUSE_SECONDS:
                        self._closed.wait(PAUSE_SECONDS)  # Something in between ends them as they begin.
            except (Unreachable, Refused) as error:
                self._set_current(where, False)
                if not self._closed.is_set():
                    log.info("what is on the cluster is listed anew", reason=str(error))
                    self._closed.wait(pause)
                    pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            except Exception:
                # Nobody hears of anything without this thread.
                self._set_current(where, False)
                log.exception("a watch on the cluster failed")
                self._closed.wait(LONGEST_PAUSE_SECONDS)

    def _list(self, where: str) -> str:
        """Take everything in as it is now; where in the server's history that is."""
        listed = self._api.list(where, self._selector)
        there = {made["metadata"]["name"]: made for made in listed["items"]}
        with self._lock:
            before = {
                name: made
                for attempt in self._attempts.values()
                for name, made in attempt.objects[where].items()
            }
        for name, made in before.items():
            if name not in there:
                self._take(where, made, gone=True)
        for name, made in there.items():
            if name not in before or _version(before[name]) != _version(made):
                self._take(where, made, gone=False)
        self._set_current(where, True)
        return str(listed["metadata"]["resourceVersion"])

    def _watch(self, where: str, version: str) -> str:
        """Hear of changes from a moment on; where in the server's history that has led."""
        for event in self._api.watch(where, self._selector, version, WATCH_SECONDS):
            if event["type"] != "BOOKMARK":
                self._take(where, event["object"], gone=event["type"] == "DELETED")
            version = _version(event["object"])
        return version

    def _take(self, where: str, made: Json, gone: bool) -> None:
        about = made["metadata"]
        about.pop("managedFields", None)  # Half of the whole, and of no use here.
        digest = str(about["labels"].get(names.ATTEMPT))
        with self._lock:
            attempt = self._attempts.setdefault(digest, _Attempt())
            if gone:
                attempt.objects[where].pop(about["name"], None)
            else:
                attempt.objects[where][about["name"]] = made
            attempt.version = next(self._versions)
            if not any(attempt.objects.values()):
                del self._attempts[digest]
        try:
            self._changed(digest, where, made, gone)
        except Exception:
            # One listener's trouble must not leave the others unheard.
            log.exception("a change on the cluster could not be told", attempt=digest)

    def _set_current(self, where: str, current: bool) -> None:
        with self._lock:
            self._current[where] = current and not self._closed.is_set()


def _version(made: Json) -> str:
    return str(made["metadata"]["resourceVersion"])
