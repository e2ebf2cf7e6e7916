"""What many jobs at once cost on PostgreSQL and Redis: `python -m benchmarks.durable [--jobs 100] [--json]`.

The service as its users start it apart: `vernier api`, two `vernier worker` and `vernier beat`, over a
PostgreSQL whose commits wait for the disk. It runs jobs of `--trials` trials each, first one after the other,
then ten and then `--jobs` at once, on a machine of four slots. Trials are shell scripts of one line. A loop
runs the same scripts, four at a time, without the service, before and after each, and

    added milliseconds a trial = (service - bare) / trials

in wall time, from the first job's entry into RUNNING to the last one's end. Because wall time on a busy
machine is noise, the CPU time of workers and of PostgreSQL stands beside it (Linux only), and the time for
which PostgreSQL's sessions were busy. Looks are leases taken, as the jobs' rows count them.

The second part has `--running` trials that sleep, of ten jobs: the memory of the workers that look after
them, and what share of a core they use.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.durable_service import ENDS, SLEEPS, Service, running_service

AT_ONCE = 4
JOBS_OF_SLEEPERS = 10
AIM_RATIO, AIM_MB = 2.0, 300.0
FLUSH_SECONDS = 10.5
"""PostgreSQL's sessions tell their times when they have been idle for ten seconds."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Jobs of one size; milliseconds are of one trial."""

    jobs: int
    """At once."""
    trials: int
    """In all."""
    bare_ms: float
    wall_ms: float
    workers_ms: float
    """CPU of both workers, the starting of trials included."""
    postgres_ms: float
    """CPU of PostgreSQL."""
    others_ms: float
    """CPU of the API, the beat and Redis."""
    database_ms: float
    """For which sessions of PostgreSQL were busy, waits for the disk included."""
    transactions: float
    looks: float
    looks_a_second: float

    @property
    def added_ms(self) -> float:
        return self.wall_ms - self.bare_ms


@dataclass(frozen=True, slots=True)
class Watch:
    """Workers that look after running trials of which nothing is new."""

    trials: int
    before_mb: list[float]
    memory_mb: list[float]
    workers_share: float
    """Of one core, both workers together; so below."""
    postgres_share: float
    looks_a_second: float
    transactions_a_second: float


def bare(program: Path, trials: int) -> float:
    """The same processes without the service; milliseconds a trial."""
    with tempfile.TemporaryDirectory(prefix="vernier-bare-") as scratch:

        def run(number: int) -> None:
            subprocess.run(
                [program, "-m", "trainer.task", f"--x={number / trials!r}"],
                env={**os.environ, "CLOUD_ML_HP_METRIC_FILE": f"{scratch}/{number}.metrics"},
                cwd=scratch,
                stdin=subprocess.DEVNULL,
                check=True,
            )

        with ThreadPoolExecutor(AT_ONCE) as pool:
            began = time.perf_counter()
            list(pool.map(run, range(trials)))
            return 1000 * (time.perf_counter() - began) / trials


def cost(service: Service, jobs: int, trials: int, repeats: int) -> Cost:
    """Run so many jobs at once, several times, each between two bare loops."""
    in_all = jobs * trials * repeats
    bare_before = bare(service.program, in_all)
    before = service.meters()
    seconds = sum(service.run(jobs, trials, AT_ONCE) for _ in range(repeats))
    used = service.meters().since(before)
    bare_after = bare(service.program, in_all)
    time.sleep(FLUSH_SECONDS)
    told = service.meters().since(before)
    return Cost(
        jobs=jobs,
        trials=in_all,
        bare_ms=(bare_before + bare_after) / 2,
        wall_ms=1000 * seconds / in_all,
        workers_ms=1000 * used.workers / in_all,
        postgres_ms=1000 * used.postgres / in_all,
        others_ms=1000 * used.others / in_all,
        database_ms=1000 * told.database / in_all,
        transactions=told.transactions / in_all,
        looks=used.looks / in_all,
        looks_a_second=used.looks / seconds,
    )


