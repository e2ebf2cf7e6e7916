"""One run: jobs, workers, a platform, a database and the clocks, and what a plan has happen to them.

    run([Submit("plain"), Look(0, 0), Look(0, 0), Ends(0, End.WELL)])

A run has two parts. In the first the plan is followed. In the second nothing fails any more: a new worker
looks at what is due, as the sweep has it, until every job has ended, which must come in time (G4).
Workers that hang do so until then; only after that do they go on, and must not change a thing.
"""

import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import structlog
from sqlalchemy import event

import worker.study
from api_schemas.hyperparameters import HyperparameterSpec
from store.database import Database
from store.jobs import NewJob, create_job, due_jobs, release_leases, request_cancel
from store.models import Base, Job
from store.states import FINISHED
from tests.model.decisions import replay
from tests.model.plan import (
    KINDS,
    LEASE_SECONDS,
    OFF_BY,
    WORKERS,
    Cancel,
    Ends,
    Event,
    Installed,
    Look,
    Plan,
    Platform,
    Report,
    Restart,
    SetClock,
    Submit,
    Wait,
    Wake,
)
from tests.model.platform import SimulatedPlatform
from tests.model.watch import PROJECT, Broken, Promise, Watch
from tests.model.workers import Cut, DatabaseAway, PlatformAway, Worker
from tests.stored_rows import NOW, empty_database
from tuning.stopping.protocol import StopDecision
from tuning.trials import Point
from worker.pace import Pace

PACE = Pace(
    poll_seconds=1.0,
    lease_seconds=LEASE_SECONDS,
    stop_grace_seconds=5.0,
    trouble_seconds=5.0,
    max_lost_attempts=2,
    retry_backoff_seconds=3.0,
)
SLOTS = 3
TRIAL_AT_MOST_SECONDS = 10.0
"""What a trial may cost when all is well: its start, its end, and looks."""
SETTLED_SECONDS = (
    PACE.farthest_seconds
    + 2 * OFF_BY
    + PACE.trouble_seconds
    + PACE.stop_grace_seconds
    + sum(PACE.retries.seconds_after(attempt) for attempt in range(1, PACE.max_lost_attempts + 1))
)
"""Until whatever a fault has left behind is noticed, or no longer stands in the way."""
MOST_JOBS = 5


class Found(AssertionError):
    """A run that broke a guarantee."""


def run(plan: Plan) -> Counter[str]:
    """Follow a plan to its end; gives what the run has met, and how often.

    Raises:
        Found: a guarantee was broken; the message has the plan.
    """
    database, file, clock = _database()
    with database.engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())
    with tempfile.TemporaryDirectory(dir=file.parent) as folder, _quiet() as met:
        world = World(database, file, Path(folder), clock, met)
        try:
            world.follow(plan)
        except Broken as broken:
            told = "".join(f"\n    {each!r}," for each in plan)
            raise Found(f"{broken}\nrun([{told}\n])") from broken
        finally:
            world.close()
    return met


@dataclass(slots=True)
class Clock:
    """The time that it really is, and how far the database's clock is off."""

    now: float = NOW
    database_off_by: float = 0.0


