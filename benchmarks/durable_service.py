"""What `benchmarks.durable` runs: PostgreSQL, Redis, the service's processes over them, and meters on all.

Trials are programs of one line: `VERNIER_TRIAL_PYTHON` names a shell script, which is started as Python would
be. Jobs are written into the database as the API writes them, all in one transaction, and name no package: an
environment for each job would be most of what is measured.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select, text

from benchmarks.overhead import cpu_seconds
from store.database import Database
from store.jobs import NewJob, create_job
from store.models import Attempt, Job
from store.states import FINISHED, AttemptState, State
from tests.postgres_server import PostgresServer
from tests.redis_server import RedisServer
from tests.running_cluster import WORKERS, RunningCluster
from tests.running_service import wait_until

ENDS = """#!/bin/sh
measured='{"global_step": "1", "timestamp": 1.0, "loss": "'${3#*=}'"}'
echo "$measured" >"$CLOUD_ML_HP_METRIC_FILE"
"""
SLEEPS = """#!/bin/sh
exec sleep 1000
"""
PACE = {"poll_seconds": 0.5, "sweep_seconds": 0.5}
"""The service's own; tests have other ones."""
PATIENCE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Meters:
    """What has been used up to a moment."""

    clock: float
    workers: float
    """CPU seconds of the workers' own; so below."""
    others: float
    """Of the API, the beat and Redis."""
    postgres: float
    database: float
    """Seconds that PostgreSQL's sessions were busy, waits for the disk included."""
    transactions: int
    looks: int
    """Leases taken: each is one message acted upon."""

    def since(self, before: "Meters") -> "Meters":
        return Meters(
            *(getattr(self, name) - getattr(before, name) for name in Meters.__dataclass_fields__),
        )


class Service:
    """The processes over one database, and one kind of trial."""

    def __init__(
        self, postgres: PostgresServer, redis: RedisServer, folder: Path, trial: str, slots: int
    ) -> None:
        folder.mkdir()
        self.program = folder / "trial"
        self.program.write_text(trial)
        self.program.chmod(0o755)
        self._name = postgres.create_database()
        url = postgres.url_of(self._name)
        self._redis = redis
        self._cluster = RunningCluster(
            folder / "data", url, redis.url, slots=slots, trial_python=str(self.program), **PACE
        )
        self.database = Database(url)
        self._jobs = 0

    def close(self) -> None:
        """End everything that was started, trials included."""
        self._cluster.__exit__()
        for file in self._cluster.data_dir.glob("jobs/*/*/trials/*/*/pid"):
            with suppress(ProcessLookupError, ValueError):
                os.killpg(int(file.read_text()), signal.SIGKILL)
        self.database.close()

    def wait_until_up(self) -> None:
        """All of them are there."""
        assert self._cluster.address
        for name in WORKERS:
            wait_until(lambda name=name: "looks after jobs" in self._cluster.said(name))

    def submit(self, jobs: int, trials: int, at_once: int) -> list[int]:
        """Write jobs down, all at the same moment; gives their keys."""
        search = {
            "goal": "MINIMIZE",
            "hyperparameterMetricTag": "loss",
            "maxTrials": trials,
            "maxParallelTrials": at_once,
            "params": [{"parameterName": "x", "type": "DOUBLE", "minValue": 0, "maxValue": 1}],
        }
        keys = []
        with self.database.write() as session:
            for _ in range(jobs):
                self._jobs += 1
                new = NewJob(
                    project="local",
                    job_id=f"durable_{self._jobs}",
                    training_input={"region": "local", "pythonModule": "trainer.task"},
                    hyperparameters=search,
                    labels={},
                    seed=self._jobs,
                )
                keys.append(create_job(session, new, time.time()).id)
        return keys

    def run(self, jobs: int, trials: int, at_once: int) -> float:
        """Run jobs to their end; seconds from the first's entry into RUNNING to the last's end."""
        keys = self.submit(jobs, trials, at_once)

        def ended() -> bool:
            time.sleep(0.2)  # Each look is a query, and this is no part of what is measured.
            with self.database.read() as session:
                of_these = Job.id.in_(keys)
                return session.scalar(select(func.count()).where(of_these, Job.state.in_(FINISHED))) == len(
                    keys
                )

        wait_until(ended, PATIENCE_SECONDS)
        with self.database.read() as session:
            rows = session.execute(
                select(
                    Job.state, Job.finished_trials, Job.running_time, Job.end_time, Job.error_message
                ).where(Job.id.in_(keys))
            ).all()
        for state, finished, _, _, message in rows:
            if state is not State.SUCCEEDED or finished != trials:
                raise RuntimeError(f"a job is {state} after {finished} trials: {message}")
        return max(row[3] for row in rows) - min(row[2] for row in rows)

    def wait_until_running(self, trials: int) -> None:
        """So many trials have been seen to run."""

        def seen() -> bool:
            time.sleep(0.5)
            with self.database.read() as session:
                return (
                    session.scalar(select(func.count()).where(Attempt.state == AttemptState.RUNNING))
                    == trials
                )

        wait_until(seen, PATIENCE_SECONDS)

    def meters(self) -> Meters:
        """Read all of them."""
        processes = self._cluster.processes
        with self.database.read() as session:
            active, transactions = session.execute(
                text(
                    "SELECT active_time / 1000, xact_commit + xact_rollback FROM pg_stat_database "
                    "WHERE datname = current_database()"
                )
            ).one()
            postmaster = Path(session.scalar(text("SHOW data_directory")) or "", "postmaster.pid")
            looks = session.scalar(select(func.sum(Job.lease_fence))) or 0
        redis = int(self._redis.connect().info("server")["process_id"])
        return Meters(
            clock=time.time(),
            workers=sum(cpu_seconds(processes[name].pid) for name in WORKERS),
            others=cpu_seconds(processes["api"].pid)
            + cpu_seconds(processes["beat"].pid)
            + cpu_seconds(redis),
            postgres=cpu_of_family(int(postmaster.read_text().split()[0])),
            database=active,
            transactions=transactions,
            looks=looks,
        )

    def worker_memory(self) -> list[float]:
        """Of each worker, the memory that is its own and its part of what it shares (PSS), in MB."""
        return [memory_mb(self._cluster.processes[name].pid) for name in WORKERS]


@contextmanager
def running_service(folder: Path, trial: str, slots: int) -> Iterator[Service]:
    """Start everything, on a PostgreSQL whose commits wait for the disk."""
    with PostgresServer(durable=True) as postgres, RedisServer() as redis:
        service = Service(postgres, redis, folder, trial, slots)
        try:
            yield service
        finally:
            service.close()


def cpu_of_family(pid: int) -> float:
    """CPU seconds of a process and its children, those that have ended included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ended = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    alive = [cpu for cpu in map(cpu_seconds, [pid, *map(int, children)]) if cpu == cpu]
    return ended + sum(alive)


def memory_mb(pid: int) -> float:
    """Proportional set size, in millions of bytes."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("the kernel does not tell the memory of a process")
