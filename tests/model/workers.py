"""Workers that die, hang and meet trouble where they are told to.

A worker is a `Reconciler` with the real database and the simulated platform, but for a gate at each place at
which it meets one of them: there a look at a job can go on, end as by `kill -9`, sleep until it is told to go
on, or be told that the database or the platform is away.

Only one look runs at any time. One that sleeps keeps a thread of its own; whoever wakes it waits until it
sleeps again or is done. So a run depends on nothing but its plan.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from store.database import Database
from tests.model.platform import SimulatedPlatform
from worker.launchers.protocol import Launcher
from worker.pace import Pace
from worker.reconcile import Reconciler


class Fate(StrEnum):
    """What becomes of a look at a gate."""

    GOES_ON = "goes on"
    DIES = "dies"
    HANGS = "hangs"
    MEETS_TROUBLE = "meets trouble"

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


class At(StrEnum):
    """The gates."""

    READ = "before reading"
    BEGIN = "before a transaction"
    COMMIT = "before a commit"
    COMMITTED = "after a commit"
    PREPARE = "before prepare"
    PREPARED = "after prepare"
    ABANDON = "before abandon_preparation"
    ABANDONED = "after abandon_preparation"
    OBSERVE = "before observe"
    OBSERVED = "after observe"
    LAUNCH = "before launch"
    LAUNCHED = "after launch"
    STOP = "before stop"
    STOPPED = "after stop"
    READ_OUTPUT = "before read_output"
    OUTPUT_READ = "after read_output"
    METRICS = "before metric_places"
    METRICS_FOUND = "after metric_places"

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


GATES = {
    "prepare": (At.PREPARE, At.PREPARED),
    "abandon_preparation": (At.ABANDON, At.ABANDONED),
    "observe": (At.OBSERVE, At.OBSERVED),
    "launch": (At.LAUNCH, At.LAUNCHED),
    "stop": (At.STOP, At.STOPPED),
    "read_output": (At.READ_OUTPUT, At.OUTPUT_READ),
    "metric_places": (At.METRICS, At.METRICS_FOUND),
}
OF_THE_DATABASE = (At.READ, At.BEGIN, At.COMMIT, At.COMMITTED)


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a look meets its fate: at the `nth` gate of this kind, or of any, from now on, counted from 0."""

    fate: Fate = Fate.GOES_ON
    at: At | None = None
    nth: int = 0


class Killed(BaseException):
    """The worker is gone; nothing that it would have done afterwards happens."""


class DatabaseAway(OperationalError):
    """Told at the door, or after a commit of which it is then unknown whether it was one."""

    def __init__(self) -> None:
        super().__init__("the database is away", None, Exception())


class PlatformAway(Exception):
    """Told before or after it did what it was asked."""


class Look:
    """One look of a worker at a job."""

    def __init__(self, worker: "Worker", job_pk: int) -> None:
        self.worker = worker
        self.job_pk = job_pk
        self.sleeps = False
        self._cut = Cut()
        self._passed = 0
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._wake = threading.Semaphore(0)
        self._back = threading.Semaphore(0)

    def go(self, cut: Cut) -> None:
        """Begin, or wake up, and go on until it sleeps or is done.

        Raises:
            BaseException: whatever no worker survives without a word.
        """
        self._cut, self._passed = cut, 0
        if self._thread is not None:
            self._wake.release()
            self._back.acquire()
        elif cut.fate is Fate.HANGS:
            self._thread = threading.Thread(target=self._run)
            self._thread.start()
            self._back.acquire()
        else:
            self._run()
        if self._thread is not None and not self.sleeps:
            self._thread.join()
        if self._error is not None:
            raise self._error

    def pass_gate(self, at: At) -> None:
        """Called by the look itself."""
        if self.worker.dead:
            raise Killed
        fate = self._cut.fate
        if fate is Fate.GOES_ON or self._cut.at not in (None, at):
            return
        if fate is Fate.HANGS and at is At.COMMIT:
            return  # SQLite has one writer at a time: the others would wait for this one.
        self._passed += 1
        if self._passed <= self._cut.nth:
            return
        self._cut = Cut()
        self.worker.met[f"{fate} {at}"] += 1
        if fate is Fate.DIES:
            self.worker.dead = True
            raise Killed
        if fate is Fate.MEETS_TROUBLE:
            raise DatabaseAway if at in OF_THE_DATABASE else PlatformAway
        self._sleep()

    def _sleep(self) -> None:
        self.sleeps = True
        self._back.release()
        self._wake.acquire()
        self.sleeps = False
        if self.worker.dead:
            raise Killed

    def _run(self) -> None:
        self.worker.under_way.look = self
        try:
            self.worker.reconciler.reconcile(self.job_pk)
        except (Killed, DatabaseAway):
            pass  # The task that called it says so and ends.
        except BaseException as error:
            self._error = error
        finally:
            if self._thread is not None:
                self._back.release()


class Worker:
    """One process, from its start to its end."""

    def __init__(
        self,
        name: str,
        database: Database,
        platform: SimulatedPlatform,
        pace: Pace,
        clock: Callable[[], float],
        on_commit: Callable[[], None],
        met: Counter[str],
    ) -> None:
        self.name = name
        self.dead = False
        self.met = met
        self.under_way = threading.local()
        self._asleep: dict[int, Look] = {}
        self.reconciler = Reconciler(
            cast(Database, _GatedDatabase(database, self.pass_gate, on_commit)),
            cast(Launcher, _GatedPlatform(platform, self.pass_gate)),
            pace,
            name,
            clock,
        )

    @property
    def asleep(self) -> list[int]:
        """Keys of the jobs that it has fallen asleep over, longest first."""
        return list(self._asleep)

    def look(self, job_pk: int, cut: Cut) -> None:
        """Look at a job, unless it looks at it already (as `OncePerJob` in worker/tasks.py has it)."""
        if job_pk not in self._asleep:
            self._go(Look(self, job_pk), cut)

    def wake(self, job_pk: int, cut: Cut) -> None:
        """Let a look that sleeps go on."""
        self._go(self._asleep[job_pk], cut)

    def die(self) -> None:
        """End, with all looks that sleep."""
        self.dead = True
        while self._asleep:
            self.wake(next(iter(self._asleep)), Cut())

    def pass_gate(self, at: At) -> None:
        look: Look = self.under_way.look
        look.pass_gate(at)

    def _go(self, look: Look, cut: Cut) -> None:
        try:
            look.go(cut)
        finally:
            self._asleep.pop(look.job_pk, None)
            if look.sleeps:
                self._asleep[look.job_pk] = look
        if self.dead:
            self.die()


class _GatedDatabase:
    """What a reconciler uses of `Database`."""

    def __init__(self, database: Database, gate: Callable[[At], None], on_commit: Callable[[], None]) -> None:
        self._database = database
        self._gate = gate
        self._on_commit = on_commit

    @contextmanager
    def read(self) -> Iterator[Session]:
        self._gate(At.READ)
        with self._database.read() as session:
            yield session

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Session]:
        self._gate(At.BEGIN)
        with self._database.write(durable=durable) as session:
            yield session
            self._gate(At.COMMIT)
        self._on_commit()
        self._gate(At.COMMITTED)


class _GatedPlatform:
    """A launcher that passes all on."""

    def __init__(self, platform: SimulatedPlatform, gate: Callable[[At], None]) -> None:
        self._platform = platform
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._platform, name)
        if name not in GATES:
            return found
        before, after = GATES[name]

        def gated(*args: Any, **kwargs: Any) -> Any:
            self._gate(before)
            answer = found(*args, **kwargs)
            self._gate(after)
            return answer

        return gated
