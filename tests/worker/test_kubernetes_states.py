"""How an attempt is, from Jobs and pods as a cluster has been seen to show them."""

import json
import signal
from dataclasses import replace
from typing import Any

import pytest

from worker.cluster import PRIMARY, Replica, Role
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.pods import TOLD_SECONDS
from worker.launchers.kubernetes.states import attempt_status, exit_code, replica_status
from worker.launchers.protocol import (
    AttemptPhase,
    AttemptStatus,
    Cause,
    Exceeded,
    Fault,
    Limit,
    ReplicaEnd,
)

RUNNING, LOST = AttemptStatus(AttemptPhase.RUNNING), AttemptStatus(AttemptPhase.LOST)
STOPPED = AttemptStatus(AttemptPhase.LOST, told_to_stop=True)
WORKER = Replica(Role.WORKER, 1)


def _ended(code: int, told: bool = False) -> AttemptStatus:
    return AttemptStatus(AttemptPhase.ENDED, code, told)


def _job(finished: str = "", reason: str = "", message: str = "", told: bool = False, **spec: Any) -> Any:
    condition = {"type": finished, "status": "True", "reason": reason, "message": message}
    return {
        "metadata": {"annotations": {names.TOLD: "true"} if told else {}},
        "spec": spec,
        "status": {"conditions": [condition]} if finished else {},
    }


def _pod(
    phase: str,
    code: int | None = None,
    reason: str = "",
    why: str = "",
    disrupted: bool | str = False,
    deleted: bool = False,
    created: int = 1,
    limit: int = TOLD_SECONDS,
) -> Any:
    """
    Args:
        limit: its activeDeadlineSeconds.
        reason: the pod's own.
        why: the reason why the container ended.
    """
    metadata: dict[str, Any] = {"creationTimestamp": f"2026-11-21T10:00:0{created}Z"}
    if deleted:
        metadata["deletionTimestamp"] = "2026-11-21T10:01:00Z"
    status: dict[str, Any] = {"phase": phase}
    if reason:
        status["reason"] = reason
    if disrupted:
        by = disrupted if isinstance(disrupted, str) else "EvictionByEvictionAPI"
        told = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": by,
            "message": "Eviction API: evicting",
        }
        status["conditions"] = [told]
    if code is not None:
        status["containerStatuses"] = [{"state": {"terminated": {"exitCode": code, "reason": why}}}]
    resources = {"limits": {"memory": "64Mi"}}
    spec = {"activeDeadlineSeconds": limit, "nodeName": "node1", "containers": [{"resources": resources}]}
    return {"metadata": metadata, "spec": spec, "status": status}


EVICTED = Cause(Fault.EVICTED, "The replica master 0 was evicted: Eviction API: evicting.")
REFUSED = Cause(Fault.REFUSED, "Its node would not have the replica master 0: UnexpectedAdmissionError")
BY_POLICY = "Container trial for pod default/x failed with exit code 137 matching FailJob rule at index 1"


@pytest.mark.parametrize(
    ("job", "pods", "status"),
    [
        (_job(), [], RUNNING),
        (_job(), [_pod("Pending")], RUNNING),
        (_job(), [_pod("Running")], RUNNING),
        (_job(), [_pod("Unknown")], RUNNING),
        (_job(), [_pod("Succeeded", 0)], _ended(0)),
        (_job(), [_pod("Failed", 3)], _ended(3)),
        (_job("Complete"), [_pod("Succeeded", 0)], _ended(0)),
        (_job("Failed"), [_pod("Failed", 137)], _ended(-signal.SIGKILL)),
        (_job("Failed"), [_pod("Running", deleted=True)], RUNNING),
    ],
    ids=[
        "no pod yet",
        "waiting",
        "running",
        "its node is silent",
        "ended, and the Job does not know",
        "failed, and the Job does not know",
        "ended",
        "failed",
        "the Job gave it up and it still runs",
    ],
)
def test_from_the_first_pod_to_the_end(job: Any, pods: list[Any], status: AttemptStatus) -> None:
    assert replica_status(PRIMARY, job, pods) == status


@pytest.mark.parametrize(
    ("job", "pods", "status"),
    [
        (_job(), [_pod("Failed", 137, "Evicted", disrupted=True)], RUNNING),
        (_job(), [_pod("Failed", 137, disrupted=True), _pod("Running", created=2)], RUNNING),
        (_job(), [_pod("Succeeded", 0, created=2), _pod("Failed", 137, disrupted=True)], _ended(0)),
        (_job("Failed"), [_pod("Failed", 137, disrupted=True)], replace(LOST, cause=EVICTED)),
        (None, [], LOST),
        (None, [_pod("Running", deleted=True)], RUNNING),
        (None, [_pod("Failed", 1)], LOST),
        (_job("Complete"), [], _ended(0)),
        (_job("Failed", "PodFailurePolicy", BY_POLICY), [], _ended(-signal.SIGKILL)),
        (_job("Failed", "BackoffLimitExceeded"), [], LOST),
        (_job("Failed"), [_pod("Failed", reason="UnexpectedAdmissionError")], replace(LOST, cause=REFUSED)),
        (_job("Failed"), [_pod("Failed", 137, why="ContainerStatusUnknown")], LOST),
        (_job("Failed"), [_pod("Failed", 143, deleted=True)], LOST),
    ],
    ids=[
        "evicted, and another is to come",
        "evicted, and another runs",
        "evicted, and another has ended",
        "evicted, and given up",
        "deleted with all it had",
        "deleted, and its pod still runs",
        "deleted, and its pod is over",
        "its pod was cleaned away after a good end",
        "its pod was cleaned away after a failure",
        "its pod was deleted by hand",
        "its node would not have it",
        "its node does not know how it ended",
        "its pod is being deleted by hand",
    ],
)
def test_what_the_cluster_does_to_it_is_not_its_failure(
    job: Any, pods: list[Any], status: AttemptStatus
) -> None:
    assert replica_status(PRIMARY, job, pods) == status


