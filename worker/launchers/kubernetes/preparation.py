"""A job's packages on a cluster: fetched by the service, installed once a job by a pod of the job's runtime.

<job>/fetch/     the process that fetches them, as a process group of this machine
     /install/   plan.json       what is fetched
                 environment.py  what the pod runs
                 failed          what it says of a failure
                 done.json       how it ended: nothing more is done
                 abandoned       it is not wanted any more

The pod's Job has a name of its own, so it is created once, whoever asks.
"""

import errno
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from worker.cluster import PRIMARY
from worker.launchers import environment
from worker.launchers.install import Plan
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.api import JOBS, PODS, ApiServer, Json, Refused
from worker.launchers.kubernetes.directories import Directories
from worker.launchers.kubernetes.hardware import Hardware
from worker.launchers.kubernetes.objects import ENV, container_of, job_of, mounts, no_image, pod_of
from worker.launchers.kubernetes.patience import Patience
from worker.launchers.kubernetes.pods import PodSettings
from worker.launchers.kubernetes.states import replica_status
from worker.launchers.notes import read_note, write_note
from worker.launchers.process_group import ProcessGroup
from worker.launchers.protocol import (
    AttemptPhase,
    AttemptRef,
    AttemptStatus,
    JobRef,
    PackagesSpec,
    Preparation,
    PreparationPhase,
)

PACKAGES, INSTALL = "/vernier/packages", "/vernier/install"
"""Where the pod has what it installs, and what it runs."""
TOLD_PIP = "PIP_"
"""How the names of variables begin that the pod is given of the service's own: where packages come from."""
FETCH_GRACE_SECONDS = 5.0
UNDER_WAY, READY = Preparation(PreparationPhase.UNDER_WAY), Preparation(PreparationPhase.READY)


NO_VOLUME = (
    "On this cluster pods share no volume with the service, over which packages would come to them "
    "(VERNIER_KUBERNETES_CLAIM or VERNIER_KUBERNETES_HOST_PATH): give an image that has them."
)