def watch(service: Service, trials: int, seconds: float) -> Watch:
    """Have so many trials run, and see what that costs for a while."""
    service.wait_until_up()
    before = service.worker_memory()
    jobs = min(JOBS_OF_SLEEPERS, trials)
    service.submit(jobs, trials // jobs, trials // jobs)
    service.wait_until_running(trials // jobs * jobs)
    began = service.meters()
    time.sleep(seconds)
    used = service.meters().since(began)
    return Watch(
        trials=trials // jobs * jobs,
        before_mb=before,
        memory_mb=service.worker_memory(),
        workers_share=used.workers / used.clock,
        postgres_share=used.postgres / used.clock,
        looks_a_second=used.looks / used.clock,
        transactions_a_second=used.transactions / used.clock,
    )


def measure(given: argparse.Namespace) -> tuple[list[list[Cost]], Watch | None]:
    """The costs, once a round, of each number of jobs; and the watch."""
    sizes = sorted({1, min(10, given.jobs), given.jobs})
    with tempfile.TemporaryDirectory(prefix="vernier-durable-") as scratch:
        with running_service(Path(scratch, "ends"), ENDS, AT_ONCE) as service:
            service.wait_until_up()
            service.run(AT_ONCE, 1, 1)  # Imports are done, and caches are warm.
            rounds = [
                # So many of the small ones, too, that a tick of the CPU's clock does not matter.
                [cost(service, jobs, given.trials, max(1, sizes[-1] // jobs // 10)) for jobs in sizes]
                for _ in range(given.rounds)
            ]
        if not given.running:
            return rounds, None
        with running_service(Path(scratch, "sleeps"), SLEEPS, given.running) as service:
            return rounds, watch(service, given.running, given.seconds)


def document(rounds: list[list[Cost]], watched: Watch | None) -> dict[str, Any]:
    """What `--json` prints."""
    sizes = list(zip(*rounds, strict=True))
    return {
        "benchmark": "durable",
        "machine": {
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.platform(),
            "load_average": os.getloadavg()[0],
        },
        "at_once": AT_ONCE,
        "aim": {"added_ratio": AIM_RATIO, "worker_mb": AIM_MB},
        "added_ratio": median(each[-1].added_ms / each[0].added_ms for each in rounds),
        "jobs": {
            costs[0].jobs: {
                "added_ms": median(each.added_ms for each in costs),
                "rounds": [{"added_ms": each.added_ms, **asdict(each)} for each in costs],
            }
            for costs in sizes
        },
        "running": None if watched is None else asdict(watched),
    }


def tables(document: dict[str, Any]) -> list[Table]:
    """The same for people."""
    costs = Table(
        box=SIMPLE_HEAD,
        title=f"Milliseconds a trial, {AT_ONCE} at once. The most jobs add {document['added_ratio']:.1f} "
        f"times what one adds; aim: at most {AIM_RATIO:g}",
        caption="Medians of rounds. CPU: of workers and PostgreSQL. Database: its sessions were busy.",
    )
    headings = (
        "jobs",
        "bare",
        "service",
        "added",
        "CPU",
        "CPU PostgreSQL",
        "database",
        "transactions",
        "looks",
    )
    for heading in (*headings, "looks/s"):
        costs.add_column(heading, justify="right")
    names = (
        "bare_ms",
        "wall_ms",
        "added_ms",
        "workers_ms",
        "postgres_ms",
        "database_ms",
        "transactions",
        "looks",
    )
    for jobs, of_size in document["jobs"].items():
        middle = {
            name: median(each[name] for each in of_size["rounds"]) for name in (*names, "looks_a_second")
        }
        costs.add_row(str(jobs), *(f"{each:.1f}" for each in middle.values()))
    shown = [costs]
    if (watched := document["running"]) is not None:
        running = Table(box=SIMPLE_HEAD, show_header=False, title=f"{watched['trials']:,} running trials")
        for name, key in (("before", "before_mb"), (f"then; aim: below {AIM_MB:g}", "memory_mb")):
            running.add_row(
                f"memory of each worker, MB, {name}", ", ".join(f"{mb:.0f}" for mb in watched[key])
            )
        for name in ("workers", "postgres"):
            running.add_row(f"share of one core, {name}", f"{watched[f'{name}_share']:.2f}")
        for name in ("looks", "transactions"):
            running.add_row(f"{name} a second", f"{watched[f'{name}_a_second']:.1f}")
        shown.append(running)
    return shown


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.durable", description=__doc__.split("\n")[0])
    parser.add_argument("--jobs", type=int, default=100, help="jobs at once, at most")
    parser.add_argument("--trials", type=int, default=20, help="trials of each")
    parser.add_argument("--rounds", type=int, default=2, help="how often it is repeated")
    parser.add_argument("--running", type=int, default=1000, help="sleeping trials; 0 leaves them out")
    parser.add_argument("--seconds", type=float, default=20.0, help="for which those are looked at")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    given = parser.parse_args(arguments)
    found = document(*measure(given))
    if given.json:
        print(json.dumps(found, indent=2))
    else:
        for table in tables(found):
            Console(width=120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
