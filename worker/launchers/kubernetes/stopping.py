"""Telling replicas to end, and seeing that what was not launched by then never is."""

import json
from collections.abc import Sequence

from worker.cluster import Replica
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.api import JOBS, PODS, ApiServer, Json
from worker.launchers.kubernetes.finding import Found
from worker.launchers.kubernetes.objects import HELD
from worker.launchers.kubernetes.pods import TOLD_SECONDS
from worker.launchers.kubernetes.states import (
    annotations,
    has_started,
    is_live,
    is_told_to_end,
    replica_status,
)
from worker.launchers.protocol import AttemptPhase, Exceeded


def end_replica(api: ApiServer, replica: Replica, found: Found) -> None:
    """Tell a replica to end; the node kills it once it has had its grace, which its pod names.

    Kubernetes forgets how a pod ended that was deleted. One that has outlived its activeDeadlineSeconds is
    told to end the same way, and stays.
    """
    job, pods = found.jobs.get(replica), found.pods.get(replica, [])
    if job is None or replica_status(replica, job, pods).phase is not AttemptPhase.RUNNING:
        return
    annotate(api, job, names.TOLD)
    live = [pod for pod in pods if is_live(pod)]
    if not live or not all(map(has_started, live)):
        # What has not begun must not, nor what would take its place. A pod that begins just now ends too.
        # Nor when a queue lets it in: then it may have no pods.
        if not _is_held(job):
            api.change(JOBS, job["metadata"]["name"], {"spec": HELD})
        return
    _end_pods(api, live)


def exceed(api: ApiServer, replica: Replica, found: Found, why: Exceeded) -> None:
    """End a replica that runs and has gone beyond a limit, for good: no other pod takes its place."""
    job = found.jobs.get(replica)
    live = [pod for pod in found.pods.get(replica, ()) if is_live(pod)]
    if job is None or not live or names.EXCEEDED in annotations(job):
        return
    annotate(api, job, names.EXCEEDED, json.dumps(why.to_json()))
    _end_pods(api, live)


def _end_pods(api: ApiServer, live: Sequence[Json]) -> None:
    for pod in live:
        if not is_told_to_end(pod):
            deadline = {"spec": {"activeDeadlineSeconds": TOLD_SECONDS}}
            api.change(PODS, pod["metadata"]["name"], deadline)


def is_ending(replicas: Sequence[Replica], found: Found) -> bool:
    """Whether all replicas have been told to end, and nothing is left but to wait for it."""
    return found.is_told and all(
        _is_told(found.jobs.get(each), found.pods.get(each, ())) for each in replicas
    )


def _is_told(job: Json | None, pods: Sequence[Json]) -> bool:
    if job is None or names.TOLD not in annotations(job):
        return False
    live = [pod for pod in pods if is_live(pod)]
    return _is_held(job) or (bool(live) and all(map(is_told_to_end, live)))


def _is_held(job: Json) -> bool:
    return all(job["spec"].get(name) == value for name, value in HELD.items())


def annotate(api: ApiServer, job: Json | None, name: str, told: str = "true") -> None:
    """Mark a Job, if it is there and not marked yet."""
    if job is not None and name not in annotations(job):
        api.change(JOBS, job["metadata"]["name"], {"metadata": {"annotations": {name: told}}})
