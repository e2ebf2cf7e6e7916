"""Trials as local processes: each replica a process group in its own directory, that outlives the service.

<data>/jobs/<project>/<job>/packages/…            what packageUris named
                           /env/                  the job's own environment, if it has packages
                           /install/              the installing process: status, logs
                           /trials/<n>/<attempt>/ a trial's process: status, logs
                                             work/      its working directory
                                             hypertune/ where cloudml-hypertune reports
                                             replicas/  the same of each other replica
"""

import errno
import os
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from store.objects.names import Place
from worker.cluster import PRIMARY, Replica
from worker.elsewhere.stores import Stores
from worker.launchers import environment, install, leftovers
from worker.launchers.limits import Limits, LimitWatch
from worker.launchers.measured import places_of
from worker.launchers.memory import MemoryWatch, memory_use
from worker.launchers.ports import Ports
from worker.launchers.process_group import ProcessGroup
from worker.launchers.protocol import (
    AttemptPhase,
    AttemptRef,
    AttemptSpec,
    AttemptStatus,
    JobRef,
    LaunchFailed,
    MetricPlaces,
    PackagesSpec,
    Preparation,
    PreparationPhase,
    Stream,
)
from worker.launchers.replica_groups import ReplicaGroups
from worker.launchers.waiting import EndOfProcess
from worker.metrics.mirrors import Mirrors
from worker.metrics.regular_file import open_regular, read_at
from worker.resources import Machine

PASSING = frozenset(
    {
        *(errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE),
        *(errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EBUSY, errno.EINTR),
    }
)
"""What the system says when it has nothing left, or can't reach it, for now."""
INSTALL_GRACE_SECONDS = 5.0
NOT_INHERITED = ("VERNIER_", "CLOUD_ML_", "TF_CONFIG", "CLUSTER_SPEC")
"""How the names of variables begin that are the service's own, or the trial's."""


