"""What there is of attempts on the cluster, found by their labels. Changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from worker.cluster import PRIMARY, Replica
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.api import JOBS, PODS, ApiServer, Json
from worker.launchers.kubernetes.states import annotations, is_live
from worker.launchers.protocol import AttemptRef


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


class Finder:
    """Finds what belongs to an owner."""

    def __init__(self, api: ApiServer, owner: str) -> None:
        self._api = api
        self._owner = owner

    def find(self, refs: Sequence[AttemptRef]) -> dict[AttemptRef, Found]:
        """The objects of these attempts: a list of Jobs and one of pods, however many they are."""
        found = {ref: Found({}, {}) for ref in refs}
        if not refs:
            return found
        by_digest = {names.attempt_digest(self._owner, ref): ref for ref in refs}
        if len(refs) == 1:
            selector = f"{names.ATTEMPT}={next(iter(by_digest))}"
        else:
            jobs = sorted({names.job_digest(self._owner, ref.job) for ref in refs})
            selector = f"{names.JOB} in ({','.join(jobs)})"
        # Pods after Jobs: what has a Job that is not finished may be seen with a pod that is.
        for where in (JOBS, PODS):
            for item in self._api.list(where, selector)["items"]:
                marks = item["metadata"]["labels"]
                ref = by_digest.get(marks[names.ATTEMPT])
                if ref is None:
                    continue
                replica = Replica.named(marks[names.REPLICA])
                if where == JOBS:
                    found[ref].jobs[replica] = item
                else:
                    found[ref].pods.setdefault(replica, []).append(item)
        return found

    def find_one(self, ref: AttemptRef) -> Found:
        return self.find([ref])[ref]