@pytest.mark.parametrize(
    ("job", "pods", "status"),
    [
        (_job(told=True), [_pod("Failed", 143, "DeadlineExceeded")], _ended(-signal.SIGTERM, told=True)),
        (_job(told=True), [_pod("Failed", 0, "DeadlineExceeded")], _ended(0, told=True)),
        (_job(told=True), [_pod("Failed", 4)], _ended(4)),
        (_job(told=True, suspend=True), [_pod("Pending")], RUNNING),
        (_job(told=True, suspend=True), [], STOPPED),
        (_job(told=True), [_pod("Failed", 137, disrupted=True)], RUNNING),
        (
            _job(told=True, suspend=True),
            [_pod("Failed", 137, disrupted=True)],
            STOPPED,
        ),
        (_job("Failed", told=True), [], STOPPED),
    ],
    ids=[
        "it took the signal",
        "it used its grace",
        "it was over before",
        "it waits, and is being taken away",
        "it never began",
        "it was evicted meanwhile, and another may come",
        "it was evicted meanwhile, and no other comes",
        "its pod is gone",
    ],
)
def test_what_was_told_to_end(job: Any, pods: list[Any], status: AttemptStatus) -> None:
    assert replica_status(PRIMARY, job, pods) == status


def test_what_went_beyond_its_memory_or_its_time_says_so() -> None:
    status = replica_status(WORKER, _job(), [_pod("Failed", 137, why="OOMKilled")])
    assert status.exit_code == -signal.SIGKILL
    sentence = "The replica worker 1 used more than the 64Mi of memory that it may and was killed."
    assert status.exceeded == Exceeded(Limit.MEMORY, sentence)
    late = _pod("Failed", 143, "DeadlineExceeded", limit=60)
    for told in (False, True):
        status = replica_status(PRIMARY, _job("Failed", told=told), [late])
        assert (status.phase, status.told_to_stop) == (AttemptPhase.ENDED, False)
        sentence = "The replica master 0 ran longer than the 60 s that it may."
        assert status.exceeded == Exceeded(Limit.TIME, sentence)


@pytest.mark.parametrize(
    ("by", "fault", "sentence"),
    [
        ("PreemptionByScheduler", Fault.PREEMPTED, "made way for a pod of higher priority"),
        ("EvictionByEvictionAPI", Fault.EVICTED, "was evicted"),
        ("TerminationByKubelet", Fault.EVICTED, "was evicted by node1"),
        ("DeletionByTaintManager", Fault.NODE_LOST, "lost node1"),
        ("DeletionByPodGC", Fault.NODE_LOST, "lost node1"),
        ("SomethingNew", Fault.EVICTED, "was evicted"),
    ],
)
def test_what_the_cluster_did_to_it_is_told_by_its_name(by: str, fault: Fault, sentence: str) -> None:
    status = replica_status(PRIMARY, _job("Failed"), [_pod("Failed", 137, disrupted=by)])
    assert status.cause == Cause(fault, f"The replica master 0 {sentence}: Eviction API: evicting.")


def test_a_pod_that_took_too_much_of_its_nodes_disk_is_its_own_fault() -> None:
    """Such an eviction is no disruption: the same would come of the next pod."""
    status = replica_status(PRIMARY, _job("Failed"), [_pod("Failed", 137, "Evicted")])
    assert status.phase is AttemptPhase.ENDED
    assert status.exceeded is not None
    assert status.exceeded.limit is Limit.DISK


def test_a_program_that_is_not_there_could_not_be_started() -> None:
    status = replica_status(PRIMARY, _job("Failed"), [_pod("Failed", 128, why="StartError")])
    assert status.phase is AttemptPhase.LOST
    assert status.cause == Cause(Fault.CONFIG, "The replica master 0 can't be started: StartError")


def test_what_was_given_up_is_lost_for_the_reason_that_was_written_down_once_it_is_gone() -> None:
    job = _job(suspend=True)
    cause = Cause(Fault.IMAGE, "No such image.")
    job["metadata"]["annotations"][names.GIVEN_UP] = json.dumps(cause.to_json())
    assert replica_status(PRIMARY, job, [_pod("Pending")]) == RUNNING
    assert replica_status(PRIMARY, job, []) == replace(LOST, cause=cause)
    both = {PRIMARY: RUNNING, WORKER: replica_status(WORKER, job, [])}
    assert attempt_status(both, told=False) == replace(LOST, lost=WORKER, cause=cause)


@pytest.mark.parametrize(
    ("status", "code"),
    [(0, 0), (1, 1), (127, 127), (128, 128), (129, -1), (192, -64), (193, 193), (255, 255)],
)
def test_the_status_of_a_container_tells_of_signals(status: int, code: int) -> None:
    assert exit_code(status) == code


def test_a_cluster_that_fails_for_its_memory_says_so() -> None:
    worker = replica_status(WORKER, _job(), [_pod("Failed", 137, why="OOMKilled")])
    end = attempt_status({PRIMARY: RUNNING, WORKER: worker}, told=False)
    assert end is not None
    assert end.failed == (ReplicaEnd(WORKER, -signal.SIGKILL),)
    assert end.exceeded == worker.exceeded
