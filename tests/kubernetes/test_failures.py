"""What a cluster does to trials, and can't do for them, as each is told: on a real node."""

import json

from tests.kubernetes.images import PYTHON
from tests.kubernetes.node import Cluster
from tests.kubernetes.platform import KubernetesPlatform
from tests.running_service import wait_until
from tests.worker.launcher_contract import CLUSTER, GRACE, HELD, end_of, lines, stopped
from worker.cluster import Role
from worker.launchers.kubernetes.launcher import KubernetesLauncher
from worker.launchers.protocol import (
    AttemptPhase,
    AttemptRef,
    AttemptSpec,
    AttemptStatus,
    Container,
    Fault,
    Limit,
    Stream,
)

NOWHERE = "localhost/nowhere:1"


def _launched(platform: KubernetesPlatform, spec: AttemptSpec, patience: float) -> KubernetesLauncher:
    launcher = platform.launcher(patience_seconds=patience)
    launcher.launch(spec)
    return launcher


def _waiting(launcher: KubernetesLauncher, ref: AttemptRef, words: str) -> str:
    """What the attempt says that it waits for, once it says these words."""

    def look() -> str | None:
        status = launcher.observe([ref])[ref]
        assert status.phase is AttemptPhase.RUNNING
        return status.waiting if status.waiting and words in status.waiting else None

    found = wait_until(look, 30)
    assert found is not None
    return found


def test_a_missing_image_is_waited_for_and_then_given_up(platform: KubernetesPlatform) -> None:
    spec = platform.spec("", containers={Role.MASTER: Container(NOWHERE)})
    launcher = _launched(platform, spec, 120)
    said = _waiting(launcher, spec.ref, "can't be had")
    assert said.startswith(f"The image {NOWHERE} of the replica master 0 can't be had: ")
    impatient = platform.launcher(patience_seconds=0)
    status = end_of(impatient, spec.ref)
    assert status.phase is AttemptPhase.LOST
    assert status.cause is not None
    assert (status.cause.fault, status.cause.sentence) == (Fault.IMAGE, said)
    assert platform.launcher().observe([spec.ref])[spec.ref] == status, "and stays so"
    wait_until(lambda: not platform.jobs() and not platform.pods(), 30)


def test_one_replica_without_its_image_takes_the_others_along(platform: KubernetesPlatform) -> None:
    spec = platform.spec("signal.pause()", cluster=CLUSTER, containers={Role.PS: Container(NOWHERE)})
    launcher = _launched(platform, spec, 0)
    status = end_of(launcher, spec.ref)
    assert (status.phase, status.lost.role) == (AttemptPhase.LOST, Role.PS)
    assert status.cause is not None
    assert status.cause.fault is Fault.IMAGE
    assert not platform.is_running(0)


def test_a_command_that_the_image_has_not_says_so(platform: KubernetesPlatform) -> None:
    spec = platform.spec("", containers={Role.MASTER: Container(PYTHON, ("no-such-command",))})
    status = end_of(_launched(platform, spec, 120), spec.ref)
    assert status.cause is not None
    assert status.cause.fault is Fault.CONFIG
    assert "no-such-command" in status.cause.sentence


def test_what_no_node_has_is_told_in_the_schedulers_words_and_can_be_cancelled(
    platform: KubernetesPlatform, cluster: Cluster
) -> None:
    spec = platform.spec("tell('ran')", containers={Role.MASTER: Container(accelerators=1)})
    launcher = _launched(platform, spec, 0)
    said = _waiting(launcher, spec.ref, "nvidia.com/gpu")
    assert said.startswith("No node takes the replica master 0: 0/1 nodes are available: 1 Insufficient")
    assert stopped(launcher, spec.ref, GRACE) == AttemptStatus(AttemptPhase.LOST, told_to_stop=True)
    assert lines(platform.folder, "ran") == []


def test_gpus_are_counted_by_the_scheduler(platform: KubernetesPlatform, cluster: Cluster) -> None:
    cluster.set_gpus(2)
    try:
        specs = [
            platform.spec(
                f"tell('ran', {trial}); wait_for('go{trial}')",
                trial=trial,
                containers={Role.MASTER: Container(accelerators=count)},
            )
            for trial, count in ((1, 1), (2, 2))
        ]
        launcher = _launched(platform, specs[0], 0)
        wait_until(lambda: lines(platform.folder, "ran") == ["1"], 30)
        launcher.launch(specs[1])
        _waiting(launcher, specs[1].ref, "Insufficient nvidia.com/gpu")
        (platform.folder / "go1").touch()
        wait_until(lambda: lines(platform.folder, "ran") == ["1", "2"], 30)
        (platform.folder / "go2").touch()
        assert end_of(launcher, specs[1].ref).exit_code == 0
    finally:
        cluster.set_gpus(0)


