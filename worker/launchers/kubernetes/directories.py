"""Where on the shared volume what belongs to a job and to its attempts is, and how pods come to have it.

<jobs>/<project>/<job>/packages/…            what packageUris named
                       /env/                 the job's own environment, if it has packages
                       /fetch/               the fetching process: status, logs
                       /install/             what is known of the installing pod (`preparation.py`)
                       /trials/<n>/<attempt>/ launched.json, ended.json  what is known of it (`records.py`)
                                             output.log, output.json    what it printed (`output.py`)
                                             work/      the working directory of a module
                                             hypertune/ where cloudml-hypertune reports
                                             mirror/    a copy of event files in a store elsewhere
                                             replicas/  the same of each other replica
"""

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from store.objects.names import Place
from worker.cluster import PRIMARY, Replica
from worker.launchers.kubernetes.pods import PodSettings
from worker.launchers.protocol import AttemptRef, AttemptSpec, JobRef, LaunchFailed

WORK, HYPERTUNE = "/vernier/work", "/vernier/hypertune"
"""Where a pod has its own directories."""
HYPERTUNE_FILE = "output.metrics"
OF_REPLICA = ("output.log", "output.json", "output.lock", "hypertune", "mirror")
"""What of a replica's own has been read once its job has ended: it is in the database."""


@lru_cache(maxsize=5000)
def _of_attempt(jobs_dir: Path, ref: AttemptRef) -> Path:
    # Each look at a job asks for those of all its trials, several times.
    return jobs_dir / f"{ref.job.project}/{ref.job.job_id}/trials/{ref.trial}/{ref.attempt}"


class Directories:
    """The service's side of the volume; where there is none, its own folder of the same form.

    Args:
        jobs_dir: below which all of it is that is the service's own.
    """

    def __init__(self, jobs_dir: Path, settings: PodSettings) -> None:
        self._jobs_dir = jobs_dir
        self._settings = settings

    def of_job(self, job: JobRef) -> Path:
        return self._jobs_dir / job.project / job.job_id

    def of_attempt(self, ref: AttemptRef) -> Path:
        return _of_attempt(self._jobs_dir, ref)

    def env(self, job: JobRef) -> Path:
        """The environment of the job's packages, where pods install it."""
        return self.of_job(job) / "env"

    def of_replica(self, ref: AttemptRef, replica: Replica) -> Path:
        """Where what belongs to one replica of an attempt is: what it printed, where it works."""
        directory = self.of_attempt(ref)
        return directory if replica == PRIMARY else directory / f"replicas/{replica.name}"

    def hypertune_file(self, ref: AttemptRef) -> Path:
        """Where the primary's reports are."""
        return self.of_attempt(ref) / f"hypertune/{HYPERTUNE_FILE}"

    def make(self, spec: AttemptSpec, replicas: Sequence[Replica]) -> dict[Replica, dict[str, Path]]:
        """Make what each replica may write to: {path in the pod: directory}. A module starts in the first.

        Raises:
            LaunchFailed: the job dir can't be given to pods.
            OSError: a directory can't be made.
        """
        job_dirs = self._make_job_dir(spec.job_dir)
        return {replica: self._make_own(spec.ref, replica) | job_dirs for replica in replicas}

    def hand_over(self, *directories: Path) -> None:
        """Let pods write to directories and to all that is in them."""
        for directory in directories:
            directory.mkdir(parents=True, exist_ok=True)
            self._hand_over(directory)
            for folder, folders, files in os.walk(directory):
                for name in (*folders, *files):
                    self._hand_over(Path(folder, name))

    def _make_own(self, ref: AttemptRef, replica: Replica) -> dict[str, Path]:
        own = self.of_replica(ref, replica)
        if self._settings.volume is None:
            (own / "hypertune").mkdir(parents=True, exist_ok=True)
            return {WORK: own / "work"}
        made = {WORK: own / "work", HYPERTUNE: own / "hypertune"}
        for each in made.values():
            each.mkdir(parents=True, exist_ok=True)
            self._hand_over(each)
        return made

    def _make_job_dir(self, job_dir: Path | Place | None) -> dict[str, Path]:
        """Make the job dir if that is a directory, which pods have under its own path."""
        if not isinstance(job_dir, Path):
            return {}
        volume = self._settings.volume
        if volume is None:
            raise LaunchFailed(
                f"the job dir {job_dir} is a directory, of which pods have nothing: without a volume "
                "(VERNIER_KUBERNETES_CLAIM or VERNIER_KUBERNETES_HOST_PATH) it must be s3://, "
                "or gs:// of Google's"
            )
        # A trial that ran before may have left links there, which lead elsewhere on this machine.
        if not volume.has(job_dir) or job_dir.resolve() != volume.path.resolve() / job_dir.relative_to(
            volume.path
        ):
            raise LaunchFailed(f"the job dir {job_dir} is not below {volume.path}, of which pods have a part")
        if job_dir.is_relative_to(self._jobs_dir) or self._jobs_dir.is_relative_to(job_dir):
            raise LaunchFailed(f"the job dir {job_dir} has what is the service's own")
        if not job_dir.exists():
            job_dir.mkdir(parents=True)
            self._hand_over(job_dir)
        return {str(job_dir): job_dir}

    def _hand_over(self, directory: Path) -> None:
        """Let pods write there. A service that is not root runs them as its own user."""
        if os.geteuid() == 0:
            os.chown(directory, self._settings.user, self._settings.user, follow_symlinks=False)
