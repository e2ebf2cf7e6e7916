"""How a replica is, from its Job and its pods as the API gives them. Asks nothing, changes nothing."""

import json
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from worker.cluster import PRIMARY, Replica
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.pods import TOLD_SECONDS
from worker.launchers.protocol import AttemptPhase, AttemptStatus, Cause, Exceeded, Fault, Limit
from worker.launchers.replica_groups import outcome

Json = Mapping[str, Any]

RUNNING, LOST = AttemptStatus(AttemptPhase.RUNNING), AttemptStatus(AttemptPhase.LOST)
OVER = ("Succeeded", "Failed")
HIGHEST_SIGNAL = 64
SHELL_BASE = 128
"""What runtimes add to a signal's number to make an exit status of it."""
DEADLINE = "DeadlineExceeded"
NEVER_BEGAN = ("StartError", "ContainerCannotRun")
"""Reasons of containers that ended without a program, as where there is none of its name."""
DISRUPTIONS = {
    "PreemptionByScheduler": (Fault.PREEMPTED, "made way for a pod of higher priority"),
    "EvictionByEvictionAPI": (Fault.EVICTED, "was evicted"),
    "TerminationByKubelet": (Fault.EVICTED, "was evicted by {node}"),
    "DeletionByTaintManager": (Fault.NODE_LOST, "lost {node}"),
    "DeletionByPodGC": (Fault.NODE_LOST, "lost {node}"),
}
"""{reason of a DisruptionTarget: what that is, and how it is told}"""


def attempt_status(statuses: Mapping[Replica, AttemptStatus], told: bool) -> AttemptStatus | None:
    """What an attempt has come to, with its replicas like this; None while it has not.

    Args:
        told: whether it was told to stop before it came to its end.
    """
    if len(statuses) == 1:
        status = statuses[PRIMARY]
        return None if status.phase is AttemptPhase.RUNNING else status
    end = outcome(statuses, told)
    if end is None:
        return None
    if end.phase is AttemptPhase.LOST:
        return replace(end, cause=statuses[end.lost].cause)
    exceeded = next((statuses[each.replica].exceeded for each in end.failures), None)
    return replace(end, exceeded=exceeded)


def replica_status(replica: Replica, job: Json | None, pods: Sequence[Json]) -> AttemptStatus:
    """How a replica is that was launched.

    Args:
        job: None: it has been deleted.
        pods: all that there were of it and are still known; usually one.
    """
    if any(is_live(pod) for pod in pods):
        return RUNNING
    if job is None:
        return LOST
    told = names.TOLD in annotations(job)
    if (given_up := annotations(job).get(names.GIVEN_UP)) is not None:
        return replace(LOST, told_to_stop=told, cause=Cause.from_json(json.loads(given_up)))
    if (beyond := annotations(job).get(names.EXCEEDED)) is not None:
        exceeded = Exceeded.from_json(json.loads(beyond))
        return AttemptStatus(AttemptPhase.ENDED, -signal.SIGKILL, told, exceeded=exceeded)
    last = newest(pods) if pods else None
    if (end := _finished(job)) is None:
        if last is not None and disruption(replica, last) is None:
            return _end_of(replica, last, told)
        # Its pod is still to come, or the next one after what the cluster did to the last.
        is_held = told and job["spec"].get("suspend", False)
        return replace(LOST, told_to_stop=True) if is_held else RUNNING
    if end["type"] == "Complete":
        return AttemptStatus(AttemptPhase.ENDED, 0)
    if last is not None:
        return _end_of(replica, last, told)
    # The pod is gone; what the Job's failure policy said of it is still there.
    code = re.search(r"failed with exit code (\d+)", end.get("message", ""))
    if code is None:
        return replace(LOST, told_to_stop=told)
    return AttemptStatus(AttemptPhase.ENDED, exit_code(int(code.group(1))), told)


def is_live(pod: Json) -> bool:
    """Whether anything of it may run now or later."""
    return pod["status"].get("phase") not in OVER


def has_started(pod: Json) -> bool:
    """Whether the program in it may have begun."""
    return pod["status"].get("phase") not in (None, "Pending")


