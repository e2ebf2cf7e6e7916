"""Trials as Jobs of a Kubernetes cluster: each replica a Job of one pod.

The API server's names are the lock: an attempt is launched by who creates its Jobs, and is never launched
once a sealed Job stands in their place.
"""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from store.objects.names import Place
from worker.cluster import PRIMARY, Replica
from worker.elsewhere.stores import Stores
from worker.launchers import leftovers
from worker.launchers.install import FULL
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.api import (
    JOBS,
    SERVICES,
    ApiServer,
    Json,
    Refused,
    Unreachable,
    kind_of,
)
from worker.launchers.kubernetes.directories import HYPERTUNE, HYPERTUNE_FILE, OF_REPLICA, Directories
from worker.launchers.kubernetes.finding import Finder, Found
from worker.launchers.kubernetes.objects import objects_of, sealed
from worker.launchers.kubernetes.patience import Patience
from worker.launchers.kubernetes.pods import PodSettings
from worker.launchers.kubernetes.preparation import Preparations
from worker.launchers.kubernetes.printed import Printed
from worker.launchers.kubernetes.records import Record
from worker.launchers.kubernetes.reports import keep_reports
from worker.launchers.kubernetes.states import annotations, attempt_status, replica_status
from worker.launchers.kubernetes.stopping import annotate, end_replica, exceed, is_ending
from worker.launchers.kubernetes.unowned import MarkedObjects
from worker.launchers.kubernetes.watching import EndOfPod
from worker.launchers.local import PASSING
from worker.launchers.measured import places_of
from worker.launchers.protocol import (
    AttemptPhase,
    AttemptRef,
    AttemptSpec,
    AttemptStatus,
    Exceeded,
    JobRef,
    LaunchFailed,
    Limit,
    Marked,
    MetricPlaces,
    PackagesSpec,
    Preparation,
    Stream,
)
from worker.metrics.mirrors import Mirrors
from worker.resources import Machine

TTL_SECONDS = 60
"""How long Jobs are left for who wants to see them, once nothing is needed of them. Until then each look at
their job lists them."""

LAUNCHES_AT_ONCE = 4
"""Most of a launch is waiting for the API server."""
REMEMBERED = 10_000
"""Attempts that are remembered to go on."""