class LocalLauncher:
    """Runs attempts on this machine.

    `ended` is called, from another thread, with the job whose process has ended.
    """

    def __init__(
        self,
        jobs_dir: Path,
        trial_python: Path,
        slots: int,
        max_package_bytes: int,
        ended: Callable[[JobRef], None] = lambda job: None,
        objects_dir: Path | None = None,
        stop_grace_seconds: float = 10.0,
        gpus: tuple[str, ...] | None = None,
        cpus_per_replica: int = 1,
        limits: Limits | None = None,
        memory: int | None = None,
    ) -> None:
        self._jobs_dir = jobs_dir
        self._trial_python = trial_python
        self._machine = Machine(slots, gpus, cpus_per_replica, memory)
        self._max_package_bytes = max_package_bytes
        self._ended = ended
        self._objects_dir = objects_dir
        self._stop_grace_seconds = stop_grace_seconds
        self._limits = limits or Limits()
        self._limit_watch = LimitWatch(self._limits)
        self._memory_watch = MemoryWatch()
        self._ports = Ports()
        self._mirrors = Mirrors(Stores().of)
        self._ends = EndOfProcess()

    @property
    def machine(self) -> Machine:
        return self._machine

    @property
    def launches_at_once(self) -> int:
        return 1

    @property
    def objects_dir(self) -> Path | None:
        return self._objects_dir

    def prepare(self, spec: PackagesSpec) -> Preparation:
        if not spec.uris:
            return Preparation(PreparationPhase.READY)
        group = self._install_group(spec.job)
        status = group.status()
        if status.phase is AttemptPhase.LOST and not self._abandoned(spec.job).exists():
            # Killed from outside. Installing again from the start is harmless.
            group.forget()
            status = AttemptStatus(AttemptPhase.ABSENT)
        if status.phase is AttemptPhase.ABSENT:
            self._start_install(spec, group)
        elif status.phase is AttemptPhase.RUNNING:
            self._watch(group.leader(), spec.job)
        elif status.exit_code == 0:
            return Preparation(PreparationPhase.READY)
        elif status.exit_code == environment.NO_ROOM:
            group.forget()
            raise OSError(errno.ENOSPC, "The packages find no room on the disk", str(self._job_dir(spec.job)))
        else:
            said = group.last_lines(4000).strip()
            return Preparation(
                PreparationPhase.FAILED, said or f"The installer ended with status {status.exit_code}."
            )
        return Preparation(PreparationPhase.UNDER_WAY)

    def abandon_preparation(self, job: JobRef) -> bool:
        group = self._install_group(job)
        # Asked of one that was not begun, or is lost, too: it will not be, by a worker that had meant to.
        group.directory.mkdir(parents=True, exist_ok=True)
        self._abandoned(job).touch()
        group.stop(INSTALL_GRACE_SECONDS)
        if group.status().phase is AttemptPhase.RUNNING:
            self._watch(group.leader(), job)
            return False
        return True

    def launch(self, spec: AttemptSpec) -> None:
        groups = ReplicaGroups(self._attempt_dir(spec.ref))
        python = self._env_dir(spec.ref.job) / "bin" / "python" if spec.has_packages else self._trial_python
        try:
            if isinstance(spec.job_dir, Path):
                spec.job_dir.mkdir(parents=True, exist_ok=True)
            job_dir = spec.job_dir if isinstance(spec.job_dir, Path) else None
            self._limit_watch.begin(groups, job_dir, spec.share.memory // len(spec.cluster.replicas))
            self._memory_watch.begin(groups.directory)
            with groups.starting(spec.cluster.replicas, self._ports.addresses) as addresses:
                for replica in addresses:
                    told = spec.cluster.variables(replica, addresses) | spec.share.visible_devices(replica)
                    self._start(spec, groups.group(replica), python, told)
        except OSError as error:
            if error.errno in install.FULL:
                raise  # The job waits until there is room, however long that takes.
            why = f"{error.strerror}: {error.filename or python}"
            raise LaunchFailed(why, for_now=error.errno in PASSING) from error
        except ValueError as error:  # A NUL, which no system call takes.
            raise LaunchFailed(f"an argument, a variable or the job dir is unusable: {error}") from error

    def observe(self, refs: Sequence[AttemptRef]) -> dict[AttemptRef, AttemptStatus]:
        statuses = {}
        for ref in refs:
            groups = ReplicaGroups(self._attempt_dir(ref))
            status = self._status(groups)
            if status.phase is not AttemptPhase.ABSENT:
                leaders = [pid for group in groups.groups().values() if (pid := group.leader()) is not None]
                if status.phase is AttemptPhase.RUNNING:
                    for leader in leaders:
                        self._watch(leader, ref.job, groups.directory)
                    self._memory_watch.look(groups.directory, leaders)
                else:
                    for leader in leaders:
                        self._ends.settle(leader)
                    status = replace(status, memory=memory_use(groups.directory))
            statuses[ref] = status
        return statuses

    def _status(self, groups: ReplicaGroups) -> AttemptStatus:
        status = groups.status(self._stop_grace_seconds)
        if status.phase is AttemptPhase.RUNNING:
            why = self._limit_watch.exceeded(groups)
            if why is None:
                return status
            groups.fail(why)
            status = groups.status(self._stop_grace_seconds)
        why = groups.why_failed()
        if why is None or status.phase not in (AttemptPhase.ENDED, AttemptPhase.LOST):
            return status
        return AttemptStatus(AttemptPhase.ENDED, -signal.SIGKILL, status.told_to_stop, exceeded=why)

    def stop(self, ref: AttemptRef, grace_seconds: float) -> None:
        ReplicaGroups(self._attempt_dir(ref)).stop(grace_seconds)

    def last_lines(self, ref: AttemptRef, limit: int, replica: Replica = PRIMARY) -> str:
        return ReplicaGroups(self._attempt_dir(ref)).group(replica).last_lines(limit)

    def read_output(
        self, ref: AttemptRef, stream: Stream, offset: int, limit: int, replica: Replica = PRIMARY
    ) -> bytes:
        place = ReplicaGroups(self._attempt_dir(ref)).place(replica)
        limit = max(0, min(limit, self._limits.output - offset))
        try:
            with open_regular(place / f"{stream}.log") as (descriptor, _):
                return read_at(descriptor, limit, offset)
        except OSError:
            # It was never started; or the trial put something else there, which is not its output.
            return b""

    def metric_places(self, ref: AttemptRef, job_dir: Path | Place | None) -> MetricPlaces:
        directory = self._attempt_dir(ref)

        def has_ended() -> bool:
            # All replicas of it: each may write there.
            return self.observe([ref])[ref].phase is not AttemptPhase.RUNNING

        return places_of(self._mirrors, directory, _hypertune_file(directory), job_dir, has_ended)

    def discard(self, job: JobRef, everything: bool) -> None:
        leftovers.discard(self._job_dir(job), everything)

    def close(self) -> None:
        """Stop watching. What runs goes on, and is found again by the next launcher."""
        self._ends.close()
        self._mirrors.close()

    def _job_dir(self, job: JobRef) -> Path:
        return self._jobs_dir / job.project / job.job_id

    def _env_dir(self, job: JobRef) -> Path:
        return self._job_dir(job) / "env"

    def _attempt_dir(self, ref: AttemptRef) -> Path:
        return self._job_dir(ref.job) / "trials" / str(ref.trial) / str(ref.attempt)

    def _install_group(self, job: JobRef) -> ProcessGroup:
        return ProcessGroup(self._job_dir(job) / "install")

    def _abandoned(self, job: JobRef) -> Path:
        return self._install_group(job).directory / "abandoned"

    def _start_install(self, spec: PackagesSpec, group: ProcessGroup) -> None:
        job_dir = self._job_dir(spec.job)
        job_dir.mkdir(parents=True, exist_ok=True)
        plan = install.Plan(
            uris=spec.uris,
            packages=job_dir / "packages",
            env=self._env_dir(spec.job),
            python=self._trial_python,
            max_bytes=self._max_package_bytes,
            objects=self._objects_dir,
        )
        command = plan.command(job_dir / "install.json")
        self._watch(group.start(command, _inherited(), cwd=job_dir), spec.job)

    def _start(self, spec: AttemptSpec, group: ProcessGroup, python: Path, told: Mapping[str, str]) -> None:
        if shutil.which(python) is None and group.status().phase is AttemptPhase.ABSENT:
            # The shell that is started would only tell of it by a status, which could be the program's own.
            raise LaunchFailed(f"there is no Python at {python}")
        work, hypertune_file = group.directory / "work", _hypertune_file(group.directory)
        for directory in (work, hypertune_file.parent):
            directory.mkdir(parents=True, exist_ok=True)
        environment = {
            **_inherited(),
            **told,
            **spec.environment,
            "CLOUD_ML_HP_METRIC_FILE": str(hypertune_file),
        }
        leader = group.start([str(python), "-m", spec.module, *spec.args], environment, cwd=work)
        self._watch(leader, spec.ref.job, self._attempt_dir(spec.ref))

    def _watch(self, leader: int | None, job: JobRef, attempt_dir: Path | None = None) -> None:
        if leader is None:
            return
        if attempt_dir is None:
            self._ends.watch(leader, lambda: self._ended(job))
        else:
            used = partial(self._memory_watch.ended, attempt_dir)
            self._ends.watch(leader, lambda: self._ended(job), used)


def _inherited() -> dict[str, str]:
    """The service's environment without its own settings, some of which are secrets, and without what the
    contract tells a trial: that a variable is absent says something too (docs/contract.md 4.5, 4.6).
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    # A trainer's output should be there when it is looked at, not when a buffer is full.
    return {**kept, "PYTHONUNBUFFERED": "1"}


def _hypertune_file(attempt_dir: Path) -> Path:
    return attempt_dir / "hypertune" / "output.metrics"