def is_told_to_end(pod: Json) -> bool:
    """Whether its node has been told so, rather than that it may run for so long."""
    return bool(pod["spec"].get("activeDeadlineSeconds") == TOLD_SECONDS)


def exit_code(status: int) -> int:
    """The status of a container as that of its program: minus the signal's number for a signal.

    A program that ends with 128 + n by itself can't be told from one that signal n has killed.
    """
    number = status - SHELL_BASE
    return -number if 0 < number <= HIGHEST_SIGNAL else status


def annotations(made: Json) -> Mapping[str, str]:
    found: Mapping[str, str] = made["metadata"].get("annotations") or {}
    return found


def _finished(job: Json) -> Json | None:
    """The condition that says how the Job ended, or will: FailureTarget is there before its pods go."""
    for condition in job["status"].get("conditions", ()):
        if condition["type"] in ("Complete", "Failed", "FailureTarget") and condition["status"] == "True":
            found: Json = condition
            return found
    return None


def newest(pods: Sequence[Json]) -> Json:
    return max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))


def disruption(replica: Replica, pod: Json) -> Cause | None:
    """What the cluster did to a pod that the trial has no part in; None if nothing."""
    for condition in pod["status"].get("conditions", ()):
        if condition["type"] == "DisruptionTarget" and condition["status"] == "True":
            fault, did = DISRUPTIONS.get(condition.get("reason", ""), (Fault.EVICTED, "was evicted"))
            node = pod["spec"].get("nodeName", "its node")
            said = f": {condition['message']}" if condition.get("message") else ""
            return Cause(fault, f"The replica {replica} {did.format(node=node)}{said}".rstrip(".") + ".")
    return None


def _end_of(replica: Replica, pod: Json, told: bool) -> AttemptStatus:
    """How a replica ended whose last pod this is. One that ended by itself first was not told."""
    is_deleted = "deletionTimestamp" in pod["metadata"]
    reason, message = pod["status"].get("reason", ""), pod["status"].get("message", "")
    was_told = told and (is_deleted or (reason == DEADLINE and is_told_to_end(pod)))
    if reason == DEADLINE and not is_told_to_end(pod):
        limit = pod["spec"].get("activeDeadlineSeconds")
        why = f"The replica {replica} ran longer than the {limit} s that it may."
        return AttemptStatus(AttemptPhase.ENDED, -signal.SIGKILL, exceeded=Exceeded(Limit.TIME, why))
    cause = disruption(replica, pod)
    if cause is not None or (is_deleted and not told):
        return replace(LOST, told_to_stop=was_told, cause=cause)
    if reason == "Evicted":
        # Without being disrupted: for what it has taken itself.
        why = f"The replica {replica} took more of its node's disk than it may and was stopped: {message}"
        return AttemptStatus(AttemptPhase.ENDED, -signal.SIGKILL, exceeded=Exceeded(Limit.DISK, why))
    end = terminated(pod)
    if end is None:
        refused = reason and f"Its node would not have the replica {replica}: {message or reason}"
        cause = Cause(Fault.REFUSED, refused) if refused else None
        return replace(LOST, told_to_stop=was_told, cause=cause)
    if end.get("reason") in NEVER_BEGAN:
        why = " ".join(str(end.get("message", end["reason"])).split())
        cause = Cause(Fault.CONFIG, f"The replica {replica} can't be started: {why}")
        return replace(LOST, told_to_stop=was_told, cause=cause)
    exceeded = None
    if end.get("reason") == "OOMKilled":
        most = pod["spec"]["containers"][0]["resources"]["limits"]["memory"]
        why = f"The replica {replica} used more than the {most} of memory that it may and was killed."
        exceeded = Exceeded(Limit.MEMORY, why)
    return AttemptStatus(AttemptPhase.ENDED, exit_code(end["exitCode"]), was_told, exceeded=exceeded)


def terminated(pod: Json) -> Json | None:
    """How its program ended; None if that is not known."""
    for each in pod["status"].get("containerStatuses", ()):
        end: Json | None = each["state"].get("terminated")
        if end is not None and end.get("reason") != "ContainerStatusUnknown":
            return end
    return None