class World:
    """Everything there is in one run."""

    def __init__(self, database: Database, file: Path, folder: Path, clock: Clock, met: Counter[str]) -> None:
        self._database = database
        self._clock = clock
        self._met = met
        clock.now, clock.database_off_by = NOW, 0.0
        self._platform = SimulatedPlatform(folder, SLOTS, lambda: clock.now, lambda ref: self._watch.look())
        self._watch = Watch(file, self._platform)
        self._jobs: list[int] = []
        self._off_by = [0.0] * WORKERS
        self._workers = [self._new_worker(place, f"worker{place}") for place in range(WORKERS)]
        self._restarts = 0

    def follow(self, plan: Plan) -> None:
        """Raises: Broken."""
        for event_ in plan:
            self._happens(event_)
            self._watch.look()
        self._settle()
        self._late_comers()
        self._watch.look_at_the_end()
        with self._database.read() as session:
            for key in self._jobs:
                job = session.get_one(Job, key)
                self._met[f"job {job.state}"] += 1
                if job.hyperparameters is not None:
                    self._met["decision replayed"] += replay(session, job)
        self._met["launch after stop"] += self._platform.too_late
        self._met["launch refused"] += len(self._platform.refused)

    def close(self) -> None:
        for each in self._workers:
            each.die()
        self._watch.close()

    # What a plan says

    def _happens(self, event_: Event) -> None:
        match event_:
            case Submit(kind):
                self._submit(kind)
            case Look(place, job, cut):
                if self._jobs:
                    self._look(place % WORKERS, self._jobs[job % len(self._jobs)], cut)
            case Wake(place, cut):
                asleep = self._workers[place % WORKERS].asleep
                if asleep:
                    self._workers[place % WORKERS].wake(asleep[0], cut)
                    self._replace_the_dead()
            case Restart(place):
                self._workers[place % WORKERS].die()
                self._replace_the_dead()
            case Cancel(job):
                if self._jobs:
                    self._cancel(self._jobs[job % len(self._jobs)])
            case Report(process, step, value):
                for live in _one_of(self._platform.live(), process):
                    self._platform.report(live, step, value)
            case Ends(process, how):
                for live in _one_of(self._platform.live(), process):
                    self._platform.end(live, how)
            case Installed(ready):
                for job_ref in self._platform.installing()[:1]:
                    self._platform.installed(job_ref, ready)
            case Platform(refusals, stubborn):
                self._platform.refusals, self._platform.stubborn = refusals, stubborn
            case Wait(seconds):
                self._clock.now += seconds
                self._platform.time_goes_on()
            case SetClock(whose, off_by):
                if whose % (WORKERS + 1) == WORKERS:
                    self._clock.database_off_by = off_by
                else:
                    self._off_by[whose % (WORKERS + 1)] = off_by

    def _submit(self, kind_name: str) -> None:
        if len(self._jobs) >= MOST_JOBS:
            return
        kind = KINDS[kind_name]
        training = {"pythonModule": "trainer.task", **kind.training}
        if kind.tuning is not None:
            training["hyperparameters"] = kind.tuning
        name = f"job{len(self._jobs)}"
        with self._database.write() as session:
            previous = None
            if kind.resumes:
                earlier = [session.get_one(Job, key) for key in self._jobs]
                ended = [job for job in earlier if job.hyperparameters and job.state in FINISHED]
                previous = ended[-1] if ended else None
            tuning = None if kind.tuning is None else dict(kind.tuning)
            if tuning is not None and previous is not None and previous.hyperparameters is not None:
                tuning |= {each: previous.hyperparameters[each] for each in ("params", "algorithm")}
            previous_id = None if previous is None else previous.id
            new = NewJob(PROJECT, name, training, tuning, {}, 7 + len(self._jobs), previous_id)
            key = create_job(session, new, self._clock.now).id
            self._watch.promises[key] = _promise(tuning)
            self._jobs.append(key)

    def _cancel(self, job_pk: int) -> None:
        with self._database.write() as session:
            job = session.get_one(Job, job_pk)
            self._met["cancel"] += request_cancel(job, "Cancelled by its owner.", self._clock.now)

    # Workers

    def _look(self, place: int, job_pk: int, cut: Cut) -> None:
        self._workers[place].look(job_pk, cut)
        self._replace_the_dead()

    def _new_worker(self, place: int, name: str) -> Worker:
        return self._worker(name, lambda: self._clock.now + self._off_by[place])

    def _worker(self, name: str, clock: Callable[[], float]) -> Worker:
        return Worker(name, self._database, self._platform, PACE, clock, self._watch.look, self._met)

    def _replace_the_dead(self) -> None:
        for place, each in enumerate(self._workers):
            if not each.dead:
                continue
            self._restarts += 1
            name = each.name
            if self._restarts % 2:
                # It comes back under its own name, and knows that whoever bore it is gone.
                with self._database.write() as session:
                    release_leases(session, name)
            else:
                name = f"worker{place}.{self._restarts}"
            self._workers[place] = self._new_worker(place, name)

    # The end

    def _settle(self) -> None:
        """Nothing fails any more; all jobs must end."""
        self._platform.well, self._platform.refusals, self._platform.stubborn = True, 0, False
        self._clock.database_off_by = 0.0
        last = self._worker("last", lambda: self._clock.now)
        began = self._clock.now
        trials = sum(self._watch.promises[key].max_trials for key in self._jobs)
        deadline = began + SETTLED_SECONDS + trials * TRIAL_AT_MOST_SECONDS
        while self._unfinished():
            self._platform.endless = {job["job_id"] for job in self._unfinished() if job["verdict"]}
            self._platform.time_goes_on()
            with self._database.read() as session:
                due = due_jobs(session, 200, PACE.farthest_seconds)
            for job_pk in due:
                last.look(job_pk, Cut())
            self._clock.now = self._clock.now + 1.0 if due else self._next_moment()
            if self._clock.now > deadline:
                states = ", ".join(f"{job['job_id']} {job['state']}" for job in self._unfinished())
                raise Broken(f"G4: {self._clock.now - began:g} s after all was well: {states}")

    def _unfinished(self) -> list[dict[str, Any]]:
        return [job for job in self._watch.seen.jobs.values() if job["state"] not in FINISHED]

    def _next_moment(self) -> float:
        """When the next job is due."""
        due: list[float] = [
            max(job["next_check_at"], job["lease_expires_at"] or 0.0) for job in self._unfinished()
        ]
        return max(self._clock.now + 1.0, min(due, default=0.0))

    def _late_comers(self) -> None:
        for each in self._workers:
            while each.asleep:
                each.wake(each.asleep[0], Cut())
                self._met["late comer"] += 1
                self._watch.look()


