"""Trials as pods of a real node: the same as processes of this machine, and what only a cluster can do."""

import json
import signal

import pytest

from tests.kubernetes.images import PYTHON
from tests.kubernetes.node import Cluster
from tests.kubernetes.platform import KubernetesPlatform
from tests.running_service import wait_until
from tests.worker.launcher_contract import (
    CLUSTER,
    GRACE,
    HELD,
    LauncherContract,
    end_of,
    lines,
    phase,
    stopped,
)
from worker.cluster import PRIMARY, Role
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.api import JOBS
from worker.launchers.kubernetes.objects import sealed
from worker.launchers.protocol import (
    AttemptPhase,
    AttemptStatus,
    Container,
    Exceeded,
    LaunchFailed,
    Limit,
    Stream,
)


class TestContract(LauncherContract):
    pass


class TestLaunching:
    def test_what_was_told_to_stop_before_is_never_launched(self, platform: KubernetesPlatform) -> None:
        spec = platform.spec("tell('ran')")
        platform.launcher().stop(spec.ref, GRACE)
        launcher = platform.launcher()
        launcher.launch(spec)
        assert phase(launcher, spec.ref) is AttemptPhase.ABSENT
        assert [job["spec"]["suspend"] for job in platform.jobs()] == [True]
        assert platform.pods() == []

    def test_a_launch_that_was_cut_short_is_completed_by_the_next(self, platform: KubernetesPlatform) -> None:
        spec = platform.spec("tell('begun'); wait_for('go')", cluster=CLUSTER)
        launcher = platform.launcher()
        launcher.launch(spec)
        # As if it had ended after the first Job: there is but that one, and no record.
        wait_until(lambda: lines(platform.folder, "begun"), 30)
        for job in platform.jobs():
            if job["metadata"]["labels"][names.REPLICA] != PRIMARY.name:
                platform.api.delete(JOBS, job["metadata"]["name"])
        attempt_dir = platform.jobs_dir / "a-project" / "a_job" / "trials" / "1" / "1"
        (attempt_dir / "launched.json").unlink()
        wait_until(lambda: len(platform.pods()) == 1, 30)
        assert phase(launcher, spec.ref) is AttemptPhase.ABSENT
        platform.launcher().launch(spec)
        assert phase(launcher, spec.ref) is AttemptPhase.RUNNING
        assert len(platform.jobs()) == len(CLUSTER.replicas)

    def test_a_launch_that_was_cut_short_and_stopped_is_not_completed(
        self, platform: KubernetesPlatform
    ) -> None:
        spec = platform.spec("tell('begun'); signal.pause()", cluster=CLUSTER)
        launcher = platform.launcher()
        # The launch finds the second place taken, as by a stop that came in between.
        assert platform.api.create(sealed(spec.ref, CLUSTER.replicas[1], platform.owner))
        launcher.launch(spec)
        wait_until(lambda: lines(platform.folder, "begun"), 30)
        launcher.stop(spec.ref, GRACE)
        assert phase(launcher, spec.ref) is AttemptPhase.RUNNING, "as long as the primary does"

        def is_over() -> bool:
            launcher.stop(spec.ref, GRACE)
            return phase(launcher, spec.ref) is AttemptPhase.ABSENT

        wait_until(is_over, 30)
        assert not platform.is_running(0)
        platform.launcher().launch(spec)
        assert not platform.is_running(0)
        assert len(lines(platform.folder, "begun")) == 1

    def test_a_job_of_that_name_that_is_not_ours_is_left_alone(self, platform: KubernetesPlatform) -> None:
        spec = platform.spec("tell('ran')")
        other = sealed(spec.ref, PRIMARY, platform.owner)
        other["metadata"]["labels"][names.ATTEMPT] = "another"
        assert platform.api.create(other)
        with pytest.raises(LaunchFailed, match="not of this service"):
            platform.launcher().launch(spec)

    def test_one_replica_that_can_not_be_launched_takes_the_others_along(
        self, platform: KubernetesPlatform
    ) -> None:
        spec = platform.spec("signal.pause()", cluster=CLUSTER)
        other = sealed(spec.ref, CLUSTER.replicas[2], platform.owner)
        other["metadata"]["labels"] = {names.OWNER: platform.owner, names.ATTEMPT: "another"}
        assert platform.api.create(other)
        with pytest.raises(LaunchFailed, match="not of this service"):
            platform.launcher().launch(spec)
        wait_until(lambda: len(platform.jobs()) == 1, 30)

    def test_what_the_cluster_refuses_says_why_and_leaves_nothing(self, platform: KubernetesPlatform) -> None:
        spec = platform.spec("", environment={"A=B": "x"})
        with pytest.raises(LaunchFailed, match=r"env\[\d+\].name"):
            platform.launcher().launch(spec)
        assert platform.jobs() == []

    def test_a_job_dir_that_pods_do_not_have_is_refused(
        self, platform: KubernetesPlatform, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        elsewhere = tmp_path_factory.mktemp("elsewhere") / "out"
        with pytest.raises(LaunchFailed, match="is not below"):
            platform.launcher().launch(platform.spec("", job_dir=elsewhere))
        assert not elsewhere.exists()

    def test_an_image_runs_its_own_command(self, platform: KubernetesPlatform) -> None:
        told = ("-c", "import os; print('RANK', os.environ['RANK'], '$(PATH)')")
        spec = platform.spec("", containers={Role.MASTER: Container(PYTHON, ("python3",), told)})
        launcher = platform.launcher()
        launcher.launch(spec)
        assert end_of(launcher, spec.ref).exit_code == 0
        assert launcher.read_output(spec.ref, Stream.OUT, 0, 100) == b"RANK 0 $(PATH)\n"


class TestWhatAClusterDoes:
    def test_what_waits_for_a_gpu_can_be_stopped_and_never_runs(self, platform: KubernetesPlatform) -> None:
        spec = platform.spec("tell('ran')", containers={Role.MASTER: Container(accelerators=1)})
        launcher = platform.launcher()
        launcher.launch(spec)
        wait_until(platform.pods, 30)
        assert phase(launcher, spec.ref) is AttemptPhase.RUNNING
        assert stopped(launcher, spec.ref, GRACE) == AttemptStatus(AttemptPhase.LOST, told_to_stop=True)
        assert lines(platform.folder, "ran") == []

    def test_an_evicted_pod_is_replaced_and_costs_nothing(
        self, platform: KubernetesPlatform, cluster: Cluster
    ) -> None:
        spec = platform.spec("print('here', flush=True)\n" + HELD)
        launcher = platform.launcher()
        launcher.launch(spec)
        wait_until(lambda: lines(platform.folder, "begun"), 30)
        pod = platform.pods()[0]["metadata"]["name"]
        launcher.read_output(spec.ref, Stream.OUT, 0, 10)
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
        with cluster.client() as http:
            answer = http.post(f"/api/v1/namespaces/default/pods/{pod}/eviction", json=eviction)
        assert answer.status_code == 201, answer.text

        def again() -> bool:
            assert phase(launcher, spec.ref) is AttemptPhase.RUNNING
            return len(lines(platform.folder, "begun")) == 2

        wait_until(again, 60)
        (platform.folder / "go").touch()
        assert end_of(launcher, spec.ref) == AttemptStatus(AttemptPhase.ENDED, 0)

    def test_what_uses_too_much_memory_says_so(self, platform: KubernetesPlatform) -> None:
        spec = platform.spec("x = b'x' * 200_000_000")
        launcher = platform.launcher()
        launcher.launch(spec)
        status = end_of(launcher, spec.ref)
        assert (status.phase, status.exit_code) == (AttemptPhase.ENDED, -signal.SIGKILL)
        assert status.exceeded is not None
        assert status.exceeded.limit is Limit.MEMORY

    def test_what_runs_too_long_is_ended_by_the_cluster(self, platform: KubernetesPlatform) -> None:
        spec = platform.spec("signal.pause()", max_seconds=2)
        launcher = platform.launcher()
        launcher.launch(spec)
        status = end_of(launcher, spec.ref)
        sentence = "The replica master 0 ran longer than the 2 s that it may."
        assert status.exceeded == Exceeded(Limit.TIME, sentence)
        assert not status.told_to_stop


class TestWhatIsKept:
    def test_output_survives_restarts_and_the_end_of_the_pods(self, platform: KubernetesPlatform) -> None:
        source = """
for n in range(2000):
    print(n, flush=True)
    if n == 1000: tell('begun'); wait_for('go')
"""
        spec = platform.spec(source)
        first = platform.launcher()
        first.launch(spec)
        wait_until(lambda: lines(platform.folder, "begun"), 30)
        whole = b"".join(b"%d\n" % n for n in range(2000))
        half = whole[: whole.index(b"\n1001\n") + 1]
        wait_until(lambda: first.read_output(spec.ref, Stream.OUT, 0, 10**6) == half)
        (platform.folder / "go").touch()
        second = platform.launcher()
        assert end_of(second, spec.ref).exit_code == 0
        platform.wipe_out(spec.ref)
        wait_until(lambda: not platform.pods(), 30)
        third = platform.launcher()
        assert third.read_output(spec.ref, Stream.OUT, 0, 10**6) == whole
        assert phase(third, spec.ref) is AttemptPhase.ENDED

    def test_objects_go_by_themselves_once_nothing_is_needed_of_them(
        self, platform: KubernetesPlatform
    ) -> None:
        spec = platform.spec("", cluster=CLUSTER)
        launcher = platform.launcher()
        launcher.launch(spec)
        assert all("ttlSecondsAfterFinished" not in job["spec"] for job in platform.jobs())
        end_of(launcher, spec.ref)
        assert all("ttlSecondsAfterFinished" in job["spec"] for job in platform.jobs())
        record = platform.jobs_dir / "a-project" / "a_job" / "trials" / "1" / "1" / "ended.json"
        assert json.loads(record.read_text())["phase"] == "ENDED"

    def test_what_has_been_read_of_an_ended_job_can_be_let_go_of(self, platform: KubernetesPlatform) -> None:
        spec = platform.spec("print('here'); open('kept', 'w').close(); tell('done')")
        launcher = platform.launcher()
        launcher.launch(spec)
        end_of(launcher, spec.ref)
        assert launcher.read_output(spec.ref, Stream.OUT, 0, 10) == b"here\n"
        launcher.discard(spec.ref.job, everything=False)
        assert launcher.read_output(spec.ref, Stream.OUT, 0, 10) == b""
        (work,) = launcher.metric_places(spec.ref, None).roots
        assert (work / "kept").exists()
        launcher.discard(spec.ref.job, everything=True)
        assert not list(platform.jobs_dir.rglob("kept"))
