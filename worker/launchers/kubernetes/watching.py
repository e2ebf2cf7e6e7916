"""Tells soon when an attempt's pod ends or vanishes. A hint: who polls finds the same, later.

A watch begins with a list, of which it hears all changes. It is begun anew when it ends, which the API server
sees to every few minutes, when it breaks, and when the server has forgotten where it was (410). What vanished
meanwhile is told from the list.
"""

import threading
from collections.abc import Callable

import structlog

from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.api import PODS, ApiServer, Json, Refused, Unreachable
from worker.launchers.kubernetes.states import is_live

log = structlog.get_logger(__name__)

WATCH_SECONDS = 240
PAUSE_SECONDS = 1.0
"""From a failed request to the next."""


class EndOfPod:
    """Calls back, from a thread of its own, once for each watched attempt of which a pod ends.

    Args:
        selector: the labels of all pods that may be watched.
    """

    def __init__(self, api: ApiServer, selector: str) -> None:
        self._api = api
        self._selector = selector
        self._lock = threading.Lock()
        self._watched: dict[str, Callable[[], None]] = {}
        self._seen: set[str] = set()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, attempt: str, ended: Callable[[], None]) -> None:
        """Call `ended` when a pod of this attempt ends. Watching twice is watching once.

        Args:
            attempt: its digest, as in its pods' labels.
        """
        with self._lock:
            if self._closed.is_set():
                return
            self._watched.setdefault(attempt, ended)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="end-of-pod", daemon=True)
                self._thread.start()

    def forget(self, attempt: str) -> None:
        """It has ended, as was seen elsewhere."""
        with self._lock:
            self._watched.pop(attempt, None)
            self._seen.discard(attempt)

    def close(self) -> None:
        """Stop watching; the pods go on."""
        with self._lock:
            self._closed.set()
        self._api.stop_watching()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._once()
            except (Unreachable, Refused) as error:
                if not self._closed.is_set():
                    log.info("the watch on pods begins anew", reason=str(error))
                    self._closed.wait(PAUSE_SECONDS)

    def _once(self) -> None:
        found = self._api.list(PODS, self._selector)
        pods: dict[str, list[Json]] = {}
        for pod in found["items"]:
            pods.setdefault(_attempt(pod), []).append(pod)
        with self._lock:
            over = [
                each
                for each in self._watched
                if (each in self._seen or each in pods) and not any(map(is_live, pods.get(each, ())))
            ]
            self._seen = set(pods)
        self._tell(over)
        version = found["metadata"]["resourceVersion"]
        for event in self._api.watch(PODS, self._selector, version, WATCH_SECONDS):
            if event["type"] == "BOOKMARK":
                continue
            attempt = _attempt(event["object"])
            self._seen.add(attempt)
            if event["type"] == "DELETED" or not is_live(event["object"]):
                self._tell([attempt])

    def _tell(self, attempts: list[str]) -> None:
        for attempt in attempts:
            with self._lock:
                ended = self._watched.pop(attempt, None)
            if ended is None:
                continue
            try:
                ended()
            except Exception:
                # One listener's trouble must not leave the others unheard.
                log.exception("the end of a pod could not be told", attempt=attempt)


def _attempt(pod: Json) -> str:
    return str(pod["metadata"]["labels"][names.ATTEMPT])
