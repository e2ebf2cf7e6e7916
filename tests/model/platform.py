"""A platform on which nothing runs, that remembers everything: what was started, what it did, how it ended.

It keeps the promises of `Launcher` (worker/launchers/protocol.py), and none beyond. What it remembers is the
truth that the database is held against. Times are those of the clock it is given, in seconds.
"""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from pathlib import Path

from store.objects.names import Place
from worker.cluster import PRIMARY, Replica
from worker.launchers.protocol import (
    AttemptPhase,
    AttemptRef,
    AttemptSpec,
    AttemptStatus,
    Exceeded,
    JobRef,
    LaunchFailed,
    Limit,
    MetricPlaces,
    PackagesSpec,
    Preparation,
    PreparationPhase,
    ReplicaEnd,
    Stream,
)
from worker.resources import Machine

GRACEFUL, KILLED = -15, -9
TRIAL_SECONDS = 2.0
"""How long anything takes once the platform is well."""


class End(StrEnum):
    """How a process comes to its end."""

    WELL = "ends with 0"
    BADLY = "ends with 1"
    BY_SIGNAL = "is killed"
    TOO_MUCH = "goes beyond a limit"
    VANISHES = "vanishes"

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


@dataclass(frozen=True, slots=True)
class Point:
    """What a process reported, once; no two have the same time."""

    step: int
    value: float
    wall_time: float


@dataclass(slots=True)
class Process:
    """One attempt that was started."""

    spec: AttemptSpec
    started: float
    stubborn: bool
    """Whether it takes no notice of being told to stop, and has to be killed."""
    points: list[Point] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    told: float | None = None
    """When it was told to stop."""
    ended: AttemptStatus | None = None

    @property
    def ref(self) -> AttemptRef:
        return self.spec.ref

    @property
    def status(self) -> AttemptStatus:
        return self.ended or AttemptStatus(AttemptPhase.RUNNING)


@dataclass(slots=True)
class Installation:
    """What `prepare` began; None in `ready` while it is under way."""

    started: float
    ready: bool | None = None
    told: bool = False


