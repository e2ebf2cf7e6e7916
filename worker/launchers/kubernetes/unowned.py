"""What is on the cluster that bears our mark, by the attempt it belongs to, and its removal."""

from collections.abc import Iterable
from datetime import datetime

from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.api import JOBS, SERVICES, ApiServer, Json
from worker.launchers.kubernetes.states import annotations
from worker.launchers.protocol import AttemptRef, JobRef, Marked


class MarkedObjects:
    """Of one owner."""

    def __init__(self, api: ApiServer, owner: str) -> None:
        self._api = api
        self._owner = owner

    def find(self, now: float) -> list[Marked]:
        """All attempts, and installations of packages, that have a Job or a Service."""
        youngest: dict[str, Marked] = {}
        for where in (JOBS, SERVICES):
            for item in self._api.list(where, f"{names.OWNER}={self._owner}", only_metadata=True)["items"]:
                marked = _marked(item, now)
                before = youngest.get(marked.key)
                if before is None or marked.age_seconds < before.age_seconds:
                    youngest[marked.key] = marked
        return list(youngest.values())

    def remove(self, marked: Iterable[Marked]) -> None:
        """Delete all objects of these. What runs of them is told to end, and gets its pods' grace."""
        for each in marked:
            selector = f"{names.OWNER}={self._owner},{names.ATTEMPT}={each.key}"
            for where in (JOBS, SERVICES):
                for item in self._api.list(where, selector)["items"]:
                    self._api.delete(where, item["metadata"]["name"])


def _marked(item: Json, now: float) -> Marked:
    marks, notes = item["metadata"]["labels"], annotations(item)
    job = JobRef(notes.get(names.PROJECT, ""), notes.get(names.JOB_ID, ""))
    # The Job that installs packages is of no trial.
    ref = AttemptRef(job, int(marks[names.TRIAL]), int(marks[names.TRY])) if names.TRIAL in marks else None
    made = datetime.fromisoformat(item["metadata"]["creationTimestamp"]).timestamp()
    return Marked(marks[names.ATTEMPT], job, ref, now - made, names.SEALED in notes)
