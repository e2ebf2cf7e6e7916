"""Trials as Jobs of a Kubernetes cluster: each replica a Job of one pod.

<jobs>/<project>/<job>/trials/<n>/<attempt>/ launched.json, ended.json  what is known of it (`records.py`)
                                             output.log, output.json    what it printed (`output.py`)
                                             work/      the working directory of a module
                                             hypertune/ where cloudml-hypertune reports
                                             replicas/  the same of each other replica

The API server's names are the lock: an attempt is launched by who creates its Jobs, and is never launched
once a sealed Job stands in their place.
"""

import json
import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from store.objects.names import Place
from worker.cluster import PRIMARY, Replica
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.api import (
    JOBS,
    PODS,
    SERVICES,
    ApiServer,
    Json,
    Refused,
    Unreachable,
    kind_of,
)
from worker.launchers.kubernetes.objects import objects_of, sealed
from worker.launchers.kubernetes.output import keep, output_file
from worker.launchers.kubernetes.pods import PodSettings
from worker.launchers.kubernetes.records import Record, place
from worker.launchers.kubernetes.states import (
    annotations,
    attempt_status,
    has_started,
    is_live,
    replica_status,
)
from worker.launchers.kubernetes.watching import EndOfPod
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
from worker.metrics.regular_file import open_regular, read_at
from worker.resources import Machine

log = structlog.get_logger(__name__)