class Preparations:
    """Installs packages.

    Args:
        watch: called with a job whose pod's end is to be told.
        objects_dir: what is behind gs://, if that is the service's own.
    """

    def __init__(
        self,
        api: ApiServer,
        owner: str,
        settings: PodSettings,
        directories: Directories,
        patience: Patience,
        watch: Callable[[JobRef], None],
        max_package_bytes: int,
        objects_dir: Path | None,
    ) -> None:
        self._api = api
        self._owner = owner
        self._settings = settings
        self._directories = directories
        self._patience = patience
        self._watch = watch
        self._max_package_bytes = max_package_bytes
        self._objects_dir = objects_dir

    def prepare(self, spec: PackagesSpec) -> Preparation:
        """See `Launcher.prepare`."""
        if not spec.uris:
            return READY
        own = self._own(spec.job)
        if (done := read_note(own / "done.json")) is not None:
            return Preparation(PreparationPhase(done["phase"]), done["message"])
        if (own / "abandoned").exists():
            return UNDER_WAY
        if self._settings.volume is None:
            return self._done(spec.job, NO_VOLUME)
        image = self._settings.image_for(spec.runtime)
        if image is None:
            return self._done(spec.job, no_image("its packages", spec.runtime, self._settings))
        fetched = self._fetch(spec)
        return self._install(spec.job, image) if fetched is READY else fetched

    def abandon(self, job: JobRef) -> bool:
        """See `Launcher.abandon_preparation`."""
        own = self._own(job)
        # Asked of one that was not begun, too: it will not be, by a worker that had meant to.
        own.mkdir(parents=True, exist_ok=True)
        (own / "abandoned").touch()
        if (own / "done.json").exists() or not (own / "plan.json").exists():
            return True
        fetching = self._fetching(job)
        fetching.stop(FETCH_GRACE_SECONDS)
        self._api.delete(JOBS, names.preparation_name(self._owner, job))
        _, pods = self._find(job)
        if pods:
            self._watch(job)
        return not pods and fetching.status().phase is not AttemptPhase.RUNNING

    # Fetching, which the service does: it has the user's files, and the right to read from stores

    def _fetch(self, spec: PackagesSpec) -> Preparation:
        group = self._fetching(spec.job)
        status = group.status()
        if status.phase is AttemptPhase.LOST:
            group.forget()  # Killed from outside. Fetching again from the start is harmless.
        if status.phase in (AttemptPhase.LOST, AttemptPhase.ABSENT):
            self._start_fetching(spec, group)
            return UNDER_WAY
        if status.phase is AttemptPhase.RUNNING:
            return UNDER_WAY
        if status.exit_code == 0:
            return READY
        said = group.last_lines(4000).strip()
        if status.exit_code == environment.NO_ROOM:
            group.forget()
            place = str(self._directories.of_job(spec.job))
            raise OSError(errno.ENOSPC, "The packages find no room on the disk", place)
        return self._done(spec.job, said or f"Fetching them ended with status {status.exit_code}.")

    def _start_fetching(self, spec: PackagesSpec, group: ProcessGroup) -> None:
        own, job_dir = self._own(spec.job), self._directories.of_job(spec.job)
        own.mkdir(parents=True, exist_ok=True)
        plan = Plan(
            uris=spec.uris,
            packages=job_dir / "packages",
            env=None,
            python=Path(sys.executable),
            max_bytes=self._max_package_bytes,
            objects=self._objects_dir,
        )
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("VERNIER_")}
        group.start(plan.command(own / "plan.json"), inherited, cwd=job_dir)

    def _fetching(self, job: JobRef) -> ProcessGroup:
        return ProcessGroup(self._directories.of_job(job) / "fetch")

    # Installing, which a pod does: it has the interpreter

    def _install(self, job: JobRef, image: str) -> Preparation:
        found, pods = self._find(job)
        if found is None:
            if not pods:
                self._start_installing(job, image)
            self._watch(job)
            return UNDER_WAY
        status = replica_status(PRIMARY, found, pods)
        if status.phase is AttemptPhase.RUNNING:
            self._watch(job)
            return Preparation(PreparationPhase.UNDER_WAY, self._held_up(job, found, pods))
        if status.phase is AttemptPhase.LOST and status.cause is None:
            # Deleted by others. Installing again from the start is harmless.
            self._api.delete(JOBS, found["metadata"]["name"])
            return UNDER_WAY
        if status.exit_code == environment.NO_ROOM:
            self._api.delete(JOBS, found["metadata"]["name"])
            place = str(self._directories.of_job(job))
            raise OSError(errno.ENOSPC, "The packages find no room on the volume", place)
        done = self._done(job, self._why_failed(job, status))
        self._api.delete(JOBS, found["metadata"]["name"])
        return done

    def _start_installing(self, job: JobRef, image: str) -> None:
        own, job_dir = self._own(job), self._directories.of_job(job)
        packages, env = job_dir / "packages", self._directories.env(job)
        shutil.copyfile(environment.__file__, own / "environment.py")
        (own / "failed").unlink(missing_ok=True)
        self._directories.hand_over(own, packages, env)
        files = [
            f"{PACKAGES}/{each.relative_to(packages)}"
            for folder in sorted(packages.iterdir(), key=lambda folder: int(folder.name))
            for each in folder.iterdir()
        ]
        told = {name: value for name, value in os.environ.items() if name.startswith(TOLD_PIP)}
        variables = {"HOME": "/tmp", "PIP_NO_CACHE_DIR": "1", "PYTHONUNBUFFERED": "1", **told}  # noqa: S108
        container = {
            **container_of(image, self._settings, variables, Hardware()),
            "command": ["python3", f"{INSTALL}/environment.py", ENV, f"{INSTALL}/failed", *files],
            "workingDir": INSTALL,
            "volumeMounts": mounts(self._settings.volume, {PACKAGES: packages, INSTALL: own, ENV: env}, {}),
        }
        metadata = {
            "name": names.preparation_name(self._owner, job),
            "labels": names.preparation_labels(self._owner, job),
            "annotations": {names.PROJECT: job.project, names.JOB_ID: job.job_id},
        }
        try:
            self._api.create(job_of(metadata, pod_of(self._settings, container)))
        except Refused as error:
            if not error.is_for_now:
                self._done(job, f"The cluster refused to install them: {error}")

    def _held_up(self, job: JobRef, found: Json, pods: list[Json]) -> str:
        return self._patience.wait(_as_attempt(job), PRIMARY, found, pods) or ""

    def _why_failed(self, job: JobRef, status: AttemptStatus) -> str:
        """Empty: it has not."""
        if status.exit_code == 0:
            return ""
        if status.cause is not None:
            return status.cause.sentence
        if status.exceeded is not None:
            return status.exceeded.sentence
        try:
            return (self._own(job) / "failed").read_text(errors="replace")
        except FileNotFoundError:
            return f"Installing them ended with status {status.exit_code}."

    def _find(self, job: JobRef) -> tuple[Json | None, list[Json]]:
        found = self._api.get(JOBS, names.preparation_name(self._owner, job))
        pods: list[Json] = self._api.list(
            PODS, f"{names.ATTEMPT}={names.preparation_digest(self._owner, job)}"
        )["items"]
        return found, pods

    def _done(self, job: JobRef, why_failed: str) -> Preparation:
        done = Preparation(PreparationPhase.FAILED, why_failed) if why_failed else READY
        write_note(self._own(job) / "done.json", {"phase": done.phase, "message": done.message})
        return done

    def _own(self, job: JobRef) -> Path:
        return self._directories.of_job(job) / "install"


def _as_attempt(job: JobRef) -> AttemptRef:
    """What stands for a job's installation among attempts, whose trials count from 1."""
    return AttemptRef(job, 0, 0)
