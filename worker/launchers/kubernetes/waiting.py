"""Why a replica has not begun yet, from its Job and its pods as the API gives them. Asks nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.cluster import Replica
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.states import annotations, disruption, has_started, is_live, newest
from worker.launchers.protocol import Cause, Fault

Json = Mapping[str, Any]

NO_IMAGE = frozenset(
    {
        *("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"),
        *("ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed"),
    }
)
CAN_NOT_BEGIN = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CreatePodSandboxError"}
)
"""Reasons that nodes give for a container that waits."""
QUOTA = "exceeded quota"
"""What the API server says of a pod that it would take if there were fewer."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Of a replica for its program to begin."""

    sentence: str
    """Empty: it is being started, and nothing holds it up."""
    fault: Fault | None = None
    """What it will have been if this does not end by itself."""

    @property
    def cause(self) -> Cause | None:
        return None if self.fault is None else Cause(self.fault, self.sentence)


def wait_of(replica: Replica, job: Json, pods: Sequence[Json], warning: str = "") -> Wait | None:
    """What a replica waits for that is launched and has not ended; None if its program may have begun.

    Args:
        warning: what the cluster's last event says of the Job that has no pod, or of the pod that is not
            started.
    """
    live = [pod for pod in pods if is_live(pod)]
    if any(map(has_started, live)):
        return None
    if not live:
        return _for_a_pod(replica, job, pods, warning)
    pod = newest(live)
    unscheduled = _condition(pod, "PodScheduled")
    if unscheduled is not None and unscheduled["status"] == "False":
        return Wait(f"No node takes the replica {replica}: {_said(unscheduled)}")
    for status, waiting in _waiting(pod):
        reason, said = waiting.get("reason", ""), _said(waiting)
        if reason in NO_IMAGE:
            image = status.get("image", "")
            return Wait(f"The image {image} of the replica {replica} can't be had: {said}", Fault.IMAGE)
        if reason in CAN_NOT_BEGIN:
            return Wait(f"The replica {replica} can't be started: {said}", Fault.CONFIG)
    if warning:
        # It may be of a moment ago, and the image be on its way since: no reason to give it up.
        return Wait(f"The replica {replica} is not started yet: {warning}")
    return Wait("")


def asks_for_warning(job: Json, pods: Sequence[Json]) -> tuple[str, str] | None:
    """The event that would say more than the objects do: uid of what it is about, and its reason."""
    live = [pod for pod in pods if is_live(pod)]
    if not live:
        held = job["spec"].get("suspend", False) or "active" in job["status"]
        return None if held else (str(job["metadata"]["uid"]), "FailedCreate")
    pod = newest(live)
    scheduled = _condition(pod, "PodScheduled")
    if has_started(pod) or scheduled is None or scheduled["status"] != "True":
        return None
    return str(pod["metadata"]["uid"]), "FailedMount"


def _for_a_pod(replica: Replica, job: Json, pods: Sequence[Json], warning: str) -> Wait:
    if job["spec"].get("suspend", False) and names.TOLD not in annotations(job):
        queue = job["metadata"]["labels"].get(names.QUEUE)
        held = f"its queue {queue} lets it in" if queue else "its Job is resumed"
        return Wait(f"The replica {replica} waits until {held}.")
    if QUOTA in warning:
        return Wait(f"The cluster has no quota left for the replica {replica}: {warning}")
    if warning:
        return Wait(f"The cluster refuses the pod of the replica {replica}: {warning}", Fault.CONFIG)
    if pods and (cause := disruption(replica, newest(pods))) is not None:
        return Wait(f"{cause.sentence} Another pod is to take its place.")
    return Wait("")


def _waiting(pod: Json) -> Iterator[tuple[Json, Json]]:
    """The containers of a pod that wait: their status, and how they wait."""
    status = pod["status"]
    for each in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        if (waiting := each["state"].get("waiting")) is not None:
            yield each, waiting


def _condition(pod: Json, kind: str) -> Json | None:
    return next((each for each in pod["status"].get("conditions", ()) if each["type"] == kind), None)


def _said(condition: Json) -> str:
    return " ".join(str(condition.get("message") or condition.get("reason") or "it does not say why").split())
