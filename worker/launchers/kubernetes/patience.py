"""What replicas wait for, and for how long that is borne: registries and nodes have their moments."""

import json
import time
from collections.abc import Callable, Sequence

from worker.cluster import Replica
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.api import JOBS, ApiServer, Json
from worker.launchers.kubernetes.events import Warnings
from worker.launchers.kubernetes.objects import HELD
from worker.launchers.kubernetes.waiting import Wait, asks_for_warning, wait_of
from worker.launchers.protocol import AttemptRef


class Patience:
    """Remembers since when each replica has waited for what may never come. A restart begins anew.

    Args:
        seconds: how long that is borne.
    """

    def __init__(self, api: ApiServer, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._warnings = Warnings(api)
        self._seconds = seconds
        self._clock = clock
        self._since: dict[tuple[AttemptRef, Replica], float] = {}

    def wait(self, ref: AttemptRef, replica: Replica, job: Json, pods: Sequence[Json]) -> str | None:
        """What a replica waits for, as `AttemptStatus.waiting`; one that waits for too long is given up."""
        asked = asks_for_warning(job, pods)
        wait = wait_of(replica, job, pods, self._warnings.of(*asked) if asked is not None else "")
        self._bear(ref, replica, job, wait)
        return None if wait is None else wait.sentence

    def _bear(self, ref: AttemptRef, replica: Replica, job: Json, wait: Wait | None) -> None:
        """Give a replica up that has waited for too long: its Job is held back, and says why."""
        key = (ref, replica)
        cause = None if wait is None else wait.cause
        if cause is None:
            self._since.pop(key, None)
        elif self._clock() - self._since.setdefault(key, self._clock()) >= self._seconds:
            del self._since[key]
            why = {names.GIVEN_UP: json.dumps(cause.to_json())}
            self._api.change(JOBS, job["metadata"]["name"], {"metadata": {"annotations": why}, "spec": HELD})

    def forget(self, ref: AttemptRef, replica: Replica) -> None:
        """It has ended."""
        self._since.pop((ref, replica), None)