class KubernetesLauncher:
    """Runs attempts on a cluster.

    `ended` is called, from another thread, with the job of which a pod has ended, or has begun to print.

    Args:
        owner: marks what belongs to this service, and to no other; the same after a restart.
        machine: how many replicas run side by side, over all jobs, and what they have of memory.
        output_seconds: how often at most the output of one replica is asked for while it runs.
    """

    def __init__(
        self,
        api: ApiServer,
        owner: str,
        settings: PodSettings,
        jobs_dir: Path,
        machine: Machine,
        ended: Callable[[JobRef], None] = lambda job: None,
        objects_dir: Path | None = None,
        output_seconds: float = 1.0,
        max_package_bytes: int = 512 * 2**20,
        max_output_bytes: int = 2**30,
    ) -> None:
        self._api = api
        self._owner = owner
        self._settings = settings
        self._machine = machine
        self._ended = ended
        self._objects_dir = objects_dir
        self._directories = Directories(jobs_dir, settings)
        self._ends = EndOfPod(api, f"{names.OWNER}={owner}")
        self._finder = Finder(api, owner, self._ends.cache)
        self._going_on: dict[AttemptRef, int] = {}
        """{attempt that had begun and not ended: the version of what was found of it}"""
        self._max_output_bytes = max_output_bytes
        self._printed = Printed(
            api,
            self._finder,
            self._directories,
            output_seconds,
            max_output_bytes,
            self._end_chatter,
            ended,
        )
        self._objects = MarkedObjects(api, owner)
        self._patience = Patience(api, settings.patience_seconds)
        self._mirrors = Mirrors(Stores().of)
        self._preparations = Preparations(
            api,
            owner,
            settings,
            self._directories,
            self._patience,
            self._watch_preparation,
            max_package_bytes,
            objects_dir,
        )

    @property
    def machine(self) -> Machine:
        return self._machine

    @property
    def launches_at_once(self) -> int:
        return LAUNCHES_AT_ONCE

    @property
    def objects_dir(self) -> Path | None:
        return self._objects_dir

    def prepare(self, spec: PackagesSpec) -> Preparation:
        return self._preparations.prepare(spec)

    def abandon_preparation(self, job: JobRef) -> bool:
        return self._preparations.abandon(job)

    # Launching

    def launch(self, spec: AttemptSpec) -> None:
        record = self._record(spec.ref)
        if record.replicas() is not None:
            return
        replicas = spec.cluster.replicas
        try:
            directories = self._directories.make(spec, replicas)
        except OSError as error:
            if error.errno in FULL:
                raise  # The job waits until there is room, however long that takes.
            for_now = error.errno in PASSING
            raise LaunchFailed(f"a directory can't be made: {error}", for_now=for_now) from error
        except ValueError as error:  # A NUL, which no system call takes.
            raise LaunchFailed(f"a directory can't be made: {error}") from error
        told = {"CLOUD_ML_HP_METRIC_FILE": f"{HYPERTUNE}/{HYPERTUNE_FILE}"}
        env = self._directories.env(spec.ref.job) if spec.has_packages else None
        made = objects_of(spec, self._owner, self._api.namespace, self._settings, told, directories, env)
        for number, each in enumerate(made):
            try:
                if not self._create(spec.ref, each):
                    return
            except (Refused, LaunchFailed) as error:
                for earlier in made[:number]:
                    self._api.delete(kind_of(earlier), earlier["metadata"]["name"])
                for_now = isinstance(error, Refused) and error.is_for_now
                raise LaunchFailed(f"the cluster refused it: {error}", for_now=for_now) from error
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
        going_on = {ref: status for ref in refs if (status := self._goes_on(ref)) is not None}
        ended = {ref: self._record(ref).end() for ref in refs if ref not in going_on}
        found = self._find([ref for ref, end in ended.items() if end is None])
        over = {ref: end or self._status(ref, found[ref]) for ref, end in ended.items()}
        return going_on | over

    def _find(self, refs: Sequence[AttemptRef]) -> dict[AttemptRef, Found]:
        """What there is of attempts that may have ended, or never begun.

        Success is believed of what was there moments ago: nothing can follow it. Anything else, and that
        there is nothing, is asked for: Jobs and pods come by different ways, of which one may lag.
        """
        known = {ref: found[0] for ref in refs if (found := self._finder.known(ref)) is not None}
        sure = {ref: found for ref, found in known.items() if found.succeeded}
        return sure | self._finder.ask([ref for ref in refs if ref not in sure])

    def _goes_on(self, ref: AttemptRef) -> AttemptStatus | None:
        """How an attempt is that goes on, by all that is known of it; None if it may have ended."""
        if (version := self._finder.version(ref)) is not None and self._going_on.get(ref) == version:
            return AttemptStatus(AttemptPhase.RUNNING)
        self._going_on.pop(ref, None)
        if (known := self._finder.known(ref)) is None:
            return None
        found, version = known
        replicas = self._replicas(ref, found)
        if replicas is None or not all(each in found.jobs for each in replicas):
            return None
        statuses = _statuses(replicas, found)
        if any(each.phase is not AttemptPhase.RUNNING for each in statuses.values()):
            return None
        self._watch(ref)
        waiting = self._waits(ref, replicas, found)
        if waiting is None:
            if len(self._going_on) >= REMEMBERED:
                self._going_on.clear()
            self._going_on[ref] = version
        return AttemptStatus(AttemptPhase.RUNNING, waiting=waiting)

    def _status(self, ref: AttemptRef, found: Found) -> AttemptStatus:
        replicas = self._replicas(ref, found)
        if replicas is None:
            # A launch that was cut short and stopped ends with what it had begun; any other is begun again.
            ending = found.is_told and found.runs
            return AttemptStatus(AttemptPhase.RUNNING if ending else AttemptPhase.ABSENT)
        statuses = _statuses(replicas, found)
        end = attempt_status(statuses, found.is_told)
        going_on = [each for each in replicas if statuses[each].phase is AttemptPhase.RUNNING]
        if end is None:
            self._watch(ref)
            return AttemptStatus(AttemptPhase.RUNNING, waiting=self._waits(ref, going_on, found))
        if going_on:
            for replica in going_on:
                end_replica(self._api, replica, found)
            self._watch(ref)
            return AttemptStatus(AttemptPhase.RUNNING)
        if not self._printed.keep_all(ref, replicas, found):
            return AttemptStatus(AttemptPhase.RUNNING)
        self._close(ref, replicas, found, end)
        return end

    def _waits(self, ref: AttemptRef, replicas: Sequence[Replica], found: Found) -> str | None:
        """What these replicas wait for that have not begun, as `AttemptStatus.waiting`; None if all have."""
        waits: str | None = None
        for replica in replicas:
            job, pods = found.jobs.get(replica), found.pods.get(replica, [])
            if job is None:
                continue
            why = self._patience.wait(ref, replica, job, pods)
            if why is not None:
                waits = waits or why
        return waits

    def _close(self, ref: AttemptRef, replicas: Sequence[Replica], found: Found, end: AttemptStatus) -> None:
        """Record how an attempt has ended, of which nothing is needed any more: its objects may go."""
        if self._settings.volume is None:
            keep_reports(found.pods.get(PRIMARY, ()), self._directories.hypertune_file(ref))
        self._record(ref).ended(end)
        self._ends.forget(self._digest(ref))
        if len(replicas) > 1:
            self._api.delete(SERVICES, names.attempt_name(self._owner, ref))
        for replica in replicas:
            self._patience.forget(ref, replica)
        for job in found.jobs.values():
            name = job["metadata"]["name"]
            if job["spec"].get("suspend"):
                self._api.delete(JOBS, name)  # What is held back never comes to an end by itself.
            else:
                self._api.change(JOBS, name, {"spec": {"ttlSecondsAfterFinished": TTL_SECONDS}})

    # Stopping

    def stop(self, ref: AttemptRef, grace_seconds: float) -> None:
        # The grace is that of the settings that the pods were made with: nodes keep to it on their own.
        if self._record(ref).end() is not None:
            return
        if (known := self._finder.known(ref)) is not None:
            launched = self._replicas(ref, known[0])
            if launched is not None and is_ending(launched, known[0]):
                return
        found = self._finder.ask([ref])[ref]
        if not found.jobs and self._record(ref).replicas() is None:
            if self._api.create(sealed(ref, PRIMARY, self._owner)):
                return
            found = self._finder.ask([ref])[ref]
        replicas = self._replicas(ref, found, unfinished=True)
        if replicas is None:
            return
        # What is not there yet of a launch that is under way elsewhere must not come any more.
        unfinished = self._record(ref).replicas() is None
        if unfinished or attempt_status(_statuses(replicas, found), found.is_told) is None:
            annotate(self._api, found.jobs.get(PRIMARY), names.STOP)
        for replica in replicas:
            if replica in found.jobs:
                end_replica(self._api, replica, found)
            elif unfinished:
                self._api.create(sealed(ref, replica, self._owner))

    def _end_chatter(self, replica: Replica, found: Found) -> None:
        """End a replica that has printed more than it may."""
        why = (
            f"The replica {replica} printed more than {self._max_output_bytes} bytes "
            "(VERNIER_MAX_OUTPUT_BYTES) and was stopped."
        )
        exceed(self._api, replica, found, Exceeded(Limit.OUTPUT, why))

    # What was printed, and what was measured

    def last_lines(self, ref: AttemptRef, limit: int, replica: Replica = PRIMARY) -> str:
        return self._printed.end(ref, replica, limit).decode(errors="replace").replace("\0", "")

    def read_output(
        self, ref: AttemptRef, stream: Stream, offset: int, limit: int, replica: Replica = PRIMARY
    ) -> bytes:
        # The API gives both streams in one.
        return self._printed.read(ref, replica, offset, limit) if stream is Stream.OUT else b""

    def discard(self, job: JobRef, everything: bool) -> None:
        leftovers.discard(self._directories.of_job(job), everything, OF_REPLICA)

    def metric_places(self, ref: AttemptRef, job_dir: Path | Place | None) -> MetricPlaces:
        directory, hypertune_file = self._directories.of_attempt(ref), self._directories.hypertune_file(ref)
        record = self._record(ref)
        return places_of(self._mirrors, directory, hypertune_file, job_dir, lambda: record.end() is not None)

    def marked(self) -> list[Marked]:
        """All of this owner's that is on the cluster."""
        return self._objects.find(time.time())

    def remove(self, marked: Sequence[Marked]) -> None:
        """Delete what belongs to these."""
        self._objects.remove(marked)

    def close(self) -> None:
        """Stop watching; attempts go on."""
        self._ends.close()
        self._printed.close()
        self._mirrors.close()
        self._api.close()

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
        replicas = tuple(map(Replica.named, json.loads(annotations(primary)[names.REPLICAS])))
        if unfinished or all(
            each in found.jobs and names.SEALED not in annotations(found.jobs[each]) for each in replicas
        ):
            return replicas
        return None

    def _record(self, ref: AttemptRef) -> Record:
        return Record(self._directories.of_attempt(ref))

    def _watch(self, ref: AttemptRef) -> None:
        self._ends.watch(self._digest(ref), lambda: self._ended(ref.job))

    def _watch_preparation(self, job: JobRef) -> None:
        self._ends.watch(names.preparation_digest(self._owner, job), lambda: self._ended(job))

    def _digest(self, ref: AttemptRef) -> str:
        return names.attempt_digest(self._owner, ref)


def _statuses(replicas: Iterable[Replica], found: Found) -> dict[Replica, AttemptStatus]:
    return {each: replica_status(each, found.jobs.get(each), found.pods.get(each, ())) for each in replicas}
