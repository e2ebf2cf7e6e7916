"""What there is of attempts on the cluster, found by their labels. Changes nothing."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from worker.cluster import PRIMARY, Replica
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.api import JOBS, PODS, ApiServer, Json
from worker.launchers.kubernetes.cache import Cache
from worker.launchers.kubernetes.states import annotations, is_live
from worker.launchers.protocol import AttemptRef

ASKED_SECONDS = 10.0
"""How long an answer will do for what may be a little late."""
NAMED = 50
"""How many attempts are asked for by name; of more, all of their jobs are listed."""


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of one attempt."""

    jobs: dict[Replica, Json]
    pods: dict[Replica, list[Json]]

    @property
    def is_told(self) -> bool:
        """Whether the attempt was told to stop before it had come to its end."""
        primary = self.jobs.get(PRIMARY)
        return primary is not None and names.STOP in annotations(primary)

    @property
    def runs(self) -> bool:
        """Whether anything of it may run now or later that has a pod."""
        return any(is_live(pod) for pods in self.pods.values() for pod in pods)

    @property
    def succeeded(self) -> bool:
        """Whether every replica that has a Job has a pod, and all that each had have succeeded."""
        return self.jobs.keys() == self.pods.keys() and all(
            pod["status"].get("phase") == "Succeeded" and "deletionTimestamp" not in pod["metadata"]
            for pods in self.pods.values()
            for pod in pods
        )


class Finder:
    """Finds what belongs to an owner: in the cache what is there, by asking what may not be."""

    def __init__(self, api: ApiServer, owner: str, cache: Cache) -> None:
        self._api = api
        self._owner = owner
        self._cache = cache
        self._asked: dict[AttemptRef, tuple[float, Found]] = {}
        """What was asked for lately, and when, while nothing was known without asking."""

    def version(self, ref: AttemptRef) -> int | None:
        """What changes when anything of an attempt does; None: that can't be told."""
        return self._cache.version(names.attempt_digest(self._owner, ref))

    def known(self, ref: AttemptRef) -> tuple[Found, int] | None:
        """An attempt's objects as they were moments ago, and the version; None if there may be none."""
        known = self._cache.known(names.attempt_digest(self._owner, ref))
        if known is None:
            return None
        found = Found({}, {})
        for job in known.jobs:
            found.jobs[_replica(job)] = job
        for pod in known.pods:
            found.pods.setdefault(_replica(pod), []).append(pod)
        return (found, known.version) if PRIMARY in found.jobs else None

    def find_one(self, ref: AttemptRef) -> Found:
        """An attempt's objects; those that are there as they were moments ago."""
        known = self.known(ref)
        return self.ask([ref])[ref] if known is None else known[0]

    def pods(self, ref: AttemptRef, replica: Replica) -> Sequence[Json]:
        """The pods of a replica, as they were some seconds ago."""
        known = self.known(ref)
        if known is not None:
            return known[0].pods.get(replica, ())
        when, found = self._asked.get(ref, (-math.inf, None))
        # Whoever looks at a job asks for all of its attempts first: not again for each.
        if found is None or time.monotonic() - when > ASKED_SECONDS:
            found = self.ask([ref])[ref]
        return found.pods.get(replica, ())

    def ask(self, refs: Sequence[AttemptRef]) -> dict[AttemptRef, Found]:
        """The objects of these attempts as they are: a list of Jobs and one of pods, for all of them."""
        found = {ref: Found({}, {}) for ref in refs}
        if not refs:
            return found
        by_digest = {names.attempt_digest(self._owner, ref): ref for ref in refs}
        if len(refs) <= NAMED:
            selector = f"{names.ATTEMPT} in ({','.join(sorted(by_digest))})"
        else:
            jobs = sorted({names.job_digest(self._owner, ref.job) for ref in refs})
            selector = f"{names.JOB} in ({','.join(jobs)})"
        # Pods after Jobs: what has a Job that is not finished may be seen with a pod that is.
        for where in (JOBS, PODS):
            for item in self._api.list(where, selector)["items"]:
                ref = by_digest.get(item["metadata"]["labels"][names.ATTEMPT])
                if ref is None:
                    continue
                if where == JOBS:
                    found[ref].jobs[_replica(item)] = item
                else:
                    found[ref].pods.setdefault(_replica(item), []).append(item)
        if not self._cache.is_current:
            now = time.monotonic()
            late = now - ASKED_SECONDS
            kept = {ref: asked for ref, asked in tuple(self._asked.items()) if asked[0] > late}
            self._asked = kept | {ref: (now, each) for ref, each in found.items()}
        return found


def _replica(made: Json) -> Replica:
    return Replica.named(made["metadata"]["labels"][names.REPLICA])