class SimulatedPlatform:
    """The platform itself. It outlives every worker."""

    objects_dir: Path | None = None
    launches_at_once = 1

    def __init__(
        self, folder: Path, cpus: int, clock: Callable[[], float], on_start: Callable[[AttemptRef], None]
    ) -> None:
        self.machine = Machine(cpus)
        self.processes: dict[AttemptRef, Process] = {}
        """All that were ever started, in that order."""
        self.refused: list[AttemptRef] = []
        self.refusals = 0
        """How many of the next launches are refused."""
        self.stubborn = False
        """Whether processes started from now on are."""
        self.well = False
        """Whether everything goes its way to a good end by itself."""
        self.endless: set[str] = set()
        """The jobs whose trials end only when they are told to, however well all is."""
        self.too_late = 0
        """How many launches came after a stop."""
        self._sealed: set[AttemptRef] = set()
        self._installations: dict[JobRef, Installation] = {}
        self._never_installed: set[JobRef] = set()
        self._folder = folder
        self._clock = clock
        self._on_start = on_start
        self._times = count()

    # What a worker may ask: the Launcher

    def prepare(self, spec: PackagesSpec) -> Preparation:
        if not spec.uris:
            return Preparation(PreparationPhase.READY)
        if spec.job in self._never_installed:
            return Preparation(PreparationPhase.UNDER_WAY)
        installation = self._installations.setdefault(spec.job, Installation(self._clock()))
        if installation.ready is None:
            return Preparation(PreparationPhase.UNDER_WAY)
        return Preparation(PreparationPhase.READY if installation.ready else PreparationPhase.FAILED, "No.")

    def abandon_preparation(self, job: JobRef) -> bool:
        installation = self._installations.get(job)
        if installation is None:
            self._never_installed.add(job)
            return True
        installation.told = True
        return installation.ready is not None

    def launch(self, spec: AttemptSpec) -> None:
        if self.refusals:
            # Before it is known whether it was started: so it is where no file can be opened any more.
            self.refusals -= 1
            self.refused.append(spec.ref)
            raise LaunchFailed("no file can be opened")
        if spec.ref in self._sealed:
            self.too_late += 1
        elif spec.ref not in self.processes:
            self.processes[spec.ref] = Process(spec, self._clock(), self.stubborn)
            self._write_metrics(self.processes[spec.ref])
            self._on_start(spec.ref)

    def observe(self, refs: Sequence[AttemptRef]) -> dict[AttemptRef, AttemptStatus]:
        absent = AttemptStatus(AttemptPhase.ABSENT)
        return {ref: self.processes[ref].status if ref in self.processes else absent for ref in refs}

    def stop(self, ref: AttemptRef, grace_seconds: float) -> None:
        process = self.processes.get(ref)
        if process is None:
            self._sealed.add(ref)
        elif process.ended is None and process.told is None:
            process.told = self._clock()
        elif process.ended is None and not 0 <= self._clock() - (process.told or 0.0) < grace_seconds:
            self._end(process, KILLED)

    def last_lines(self, ref: AttemptRef, limit: int, replica: Replica = PRIMARY) -> str:
        return "\n".join(self.processes[ref].lines[-2:])

    def read_output(
        self, ref: AttemptRef, stream: Stream, offset: int, limit: int, replica: Replica = PRIMARY
    ) -> bytes:
        if replica != PRIMARY or stream is not Stream.OUT:
            return b""
        printed = "".join(f"{line}\n" for line in self.processes[ref].lines)
        return printed.encode()[offset : offset + limit]

    def metric_places(self, ref: AttemptRef, job_dir: Path | Place | None) -> MetricPlaces:
        return MetricPlaces((), self._metric_file(ref))

    # What happens by itself

    def live(self) -> list[Process]:
        """What runs now, in the order in which it was started."""
        return [process for process in self.processes.values() if process.ended is None]

    def installing(self) -> list[JobRef]:
        """The jobs whose packages are being installed now."""
        return [job for job, each in self._installations.items() if each.ready is None]

    def installed(self, job: JobRef, ready: bool) -> None:
        """An installation comes to its end."""
        self._installations[job].ready = ready

    def report(self, process: Process, step: int, value: float) -> None:
        """A process says how good it is, and prints it."""
        point = Point(step, value, math.floor(self._clock()) + next(self._times) / 1e6)
        process.points.append(point)
        process.lines.append(f"{process.ref.name}: report {len(process.points)}, {value} at step {step}")
        self._write_metrics(process)

    def end(self, process: Process, how: End) -> None:
        """A process comes to its end."""
        if how is End.VANISHES:
            # In the middle of a report, too, of which half a line is left.
            self._write_metrics(process, '{"global_step": "1')
            process.ended = AttemptStatus(AttemptPhase.LOST, None, process.told is not None)
        elif how is End.TOO_MUCH:
            self._end(process, KILLED, exceeded=Exceeded(Limit.OUTPUT, "It printed too much."))
        else:
            self._end(process, {End.WELL: 0, End.BADLY: 1, End.BY_SIGNAL: KILLED}[how])

    def time_goes_on(self) -> None:
        """What is told to stop does so; and if all is well, what runs comes to a good end."""
        for process in self.live():
            if process.told is not None and not process.stubborn:
                self._end(process, GRACEFUL)
            elif self._is_done(process):
                self.report(process, 100, 0.5)
                self._end(process, 0)
        for installation in self._installations.values():
            if installation.ready is None and installation.told:
                installation.ready = False
            elif self.well and installation.ready is None:
                installation.ready = True

    def _end(self, process: Process, exit_code: int, exceeded: Exceeded | None = None) -> None:
        failed = (ReplicaEnd(PRIMARY, exit_code),) if exit_code else ()
        process.ended = AttemptStatus(
            AttemptPhase.ENDED, exit_code, process.told is not None, failed, exceeded
        )

    def _is_done(self, process: Process) -> bool:
        long_enough = self._clock() >= process.started + TRIAL_SECONDS
        return self.well and long_enough and process.ref.job.job_id not in self.endless

    def _metric_file(self, ref: AttemptRef) -> Path:
        return self._folder / ref.job.job_id / str(ref.trial) / str(ref.attempt)

    def _write_metrics(self, process: Process, more: str = "") -> None:
        tag = process.spec.environment.get("CLOUD_ML_HP_METRIC_TAG")
        if tag is None:
            return
        file = self._metric_file(process.ref)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(_lines(process.points, tag)) + more)


def _lines(points: Sequence[Point], tag: str) -> Iterator[str]:
    """As cloudml-hypertune writes them."""
    for point in points:
        record = {"timestamp": point.wall_time, tag: str(point.value), "global_step": str(point.step)}
        yield json.dumps(record) + "\n"
