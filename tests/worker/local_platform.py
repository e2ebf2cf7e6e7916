"""This machine, as the platform that launchers are tested on."""

import itertools
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.worker.launcher_contract import GRACE, REPORTING, is_running
from worker.cluster import Cluster, Replica
from worker.launchers.limits import Limits
from worker.launchers.local import LocalLauncher
from worker.launchers.process_group import ProcessGroup
from worker.launchers.protocol import AttemptRef, AttemptSpec, JobRef
from worker.launchers.replica_groups import ReplicaGroups

JOB = JobRef("a-project", "a_job")


class LocalPlatform:
    """Launchers over one data folder; trainers are modules found through PYTHONPATH."""

    streams_apart = True

    def __init__(self, root: Path) -> None:
        self.folder = root / "shared"
        self.jobs_dir = root / "jobs"
        self._modules = root / "modules"
        for folder in (self.folder, self._modules):
            folder.mkdir()
        self._launchers: list[LocalLauncher] = []
        self._count = itertools.count()

    def launcher(
        self,
        ended: Callable[[JobRef], None] = lambda job: None,
        python: Path = Path(sys.executable),
        max_package_bytes: int = 10**8,
        limits: Limits | None = None,
    ) -> LocalLauncher:
        launcher = LocalLauncher(
            self.jobs_dir, python, 4, max_package_bytes, ended, stop_grace_seconds=GRACE, limits=limits
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
        )

    def is_running(self, pid: int) -> bool:
        return is_running(pid)

    def attempt_dir(self, ref: AttemptRef) -> Path:
        return self.jobs_dir / ref.job.project / ref.job.job_id / "trials" / str(ref.trial) / str(ref.attempt)

    def wipe_out(self, ref: AttemptRef) -> None:
        for group in ReplicaGroups(self.attempt_dir(ref)).groups().values():
            _kill_group(group.directory)

    def wipe_out_replica(self, ref: AttemptRef, replica: Replica) -> None:
        _kill_group(ReplicaGroups(self.attempt_dir(ref)).place(replica))

    def wipe_out_preparation(self, job: JobRef) -> None:
        _kill_group(self.jobs_dir / job.project / job.job_id / "install")

    def close(self) -> None:
        for launcher in self._launchers:
            launcher.close()
        for lock in self.jobs_dir.rglob("lock"):
            ProcessGroup(lock.parent).kill()


def _kill_group(directory: Path) -> None:
    leader = ProcessGroup(directory).leader()
    assert leader is not None
    os.killpg(leader, signal.SIGKILL)


@contextmanager
def local_platform(root: Path) -> Iterator[LocalPlatform]:
    """A platform of which nothing is left running afterwards."""
    platform = LocalPlatform(root)
    try:
        yield platform
    finally:
        platform.close()