OVER = (AttemptPhase.ENDED, AttemptPhase.LOST)
OUTPUT_PATIENCE_SECONDS = 60.0
"""How long an attempt that has ended counts as running while its output can't be read."""
TTL_SECONDS = 60
"""How long Jobs are left for who wants to see them, once nothing is needed of them. Until then each look at
their job lists them."""
WORK, HYPERTUNE = "/vernier/work", "/vernier/hypertune"
"""Where a pod has its own directories."""
HYPERTUNE_FILE = "output.metrics"


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of one attempt."""

    jobs: dict[Replica, Json]
    pods: dict[Replica, list[Json]]


class KubernetesLauncher:
    """Runs attempts on a cluster.

    `ended` is called, from another thread, with the job of which a pod has ended.

    Args:
        owner: marks what belongs to this service, and to no other; the same after a restart.
        slots: how many replicas run side by side, over all jobs.
        output_seconds: how often at most the output of one replica is asked for while it runs.
    """

    def __init__(
        self,
        api: ApiServer,
        owner: str,
        settings: PodSettings,
        jobs_dir: Path,
        slots: int,
        ended: Callable[[JobRef], None] = lambda job: None,
        objects_dir: Path | None = None,
        output_seconds: float = 1.0,
    ) -> None:
        self._api = api
        self._owner = owner
        self._settings = settings
        self._jobs_dir = jobs_dir
        self._machine = Machine(slots)
        self._ended = ended
        self._objects_dir = objects_dir
        self._output_seconds = output_seconds
        self._output_kept: dict[tuple[AttemptRef, Replica], float] = {}
        self._unread_since: dict[AttemptRef, float] = {}
        self._ends = EndOfPod(api, f"{names.OWNER}={owner}")

    @property
    def machine(self) -> Machine:
        return self._machine

    @property
    def objects_dir(self) -> Path | None:
        return self._objects_dir

    def prepare(self, spec: PackagesSpec) -> Preparation:
        if not spec.uris:
            return Preparation(PreparationPhase.READY)
        return Preparation(
            PreparationPhase.FAILED, "The launcher for Kubernetes installs no packages: give an image."
        )

    def abandon_preparation(self, job: JobRef) -> bool:
        return True

    # Launching

    def launch(self, spec: AttemptSpec) -> None:
        directory = self._attempt_dir(spec.ref)
        record = Record(directory)
        if record.replicas() is not None:
            return
        replicas = spec.cluster.replicas
        try:
            job_dirs = self._make_job_dir(spec.job_dir)
            directories = {
                replica: self._make_directories(directory, replica) | job_dirs for replica in replicas
            }
        except (OSError, ValueError) as error:
            raise LaunchFailed(f"a directory can't be made: {error}") from error
        told = {"CLOUD_ML_HP_METRIC_FILE": f"{HYPERTUNE}/{HYPERTUNE_FILE}"}
        made = objects_of(spec, self._owner, self._api.namespace, self._settings, told, directories)
        for number, each in enumerate(made):
            try:
                if not self._create(spec.ref, each):
                    return
            except (Refused, LaunchFailed) as error:
                for earlier in made[:number]:
                    self._api.delete(kind_of(earlier), earlier["metadata"]["name"])
                raise LaunchFailed(f"the cluster refused it: {error}") from error
        record.launched(replicas)
        self._watch(spec.ref)

    def _create(self, ref: AttemptRef, made: Json) -> bool:
        """Create an object or find it there; false if it is sealed: nothing may be launched."""
        if self._api.create(made) or made["kind"] == "Service":
            return True
        name = made["metadata"]["name"]
        found = self._api.get(JOBS, name)
        if found is None:
            raise Unreachable(f"the Job {name} was there, and is not")
        if found["metadata"].get("labels", {}).get(names.ATTEMPT) != self._digest(ref):
            raise LaunchFailed(f"a Job {name} that is not of this service is in the way")
        return names.SEALED not in annotations(found)

    # Observing

    def observe(self, refs: Sequence[AttemptRef]) -> dict[AttemptRef, AttemptStatus]:
        statuses = {ref: self._record(ref).end() for ref in refs}
        found = self._look([ref for ref in refs if statuses[ref] is None])
        return {ref: end or self._status(ref, found[ref]) for ref, end in statuses.items()}

    def _status(self, ref: AttemptRef, found: Found) -> AttemptStatus:
        replicas = self._replicas(ref, found)
        if replicas is None:
            # A launch that was cut short and stopped ends with what it had begun; any other is begun again.
            ending = _is_told(found) and any(is_live(pod) for pods in found.pods.values() for pod in pods)
            return AttemptStatus(AttemptPhase.RUNNING if ending else AttemptPhase.ABSENT)
        statuses = _statuses(replicas, found)
        end = attempt_status(statuses, _is_told(found))
        if end is None:
            self._watch(ref)
            return AttemptStatus(AttemptPhase.RUNNING)
        going_on = [each for each in replicas if statuses[each].phase is AttemptPhase.RUNNING]
        for replica in going_on:
            self._end(replica, found)
        if going_on:
            self._watch(ref)
            return AttemptStatus(AttemptPhase.RUNNING)
        if not self._keep_output(ref, replicas, found):
            return AttemptStatus(AttemptPhase.RUNNING)
        self._close(ref, replicas, found, end)
        return end

    def _keep_output(self, ref: AttemptRef, replicas: Sequence[Replica], found: Found) -> bool:
        """Keep all that an attempt has printed; false if it can't be had for now.

        It can't be had any more of a node that is gone, which is not waited for.
        """
        try:
            for replica in replicas:
                keep(self._api, found.pods.get(replica, ()), place(self._attempt_dir(ref), replica))
        except Unreachable as error:
            since = self._unread_since.setdefault(ref, time.monotonic())
            if time.monotonic() - since < OUTPUT_PATIENCE_SECONDS:
                return False
            log.warning("what an attempt printed last is lost", attempt=ref.name, reason=str(error))
        self._unread_since.pop(ref, None)
        return True

    def _close(self, ref: AttemptRef, replicas: Sequence[Replica], found: Found, end: AttemptStatus) -> None:
        """Record how an attempt has ended, of which nothing is needed any more: its objects may go."""
        for replica in replicas:
            self._output_kept.pop((ref, replica), None)
        self._record(ref).ended(end)
        self._ends.forget(self._digest(ref))
        if len(replicas) > 1:
            self._api.delete(SERVICES, names.attempt_name(self._owner, ref))
        for job in found.jobs.values():
            self._api.change(
                JOBS, job["metadata"]["name"], {"spec": {"ttlSecondsAfterFinished": TTL_SECONDS}}
            )

    # Stopping

    def stop(self, ref: AttemptRef, grace_seconds: float) -> None:
        # The grace is that of the settings that the pods were made with: nodes keep to it on their own.
        if self._record(ref).end() is not None:
            return
        found = self._look([ref])[ref]
        if not found.jobs and self._record(ref).replicas() is None:
            if self._api.create(sealed(ref, PRIMARY, self._owner)):
                return
            found = self._look([ref])[ref]
        replicas = self._replicas(ref, found, unfinished=True)
        if replicas is None:
            return
        # What is not there yet of a launch that is under way elsewhere must not come any more.
        unfinished = self._record(ref).replicas() is None
        if unfinished or attempt_status(_statuses(replicas, found), _is_told(found)) is None:
            self._annotate(found.jobs.get(PRIMARY), names.STOP)
        for replica in replicas:
            if replica in found.jobs:
                self._end(replica, found)
            elif unfinished:
                self._api.create(sealed(ref, replica, self._owner))

    def _end(self, replica: Replica, found: Found) -> None:
        """Tell a replica to end; the node kills it once it has had its grace, which its pod names.

        Kubernetes forgets how a pod ended that was deleted. One that has outlived its activeDeadlineSeconds
        is told to end the same way, and stays.
        """
        job, pods = found.jobs.get(replica), found.pods.get(replica, [])
        if job is None or replica_status(replica, job, pods).phase in OVER:
            return
        self._annotate(job, names.TOLD)
        live = [pod for pod in pods if is_live(pod)]
        if not live or not all(map(has_started, live)):
            # What has not begun must not, nor what would take its place. A pod that begins just now ends too.
            self._api.change(JOBS, job["metadata"]["name"], {"spec": {"suspend": True}})
            return
        for pod in live:
            if "activeDeadlineSeconds" not in pod["spec"]:
                self._api.change(PODS, pod["metadata"]["name"], {"spec": {"activeDeadlineSeconds": 1}})

    def _annotate(self, job: Json | None, name: str) -> None:
        if job is not None and name not in annotations(job):
            self._api.change(JOBS, job["metadata"]["name"], {"metadata": {"annotations": {name: "true"}}})

    # What was printed, and what was measured

    def last_lines(self, ref: AttemptRef, limit: int, replica: Replica = PRIMARY) -> str:
        try:
            with open_regular(self._output(ref, replica)) as (descriptor, about):
                end = read_at(descriptor, limit, max(0, about.st_size - limit))
        except OSError:
            return ""
        return end.decode(errors="replace").replace("\0", "")

    def read_output(
        self, ref: AttemptRef, stream: Stream, offset: int, limit: int, replica: Replica = PRIMARY
    ) -> bytes:
        if stream is not Stream.OUT:
            return b""  # The API gives both in one.
        try:
            with open_regular(self._output(ref, replica)) as (descriptor, _):
                return read_at(descriptor, limit, offset)
        except OSError:
            return b""

    def _output(self, ref: AttemptRef, replica: Replica) -> Path:
        """The file of what it has printed, with what is new unless that was asked for just now."""
        directory = place(self._attempt_dir(ref), replica)
        last = self._output_kept.get((ref, replica), -math.inf)
        if self._record(ref).end() is None and time.monotonic() - last >= self._output_seconds:
            self._output_kept[(ref, replica)] = time.monotonic()
            try:
                if pods := self._look([ref])[ref].pods.get(replica):
                    keep(self._api, pods, directory)
            except Unreachable as error:
                # It comes later: one node that does not answer is no reason to leave the job alone.
                log.info("a replica's output can't be read for now", attempt=ref.name, reason=str(error))
        return output_file(directory)

    def metric_places(self, ref: AttemptRef, job_dir: Path | Place | None) -> MetricPlaces:
        directory = self._attempt_dir(ref)
        if isinstance(job_dir, Place):
            problem = f"Event files in {job_dir} are not read: the launcher for Kubernetes reads files only."
            return MetricPlaces((), _hypertune_file(directory), (problem,))
        # Without a jobDir a trainer has only its working directory to write to.
        root = job_dir if job_dir is not None else directory / "work"
        return MetricPlaces((root,), _hypertune_file(directory))

    def close(self) -> None:
        """Stop watching; attempts go on."""
        self._ends.close()
        self._api.close()

    # What is there

    def _look(self, refs: Sequence[AttemptRef]) -> dict[AttemptRef, Found]:
        """All Jobs and pods of these attempts: two requests, however many attempts there are."""
        found = {ref: Found({}, {}) for ref in refs}
        if not refs:
            return found
        by_digest = {self._digest(ref): ref for ref in refs}
        if len(refs) == 1:
            selector = f"{names.ATTEMPT}={self._digest(refs[0])}"
        else:
            jobs = sorted({names.job_digest(self._owner, ref.job) for ref in refs})
            selector = f"{names.JOB} in ({','.join(jobs)})"
        # Pods after Jobs: what has a Job that is not finished may be seen with a pod that is.
        for where in (JOBS, PODS):
            for item in self._api.list(where, selector)["items"]:
                marks = item["metadata"]["labels"]
                ref = by_digest.get(marks[names.ATTEMPT])
                if ref is None:
                    continue
                replica = Replica.named(marks[names.REPLICA])
                if where == JOBS:
                    found[ref].jobs[replica] = item
                else:
                    found[ref].pods.setdefault(replica, []).append(item)
        return found

    def _replicas(
        self, ref: AttemptRef, found: Found, unfinished: bool = False
    ) -> tuple[Replica, ...] | None:
        """The replicas that were launched; None if the attempt was not.

        Args:
            unfinished: whether a launch counts of which a part is still to come.
        """
        replicas = self._record(ref).replicas()
        if replicas is not None:
            return replicas
        primary = found.jobs.get(PRIMARY)
        if primary is None or names.SEALED in annotations(primary):
            return None
        replicas = tuple(map(Replica.named, _names(primary)))
        if unfinished or all(
            each in found.jobs and names.SEALED not in annotations(found.jobs[each]) for each in replicas
        ):
            return replicas
        return None

    def _record(self, ref: AttemptRef) -> Record:
        return Record(self._attempt_dir(ref))

    def _watch(self, ref: AttemptRef) -> None:
        self._ends.watch(self._digest(ref), lambda: self._ended(ref.job))

    def _digest(self, ref: AttemptRef) -> str:
        return names.attempt_digest(self._owner, ref)

    def _attempt_dir(self, ref: AttemptRef) -> Path:
        return (
            self._jobs_dir / ref.job.project / ref.job.job_id / "trials" / str(ref.trial) / str(ref.attempt)
        )

    def _make_directories(self, directory: Path, replica: Replica) -> dict[str, Path]:
        """Make what a replica has to itself, where it starts first."""
        own = place(directory, replica)
        made = {WORK: own / "work", HYPERTUNE: _hypertune_file(own).parent}
        for each in made.values():
            each.mkdir(parents=True, exist_ok=True)
            self._hand_over(each)
        return made

    def _make_job_dir(self, job_dir: Path | Place | None) -> dict[str, Path]:
        """Make the job dir if that is a directory, which pods have under its own path."""
        if not isinstance(job_dir, Path):
            return {}
        volume = self._settings.volume
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
            os.chown(directory, self._settings.user, self._settings.user)


def _names(primary: Json) -> list[str]:
    told: list[str] = json.loads(annotations(primary)[names.REPLICAS])
    return told


def _statuses(replicas: Iterable[Replica], found: Found) -> dict[Replica, AttemptStatus]:
    return {each: replica_status(each, found.jobs.get(each), found.pods.get(each, ())) for each in replicas}


def _is_told(found: Found) -> bool:
    primary = found.jobs.get(PRIMARY)
    return primary is not None and names.STOP in annotations(primary)


def _hypertune_file(directory: Path) -> Path:
    return directory / "hypertune" / HYPERTUNE_FILE
