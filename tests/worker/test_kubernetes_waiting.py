"""What a replica waits for, from Jobs, pods and events as a cluster has been seen to show them."""

from typing import Any

import pytest

from worker.cluster import PRIMARY
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.waiting import Wait, asks_for_warning, wait_of
from worker.launchers.protocol import Fault

UNSCHEDULABLE = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
QUOTA = 'Error creating: pods "x" is forbidden: exceeded quota: few, requested: pods=1, used: pods=2'
LEVEL = 'Error creating: pods "x" is forbidden: violates PodSecurity "restricted:latest": hostPath volumes'


def _job(queue: str = "", **spec: Any) -> Any:
    labels = {names.QUEUE: queue} if queue else {}
    return {"metadata": {"uid": "u", "labels": labels, "annotations": {}}, "spec": spec, "status": {}}


def _pod(
    phase: str = "Pending",
    unscheduled: str = "",
    waiting: str = "",
    said: str = "",
    disrupted: bool = False,
    created: int = 1,
    initial: str = "",
) -> Any:
    scheduled: dict[str, Any] = {"type": "PodScheduled", "status": "True"}
    if unscheduled:
        scheduled = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": unscheduled,
        }
    conditions = [scheduled]
    if disrupted:
        told = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "EvictionByEvictionAPI",
            "message": "m",
        }
        conditions.append(told)
    status: dict[str, Any] = {"phase": phase, "conditions": conditions}
    for name, reason in (("containerStatuses", waiting), ("initContainerStatuses", initial)):
        if reason:
            state = {"waiting": {"reason": reason, "message": said}}
            status[name] = [{"image": "registry.example/x:1", "state": state}]
    made = f"2026-11-21T10:00:0{created}Z"
    return {"metadata": {"uid": "p", "creationTimestamp": made}, "spec": {}, "status": status}


@pytest.mark.parametrize(
    ("job", "pods", "warning", "wait"),
    [
        (_job(), [], "", Wait("")),
        (_job(), [_pod()], "", Wait("")),
        (_job(), [_pod(waiting="ContainerCreating")], "", Wait("")),
        (_job(), [_pod("Running")], "", None),
        (_job(), [_pod("Running"), _pod("Pending", created=2)], "", None),
        (
            _job(),
            [_pod(unscheduled=UNSCHEDULABLE)],
            "",
            Wait(f"No node takes the replica master 0: {UNSCHEDULABLE}"),
        ),
        (
            _job(),
            [_pod(waiting="ImagePullBackOff", said="Back-off pulling image")],
            "",
            Wait(
                "The image registry.example/x:1 of the replica master 0 can't be had: Back-off pulling image",
                Fault.IMAGE,
            ),
        ),
        (
            _job(),
            [_pod(waiting="CreateContainerConfigError", said="image will run as root")],
            "",
            Wait("The replica master 0 can't be started: image will run as root", Fault.CONFIG),
        ),
        (
            _job(),
            [_pod(waiting="ContainerCreating")],
            "MountVolume.SetUp failed",
            Wait("The replica master 0 is not started yet: MountVolume.SetUp failed"),
        ),
        (
            _job(),
            [_pod(waiting="PodInitializing", initial="ErrImageNeverPull", said="not present")],
            "",
            Wait(
                "The image registry.example/x:1 of the replica master 0 can't be had: not present",
                Fault.IMAGE,
            ),
        ),
        (_job(), [], QUOTA, Wait(f"The cluster has no quota left for the replica master 0: {QUOTA}")),
        (
            _job(),
            [],
            LEVEL,
            Wait(f"The cluster refuses the pod of the replica master 0: {LEVEL}", Fault.CONFIG),
        ),
        (
            _job("gpus", suspend=True),
            [],
            "",
            Wait("The replica master 0 waits until its queue gpus lets it in."),
        ),
        (_job(suspend=True), [], "", Wait("The replica master 0 waits until its Job is resumed.")),
        (
            _job(),
            [_pod("Failed", disrupted=True)],
            "",
            Wait("The replica master 0 was evicted: m. Another pod is to take its place."),
        ),
    ],
    ids=[
        "no pod yet",
        "not scheduled yet",
        "being started",
        "running",
        "replaced while it runs",
        "no node has room",
        "its image can't be pulled",
        "it can't be configured",
        "its volume can't be mounted",
        "the image of what goes before it",
        "no quota",
        "a level of security",
        "in a queue",
        "held by hand",
        "evicted",
    ],
)
def test_what_it_waits_for(job: Any, pods: list[Any], warning: str, wait: Wait | None) -> None:
    assert wait_of(PRIMARY, job, pods, warning) == wait


@pytest.mark.parametrize(
    ("job", "pods", "asked"),
    [
        (_job(), [], ("u", "FailedCreate")),
        (_job(suspend=True), [], None),
        (_job(), [_pod(waiting="ContainerCreating")], ("p", "FailedMount")),
        (_job(), [_pod(unscheduled=UNSCHEDULABLE)], None),
        (_job(), [_pod("Running")], None),
    ],
    ids=["no pod", "held back", "being started", "no node", "running"],
)
def test_events_are_asked_for_only_where_they_say_more(
    job: Any, pods: list[Any], asked: tuple[str, str] | None
) -> None:
    assert asks_for_warning(job, pods) == asked
