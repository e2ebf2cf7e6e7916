"""All that has ever been of Jobs and pods in a cluster, in the one order it has: as its database tells it.

A watch on the API server can miss what comes and goes while that is away; etcd keeps every version. The
control plane must run with `FLAGS`.
"""

import base64
import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from typing import Any

import httpx

from tests.kubernetes.cluster import ControlPlane
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.states import is_live

Json = dict[str, Any]
FLAGS = {"kube-apiserver": ("--storage-media-type=application/json", "--etcd-compaction-interval=0")}
"""Objects that can be read, none of them forgotten."""
JOBS, PODS = "jobs", "pods"
_POD = {"containers": [{"name": "end", "image": "none"}], "nodeSelector": {"none": "none"}}
_ENDS = {
    JOBS: {"suspend": True, "template": {"spec": {**_POD, "restartPolicy": "Never"}}},
    PODS: _POD,
}
_PLACES = {JOBS: "/apis/batch/v1", PODS: "/api/v1"}


@dataclass(frozen=True, slots=True)
class Change:
    """One object as it was from a moment on."""

    revision: int
    """The moment: later ones are larger, over all objects."""
    key: str
    made: Json | None
    """None: it is gone."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """What was seen of trials in a history."""

    most: int
    """How many trials were live at most at one moment."""
    attempts: dict[tuple[str, str], set[str]]
    """{digest of the job, number of the trial: the attempts there have been of it}"""
    twins: tuple[str, ...]
    """Sentences about each moment at which two attempts of one trial were live."""
    jobs: int
    """Jobs that have been created, those apart that run nothing."""
    pods: int


def history(control_plane: ControlPlane, kinds: Sequence[str] = (JOBS, PODS)) -> Iterator[Change]:
    """Everything up to now. Each kind gets an object that marks the end."""
    end = f"end-{secrets.token_hex(4)}"
    with control_plane.client() as http:
        for kind in kinds:
            made = {"metadata": {"name": end}, "spec": _ENDS[kind]}
            http.post(f"{_PLACES[kind]}/namespaces/default/{kind}", json=made).raise_for_status()
    yield from merge(*(_of_kind(control_plane, kind, end) for kind in kinds), key=lambda each: each.revision)


def crowd(changes: Iterator[Change]) -> Crowd:
    """What trials there were at once.

    A trial is live while it has a pod that has not ended, or a Job that may have one: it is not held, not
    finished, and has had none that ended by itself (its condition follows a moment after).
    """
    spent: set[str] = set()
    live: dict[str, tuple[tuple[str, str], str]] = {}
    by_trial: dict[tuple[str, str], dict[str, int]] = {}
    attempts: dict[tuple[str, str], set[str]] = {}
    seen: set[str] = set()
    most, twins = 0, []

    def leave(key: str) -> None:
        if key in live:
            trial, attempt = live.pop(key)
            there = by_trial[trial]
            there[attempt] -= 1
            if not there[attempt]:
                del there[attempt]
            if not there:
                del by_trial[trial]

    for change in changes:
        if (job := _job_of_ended(change)) is not None:
            spent.add(job)
            leave(job)
        if not _lives(change) or change.key in spent:
            leave(change.key)
        elif change.key not in live and change.made is not None:
            marks = change.made["metadata"]["labels"]
            trial, attempt = (marks[names.JOB], marks[names.TRIAL]), marks[names.TRY]
            live[change.key] = trial, attempt
            seen.add(change.key)
            attempts.setdefault(trial, set()).add(attempt)
            there = by_trial.setdefault(trial, {})
            there[attempt] = there.get(attempt, 0) + 1
            if len(there) > 1:
                twins.append(f"attempts {sorted(there)} of trial {trial} at {change.revision}: {change.key}")
            most = max(most, len(by_trial))
    jobs = sum("/jobs/" in key for key in seen)
    return Crowd(most, attempts, tuple(twins), jobs, len(seen) - jobs)


def _lives(change: Change) -> bool:
    made = change.made
    if made is None or names.JOB not in made["metadata"].get("labels", {}):
        return False
    if "/pods/" in change.key:
        return is_live(made)
    if names.SEALED in made["metadata"].get("annotations", {}) or made["spec"].get("suspend"):
        return False
    ends = ("Complete", "Failed")
    return not any(
        each["type"] in ends and each["status"] == "True" for each in made["status"].get("conditions", ())
    )


def _job_of_ended(change: Change) -> str | None:
    """The key of the Job of a pod that has ended, and that nothing takes the place of."""
    made = change.made
    if made is None or "/pods/" not in change.key or is_live(made):
        return None
    disrupted = any(each["type"] == "DisruptionTarget" for each in made["status"].get("conditions", ()))
    owners = made["metadata"].get("ownerReferences", ())
    if disrupted or not owners:
        return None
    return f"/registry/jobs/{made['metadata']['namespace']}/{owners[0]['name']}"


def _of_kind(control_plane: ControlPlane, kind: str, end: str) -> Iterator[Change]:
    prefix = f"/registry/{kind}/"
    asked = {"key": _coded(prefix), "range_end": _coded(prefix[:-1] + "0"), "start_revision": "1"}
    with (
        httpx.Client(base_url=control_plane.etcd, trust_env=False, timeout=60) as http,
        http.stream("POST", "/v3/watch", json={"create_request": asked}) as told,
    ):
        for line in told.iter_lines():
            for event in json.loads(line)["result"].get("events", ()):
                about = event["kv"]
                revision = int(about["mod_revision"])
                key = base64.b64decode(about["key"]).decode()
                if key.endswith(f"/{end}"):
                    return
                deleted = event.get("type") == "DELETE"
                yield Change(revision, key, None if deleted else json.loads(base64.b64decode(about["value"])))


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
