"""A cluster with a real node, as the platform that launchers are tested on."""

import itertools
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.kubernetes.images import PYTHON
from tests.kubernetes.node import Cluster as RealCluster
from tests.running_service import wait_until
from tests.worker.launcher_contract import REPORTING
from worker.cluster import Cluster, Replica, Role
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.api import JOBS, PODS, ApiServer, Json
from worker.launchers.kubernetes.launcher import KubernetesLauncher
from worker.launchers.kubernetes.pods import PodSettings, Volume
from worker.launchers.kubernetes.states import is_live
from worker.launchers.protocol import AttemptRef, AttemptSpec, Container, JobRef
from worker.resources import Machine

JOB = JobRef("a-project", "a_job")
USER = 1000
GRACE_SECONDS = 5
"""Long enough for a trainer that uses it, which tests wait for; short enough for one that does not."""


class KubernetesPlatform:
    """Launchers of one owner; trainers are modules on a volume that is a folder of this machine."""

    streams_apart = False
    image: str | None = PYTHON
    memory = "64Mi"
    queue: str | None = None

    def __init__(self, cluster: RealCluster, root: Path) -> None:
        self._kubeconfig = cluster.kubeconfig("admin")
        self.root = root
        self.folder = root / "shared"
        self.jobs_dir = root / "jobs"
        self._modules = root / "modules"
        for folder in (self.folder, self._modules):
            folder.mkdir()
        root.chmod(0o755)
        os.chown(self.folder, USER, USER)
        self.owner = f"t{secrets.token_hex(4)}"
        self.api = ApiServer(self._kubeconfig)
        self._launchers: list[KubernetesLauncher] = []
        self._count = itertools.count()

    def launcher(
        self,
        ended: Callable[[JobRef], None] = lambda job: None,
        patience_seconds: float = 120.0,
        max_package_bytes: int = 10**8,
        max_output_bytes: int = 10**9,
        max_disk_bytes: int | None = None,
    ) -> KubernetesLauncher:
        settings = PodSettings(
            image=self.image,
            volume=Volume(self.root, host_path=self.root, for_all=(self.folder, self._modules)),
            user=USER,
            cpu="100m",
            memory=self.memory,
            grace_seconds=GRACE_SECONDS,
            patience_seconds=patience_seconds,
            max_disk_bytes=max_disk_bytes,
            queue=self.queue,
            pull_policy="Never",
        )
        launcher = KubernetesLauncher(
            ApiServer(self._kubeconfig),
            self.owner,
            settings,
            self.jobs_dir,
            Machine(4),
            ended,
            output_seconds=0.1,
            max_package_bytes=max_package_bytes,
            max_output_bytes=max_output_bytes,
        )
        self._launchers.append(launcher)
        return launcher

    def spec(
        self,
        source: str,
        *args: str,
        trial: int = 1,
        attempt: int = 1,
        job_dir: Path | None = None,
        environment: Mapping[str, str] | None = None,
        cluster: Cluster | None = None,
        containers: Mapping[Role, Container] | None = None,
        max_seconds: float | None = None,
    ) -> AttemptSpec:
        module = f"trainer_{next(self._count)}"
        (self._modules / f"{module}.py").write_text(REPORTING + source)
        return AttemptSpec(
            ref=AttemptRef(JOB, trial, attempt),
            module=module,
            args=(str(self.folder), *args),
            environment={"PYTHONPATH": str(self._modules), **(environment or {})},
            job_dir=job_dir,
            has_packages=False,
            cluster=cluster or Cluster(),
            containers=containers or {},
            max_seconds=max_seconds,
        )

    def is_running(self, pid: int) -> bool:
        # Numbers of processes in pods are their own: it runs as long as any pod does.
        return any(map(is_live, self.pods()))

    def pods(self) -> list[Json]:
        pods: list[Json] = self.api.list(PODS, f"{names.OWNER}={self.owner}")["items"]
        return pods

    def jobs(self) -> list[Json]:
        jobs: list[Json] = self.api.list(JOBS, f"{names.OWNER}={self.owner}")["items"]
        return jobs

    def wipe_out(self, ref: AttemptRef) -> None:
        self._delete(f"{names.ATTEMPT}={names.attempt_digest(self.owner, ref)}")

    def wipe_out_replica(self, ref: AttemptRef, replica: Replica) -> None:
        attempt = names.attempt_digest(self.owner, ref)
        self._delete(f"{names.ATTEMPT}={attempt},{names.REPLICA}={replica.name}")

    def wipe_out_preparation(self, job: JobRef) -> None:
        self._delete(f"{names.ATTEMPT}={names.preparation_digest(self.owner, job)}")

    def close(self) -> None:
        for launcher in self._launchers:
            launcher.close()
        self._delete(f"{names.OWNER}={self.owner}")
        wait_until(lambda: not self.pods(), 30)
        self.api.close()

    def _delete(self, selector: str) -> None:
        for job in self.api.list(JOBS, selector)["items"]:
            self.api.delete(JOBS, job["metadata"]["name"])
        for pod in self.api.list(PODS, selector)["items"]:
            self.api.delete(PODS, pod["metadata"]["name"], now=True)


@contextmanager
def kubernetes_platform(cluster: RealCluster, root: Path) -> Iterator[KubernetesPlatform]:
    """A platform of which nothing is left running afterwards."""
    platform = KubernetesPlatform(cluster, root)
    try:
        yield platform
    finally:
        platform.close()
