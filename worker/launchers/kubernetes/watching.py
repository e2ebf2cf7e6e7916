"""Tells soon when an attempt's pod ends or vanishes. A hint: who polls finds the same, later."""

import threading
from collections.abc import Callable

from worker.launchers.kubernetes.api import PODS, ApiServer, Json
from worker.launchers.kubernetes.cache import Cache
from worker.launchers.kubernetes.states import is_live


class EndOfPod:
    """Calls back for each pod of a watched attempt that ends, once; mostly from a thread of the cache.

    Args:
        selector: the labels of all pods that may be watched.
    """

    def __init__(self, api: ApiServer, selector: str) -> None:
        self.cache = Cache(api, selector, self._hear)
        self._lock = threading.Lock()
        self._watched: dict[str, Callable[[], None]] = {}
        self._told: dict[str, set[str]] = {}
        """{attempt: the pods of it whose end has been told}"""

    def watch(self, attempt: str, ended: Callable[[], None]) -> None:
        """Call `ended` when a pod of this attempt ends, or has ended. Watching twice is watching once.

        Args:
            attempt: its digest, as in its pods' labels.
        """
        with self._lock:
            if attempt in self._watched:
                return
            self._watched[attempt] = ended
        self.cache.start()
        known = self.cache.known(attempt)
        for pod in () if known is None else known.pods:
            self._hear(attempt, PODS, pod, gone=False)

    def forget(self, attempt: str) -> None:
        """It has ended, as was seen elsewhere."""
        with self._lock:
            self._watched.pop(attempt, None)
            self._told.pop(attempt, None)

    def close(self) -> None:
        """Stop watching; the pods go on."""
        self.cache.close()

    def _hear(self, attempt: str, where: str, made: Json, gone: bool) -> None:
        if where == PODS and (gone or not is_live(made)):
            self._tell(attempt, made)
        if gone and self.cache.version(attempt) is None:
            self.forget(attempt)  # Nothing of it is left. Who finds it all the same watches it again.

    def _tell(self, attempt: str, made: Json) -> None:
        with self._lock:
            ended = self._watched.get(attempt)
            told = self._told.setdefault(attempt, set()) if ended is not None else set()
            if ended is None or (uid := made["metadata"]["uid"]) in told:
                return
            told.add(uid)
        ended()
