"""How long what can't begin is waited for: registries and nodes have their moments."""

import json
import time
from collections.abc import Callable

from worker.cluster import Replica
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.api import JOBS, ApiServer, Json
from worker.launchers.kubernetes.waiting import Wait
from worker.launchers.protocol import AttemptRef


class Patience:
    """Remembers since when each replica has waited for what may never come. A restart begins anew.

    Args:
        seconds: how long that is borne.
    """

    def __init__(self, api: ApiServer, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._seconds = seconds
        self._clock = clock
        self._since: dict[tuple[AttemptRef, Replica], float] = {}

    def bear(self, ref: AttemptRef, replica: Replica, job: Json, wait: Wait | None) -> None:
        """Give a replica up that has waited for too long: its Job is held back, and says why."""
        key = (ref, replica)
        cause = None if wait is None else wait.cause
        if cause is None:
            self._since.pop(key, None)
        elif self._clock() - self._since.setdefault(key, self._clock()) >= self._seconds:
            del self._since[key]
            why = {names.GIVEN_UP: json.dumps(cause.to_json())}
            held = {"suspend": True, "parallelism": 0}
            self._api.change(JOBS, job["metadata"]["name"], {"metadata": {"annotations": why}, "spec": held})

    def forget(self, ref: AttemptRef, replica: Replica) -> None:
        """It has ended."""
        self._since.pop((ref, replica), None)
