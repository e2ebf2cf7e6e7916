"""What the reconciler asks of a platform, and what it is told.

Every method may be called again at any time with the same arguments, by this process or by the next one after
a crash: names are deterministic, so a second launch finds the first and leaves it alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from store.objects.names import Place
from worker.cluster import PRIMARY, Cluster, Replica, Role
from worker.resources import Machine, Share


@dataclass(frozen=True, slots=True)
class JobRef:
    """Names a job on the platform."""

    project: str
    job_id: str


@dataclass(frozen=True, slots=True)
class AttemptRef:
    """Names one attempt of one trial on the platform."""

    job: JobRef
    trial: int
    attempt: int

    @property
    def name(self) -> str:
        return f"{self.job.job_id}-{self.trial}-{self.attempt}"


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a job's Python modules are written for, where the platform has several."""

    version: str = ""
    """runtimeVersion; empty: the job names none."""
    python: str = ""
    """pythonVersion."""


@dataclass(frozen=True, slots=True)
class Container:
    """What the replicas of a role run in, where the platform has containers."""

    image: str | None = None
    """None: one of the platform's, for a Python module."""
    command: tuple[str, ...] = ()
    """Instead of the image's entry point."""
    args: tuple[str, ...] = ()
    """The whole argument list of an image, in order; none: the image's own."""
    accelerator: str = ""
    """Its type's name in the API."""
    accelerators: int = 0
    """How many of them."""
    machine: str = ""
    """Its machine type, or the job's scale tier where that says what it is."""
    disk_gb: int = 0
    """Gigabytes of disk, of 10^9 bytes; 0: any."""
    disk_type: str = ""


@dataclass(frozen=True, slots=True)
class AttemptSpec:
    """Everything a platform needs to run one attempt; knows nothing of any platform."""

    ref: AttemptRef
    module: str
    """Python module to run as `python -m`; empty where every role has an image."""
    args: tuple[str, ...]
    """Its whole argument list, in order."""
    environment: dict[str, str]
    """Variables the contract promises; the launcher adds those that depend on the platform or the replica."""
    job_dir: Path | Place | None
    """The trial's own place. A directory is made before the trial starts; another is the trial's affair."""
    has_packages: bool
    """Whether the job's own environment, made by `prepare`, is to be used."""
    cluster: Cluster = field(default_factory=Cluster)
    """Its replicas, each of which runs the same module with the same arguments."""
    share: Share = field(default_factory=lambda: Share(1))
    """What it has been given of the machine."""
    containers: Mapping[Role, Container] = field(default_factory=dict)
    """What each role runs in; a role that is not named runs in the platform's own."""
    runtime: Runtime = field(default_factory=Runtime)
    service_account: str = ""
    """Whose rights its replicas have; empty: nobody's."""
    priority: int | None = None
    """From 0 to 1000; None: the platform's own."""
    max_seconds: float | None = None
    """How long the platform is to let it run, should nobody be there to stop it; None: for ever."""


@dataclass(frozen=True, slots=True)
class PackagesSpec:
    """What a job's trials need installed."""

    job: JobRef
    uris: tuple[str, ...]
    runtime: Runtime = field(default_factory=Runtime)


class PreparationPhase(StrEnum):
    UNDER_WAY = "UNDER_WAY"
    READY = "READY"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Preparation:
    phase: PreparationPhase
    message: str = ""
    """For FAILED: what went wrong, for the job's errorMessage. For UNDER_WAY: what holds it up, if it is."""


class AttemptPhase(StrEnum):
    ABSENT = "ABSENT"
    """Never started: launching it is safe."""
    RUNNING = "RUNNING"
    ENDED = "ENDED"
    """Its exit code is known."""
    LOST = "LOST"
    """It was started and is gone, and nothing says how it ended."""


@dataclass(frozen=True, slots=True)
class ReplicaEnd:
    """How one replica ended."""

    replica: Replica
    exit_code: int
    """0 to 255, or minus the signal's number."""


class Limit(StrEnum):
    """What a trial may have so much of, and no more."""

    OUTPUT = "OUTPUT"
    DISK = "DISK"
    MEMORY = "MEMORY"
    TIME = "TIME"


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A limit that an attempt went beyond, for which the platform ended it."""

    limit: Limit
    sentence: str
    """For the trial's owner."""

    def to_json(self) -> dict[str, str]:
        return {"limit": self.limit, "sentence": self.sentence}

    @classmethod
    def from_json(cls, data: Mapping[str, str]) -> "Exceeded":
        return cls(Limit(data["limit"]), data["sentence"])


class Fault(StrEnum):
    """What a platform does to an attempt, or can't do for it."""

    EVICTED = "EVICTED"
    PREEMPTED = "PREEMPTED"
    NODE_LOST = "NODE_LOST"
    REFUSED = "REFUSED"
    """A machine of the platform would not have it, for now."""
    IMAGE = "IMAGE"
    """The image of a replica can't be had."""
    CONFIG = "CONFIG"
    """It can't be started as it is described."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What the platform itself says of the end of an attempt."""

    fault: Fault
    sentence: str
    """For the trial's owner."""

    def to_json(self) -> dict[str, str]:
        return {"fault": self.fault, "sentence": self.sentence}

    @classmethod
    def from_json(cls, data: Mapping[str, str]) -> "Cause":
        return cls(Fault(data["fault"]), data["sentence"])


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """What is known of an attempt's memory."""

    peak_bytes: int | None = None
    """The most that was seen of its replicas' processes together; None if they were too short and small."""
    oom_kills: int = 0
    """How many processes have been killed for want of memory since it began: its own, or its neighbours'."""
    total_bytes: int | None = None
    """What it could have had, with all others."""