class _GivesUpTheNegative:
    """A stopping rule that has much to do: a trial whose last value is below zero is stopped."""

    def decide(
        self, running: Sequence[Point], finished: object, beside: object, *, seconds: float
    ) -> StopDecision | None:
        last = running[-1] if running else None
        return None if last is None or last.value >= 0 else StopDecision("model", last.step, last.value, 0, 1)


def _stopper_of(spec: HyperparameterSpec) -> _GivesUpTheNegative | None:
    return _GivesUpTheNegative() if spec.enable_trial_early_stopping else None


@contextmanager
def _quiet() -> Iterator[Counter[str]]:
    """No log, but a count of what it would have had; and an eager stopping rule.

    A look that fails is reported there and nowhere else. It may only do so where the plan had it.
    """
    met: Counter[str] = Counter()

    def count(logger: object, method: str, entry: MutableMapping[str, Any]) -> str:
        met[entry["event"]] += 1
        error = sys.exc_info()[1]
        if entry["event"] == "look at a job failed" and not isinstance(error, DatabaseAway | PlatformAway):
            raise Broken(f"a look failed: {error!r}") from error
        raise structlog.DropEvent

    with ExitStack() as stack:
        stack.enter_context(patch.object(worker.study, "stopper_of", _stopper_of))
        # Loggers of their own for as long as this lasts: one that is used keeps what it was told then.
        for name, module in list(sys.modules.items()):
            if name.startswith("worker.") and hasattr(module, "log"):
                logger = structlog.wrap_logger(None, processors=[count], cache_logger_on_first_use=False)
                stack.enter_context(patch.object(module, "log", logger))
        yield met


@cache
def _database() -> tuple[Database, Path, Clock]:
    """One for all runs, emptied before each; in memory where there is such a place."""
    memory = Path("/dev/shm")
    parent = tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)
    folder = Path(parent.name)
    clock = Clock()
    database = empty_database(folder)
    event.listen(database.engine, "connect", lambda connection, _: _set_clock(connection, clock))
    _kept.append(parent)
    return database, folder / "test.sqlite3", clock


_kept: list[tempfile.TemporaryDirectory[str]] = []


def _set_clock(connection: sqlite3.Connection, clock: Clock) -> None:
    # What store/clock.py asks SQLite for the time with.
    connection.create_function(
        "julianday", 1, lambda _: (clock.now + clock.database_off_by) / 86400.0 + 2440587.5
    )


def _promise(tuning: dict[str, Any] | None) -> Promise:
    if tuning is None:
        return Promise(False, 1, 1, None)
    spec = HyperparameterSpec.model_validate(tuning)
    grid = tuning["algorithm"] == "GRID_SEARCH"
    points = 2 if grid else None
    return Promise(True, spec.effective_max_trials, spec.effective_max_parallel_trials, points)


def _one_of(live: Sequence[Any], number: int) -> Sequence[Any]:
    return [live[number % len(live)]] if live else []