def test_what_makes_way_for_others_is_replaced_when_they_are_gone(
    platform: KubernetesPlatform, cluster: Cluster
) -> None:
    spec = platform.spec(
        "print('here', flush=True)\n" + HELD, containers={Role.MASTER: Container(accelerators=1)}
    )
    classes, pods = "/apis/scheduling.k8s.io/v1/priorityclasses", "/api/v1/namespaces/default/pods"
    gpu = {"nvidia.com/gpu": "1"}
    sleeps = {"name": "c", "image": PYTHON, "imagePullPolicy": "Never", "resources": {"limits": gpu}}
    first = {
        "metadata": {"name": "first"},
        "spec": {
            "priorityClassName": "first",
            "terminationGracePeriodSeconds": 0,
            "containers": [{**sleeps, "command": ["sleep", "1000"]}],
        },
    }
    cluster.set_gpus(1)
    with cluster.client() as http:
        try:
            launcher = _launched(platform, spec, 0)
            wait_until(lambda: lines(platform.folder, "begun"), 30)
            http.post(classes, json={"metadata": {"name": "first"}, "value": 1000}).raise_for_status()
            http.post(pods, json=first).raise_for_status()
            _waiting(launcher, spec.ref, "Insufficient nvidia.com/gpu")
            assert len(lines(platform.folder, "begun")) == 1
            http.delete(f"{pods}/first").raise_for_status()
            wait_until(lambda: len(lines(platform.folder, "begun")) == 2, 60)
            (platform.folder / "go").touch()
            assert end_of(launcher, spec.ref) == AttemptStatus(AttemptPhase.ENDED, 0)
        finally:
            http.delete(f"{pods}/first")
            http.delete(f"{classes}/first")
            cluster.set_gpus(0)


def test_a_quota_that_is_used_up_is_waited_for_and_said(
    platform: KubernetesPlatform, cluster: Cluster
) -> None:
    quotas = "/api/v1/namespaces/default/resourcequotas"
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    with cluster.client() as http:
        assert http.post(quotas, json=quota).status_code == 201
        try:
            wait_until(lambda: http.get(f"{quotas}/none").json().get("status", {}).get("hard"), 30)
            spec = platform.spec("tell('ran')")
            launcher = _launched(platform, spec, 0)
            said = _waiting(launcher, spec.ref, "exceeded quota: none")
            assert said.startswith("The cluster has no quota left for the replica master 0: ")
        finally:
            http.delete(f"{quotas}/none")
    assert stopped(launcher, spec.ref, GRACE).phase is AttemptPhase.LOST


def test_a_pod_that_the_cluster_refuses_for_good_is_given_up(
    platform: KubernetesPlatform, cluster: Cluster
) -> None:
    """As by the Pod Security level, which forbids a host path."""
    label = json.dumps({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
    unlabel = json.dumps({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": None}}})
    headers = {"Content-Type": "application/merge-patch+json"}
    with cluster.client() as http:
        where = "/api/v1/namespaces/default"
        assert http.patch(where, content=label, headers=headers).status_code == 200
        try:
            spec = platform.spec("tell('ran')")
            status = end_of(_launched(platform, spec, 0), spec.ref)
        finally:
            assert http.patch(where, content=unlabel, headers=headers).status_code == 200
    assert status.cause is not None
    assert status.cause.fault is Fault.CONFIG
    assert "violates PodSecurity" in status.cause.sentence


def test_waiting_ends_when_the_program_begins(platform: KubernetesPlatform) -> None:
    spec = platform.spec("wait_for('go')")
    launcher = _launched(platform, spec, 0)
    wait_until(lambda: launcher.observe([spec.ref])[spec.ref].waiting is None, 30)
    assert platform.pods()[0]["status"]["phase"] == "Running"
    (platform.folder / "go").touch()
    assert end_of(launcher, spec.ref).exit_code == 0


def test_what_prints_too_much_is_ended_and_no_more_of_it_is_kept(platform: KubernetesPlatform) -> None:
    source = "tell('begun')\nwhile True: print('x' * 99, flush=True); time.sleep(0.001)"
    spec = platform.spec(source)
    launcher = platform.launcher(max_output_bytes=10_000)
    launcher.launch(spec)

    def look() -> AttemptStatus | None:
        launcher.read_output(spec.ref, Stream.OUT, 0, 100)
        status = launcher.observe([spec.ref])[spec.ref]
        return status if status.phase is AttemptPhase.ENDED else None

    status = wait_until(look, 60)
    assert status is not None
    assert status.exceeded is not None
    assert status.exceeded.limit is Limit.OUTPUT
    assert "10000 bytes (VERNIER_MAX_OUTPUT_BYTES)" in status.exceeded.sentence
    assert not status.told_to_stop
    assert len(launcher.read_output(spec.ref, Stream.OUT, 0, 10**6)) == 10_000
    assert lines(platform.folder, "begun") == [""]


def test_what_writes_too_much_to_its_nodes_disk_is_ended(platform: KubernetesPlatform) -> None:
    source = "tell('begun'); open('/tmp/much', 'wb').write(b'x' * 8_000_000); time.sleep(1000)"
    spec = platform.spec(source)
    launcher = platform.launcher(max_disk_bytes=1_000_000)
    launcher.launch(spec)
    status = end_of(launcher, spec.ref)
    assert status.exceeded is not None, status
    assert status.exceeded.limit is Limit.DISK
    assert "more of its node's disk than it may" in status.exceeded.sentence
    assert lines(platform.folder, "begun") == [""]