@dataclass(frozen=True, slots=True)
class AttemptStatus:
    phase: AttemptPhase
    exit_code: int | None = None
    """For ENDED: 0 to 255, or minus the signal's number. The primary's, unless another replica failed it."""
    told_to_stop: bool = False
    """Whether `stop` reached it while it ran. If not, it ended by itself, whatever was intended since."""
    failed: tuple[ReplicaEnd, ...] = ()
    """For ENDED: the replicas that failed; none is told where there is but the primary."""
    exceeded: Exceeded | None = None
    """For ENDED: the limit that it went beyond, if that is why the platform ended it."""
    lost: Replica = PRIMARY
    """For LOST: the one that vanished, or the first of them."""
    cause: Cause | None = None
    """For LOST: what the platform says of why; None: nothing."""
    waiting: str | None = None
    """For RUNNING: what holds it up before its program can begin, in a sentence, empty if nothing does; None:
    it has begun."""
    memory: MemoryUse = field(default=MemoryUse(), compare=False)
    """For ENDED and LOST. Evidence, not state: two that differ in it are the same."""

    @property
    def failures(self) -> tuple[ReplicaEnd, ...]:
        """Every replica whose end failed the attempt; none unless it ended, and not well."""
        if self.failed or not self.exit_code:
            return self.failed
        return (ReplicaEnd(PRIMARY, self.exit_code),)


@dataclass(frozen=True, slots=True)
class Marked:
    """Something on a platform that bears our mark: an attempt, or what installs a job's packages."""

    key: str
    """The platform's own name for it."""
    job: JobRef
    ref: AttemptRef | None
    """None: it installs the job's packages."""
    age_seconds: float
    is_sealed: bool = False
    """Whether it runs nothing, and only keeps the attempt from being launched."""


class Stream(StrEnum):
    """Where an attempt prints."""

    OUT = "stdout"
    ERR = "stderr"


@dataclass(frozen=True, slots=True)
class MetricPlaces:
    """Where an attempt's metrics may appear."""

    roots: tuple[Path, ...]
    hypertune_file: Path
    problems: tuple[str, ...] = ()
    """Sentences about what could not be brought there, for the trial's log."""
    complete: bool = True
    """Whether all is there that an attempt left which has ended; of one that runs it says nothing."""


class LaunchFailed(Exception):
    """The platform could not start the attempt; the message says why.

    Attributes:
        for_now: it lacks something that it may have again.
    """

    def __init__(self, why: str, *, for_now: bool = False) -> None:
        super().__init__(why)
        self.for_now = for_now


class Launcher(Protocol):
    """A platform that runs attempts."""

    @property
    def machine(self) -> Machine:
        """What live attempts share, over all jobs."""
        ...

    @property
    def launches_at_once(self) -> int:
        """How many attempts may be launched side by side, from several threads; at least 1."""
        ...

    @property
    def objects_dir(self) -> Path | None:
        """Where trials find what is behind gs:// as files; None if gs:// is another store's."""
        ...

    def prepare(self, spec: PackagesSpec) -> Preparation:
        """Start installing the job's packages, or say how far that is.

        Raises:
            OSError: the disk is full. It can be asked again.
        """
        ...

    def abandon_preparation(self, job: JobRef) -> bool:
        """Stop installing; true once nothing of it runs."""
        ...

    def launch(self, spec: AttemptSpec) -> None:
        """Start the attempt, all replicas of it, unless it was started before.

        Raises:
            LaunchFailed: the platform refused.
            OSError: its disk is full. Nothing was started, and it can be asked again.
        """
        ...

    def observe(self, refs: Sequence[AttemptRef]) -> dict[AttemptRef, AttemptStatus]:
        """How each attempt is now. What ENDED or LOST has left no process behind.

        An attempt ends with its primary; it fails with any replica that does, and is lost with any that is.
        Replicas that are left then are stopped, and the attempt is RUNNING until they are gone.
        """
        ...

    def stop(self, ref: AttemptRef, grace_seconds: float) -> None:
        """Ask the attempt to end, and make it end once it has had `grace_seconds`. Does not wait.

        What has not been launched by then never is: a launch that comes later, from a worker that had meant
        to and slept meanwhile, does nothing.
        """
        ...

    def last_lines(self, ref: AttemptRef, limit: int, replica: Replica = PRIMARY) -> str:
        """The end of a replica's standard error, or of its output where that is empty."""
        ...

    def read_output(
        self, ref: AttemptRef, stream: Stream, offset: int, limit: int, replica: Replica = PRIMARY
    ) -> bytes:
        """What a replica has printed to a stream: at most `limit` bytes from `offset` on.

        Fewer only where it ends for now; none where there is nothing. What was read once never changes.
        """
        ...

    def discard(self, job: JobRef, everything: bool) -> None:
        """Let go of what an ended job has left that can be had again or has been read.

        Args:
            everything: also of its trials' working directories; not of their job dirs, which are the user's.
        """
        ...

    def metric_places(self, ref: AttemptRef, job_dir: Path | Place | None) -> MetricPlaces:
        """Where to look for what the attempt measures, with what is there now."""
        ...
