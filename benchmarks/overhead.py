"""What a trial costs beside its own process: `python -m benchmarks.overhead [--trials 200] [--json]`.

Trials of one line each run four at a time, twice: by the embedded service (`vernier serve` as its users start
it, on a data folder of its own; jobs come in over HTTP with a staged wheel), and in a loop of bare processes
with the same interpreter, module and arguments. The two take turns, and

    added milliseconds a trial = (service - bare) / trials

in wall time. A service run counts from the job's entry into RUNNING, after its package is installed, to its
end, both as the database has them; the bare loop from its first start to its last end. Because wall time on a
busy machine is noise, the service's own CPU time a trial stands beside it (Linux only): read once a second,
when the job is polled, with straight lines between.

Whether the cost stays flat as a job grows is told by one longer job for each algorithm: the first and the
last `--trials` of its `--flat` trials, against a bare loop run just before and just after.
"""

import argparse
import json
import math
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from cli.packaging import build_package
from cli.staging import stage
from client import VernierClient
from store.database import Database
from store.jobs import find_job
from store.trials import trials_of

AT_ONCE = 4
POLL_SECONDS = 1.0
AIM_MS = 30.0
ALGORITHMS = {"default": None, "random": "RANDOM_SEARCH"}
"""Name in the tables, and the wire's `algorithm`; None leaves it out."""

TRAINER = """
import os, sys
x, y = (float(flag.split("=")[1]) for flag in sys.argv[1:3])
loss = (x - 0.3) ** 2 + (y - 0.7) ** 2
line = '{"global_step": "1", "loss": "%r", "timestamp": 1.0, "trial": "1"}\\n' % loss
open(os.environ["CLOUD_ML_HP_METRIC_FILE"], "w").write(line)
"""


@dataclass(frozen=True, slots=True)
class ServiceRun:
    """One job on the service; times in milliseconds a trial."""

    algorithm: str
    trials: int
    wall_ms: float
    first_ms: float
    """Over the first `--trials` trials to end."""
    last_ms: float
    """Over the last `--trials`."""
    cpu_ms: float
    """CPU of the service's process, its trials not counted; NaN where there is no /proc."""
    cpu_first_ms: float
    cpu_last_ms: float


@dataclass(frozen=True, slots=True)
class Added:
    """What the service added to the bare loop around it; milliseconds a trial."""

    bare_ms: float
    run: ServiceRun

    @property
    def whole(self) -> float:
        return self.run.wall_ms - self.bare_ms

    @property
    def first(self) -> float:
        return self.run.first_ms - self.bare_ms

    @property
    def last(self) -> float:
        return self.run.last_ms - self.bare_ms


class Bench:
    """A running service, and the means to run trials with it and without it."""

    def __init__(
        self, data: Path, client: VernierClient, service_pid: int, package: str, window: int
    ) -> None:
        self._data = data
        self._client = client
        self._pid = service_pid
        self._package = package
        self._window = window
        self._database = Database(f"sqlite:///{data / 'vernier.sqlite3'}")
        self._jobs = 0

    def warm_up(self) -> None:
        """One short job: imports are done, caches are warm, and an environment for the bare loop is made."""
        self.service("default", AT_ONCE)
        self.bare(AT_ONCE)

    def service(self, algorithm: str, trials: int) -> ServiceRun:
        """Run a job to its end."""
        self._jobs += 1
        job_id = f"overhead_{self._jobs}"
        self._client.create_job({"jobId": job_id, "trainingInput": self._training_input(algorithm, trials)})
        # Read each time the job is polled, whose answering is part of what the service does.
        cpu = [(time.time(), cpu_seconds(self._pid))]
        for job in self._client.follow(job_id, poll=POLL_SECONDS):  # noqa: B007  the last is used below
            cpu.append((time.time(), cpu_seconds(self._pid)))
        if job.get("state") != "SUCCEEDED":
            raise RuntimeError(f"{job_id} is {job.get('state')}: {job.get('errorMessage')}")
        with self._database.read() as session:
            row = find_job(session, "local", job_id)
            assert row is not None
            assert row.running_time is not None
            assert row.end_time is not None
            ends = sorted(trial.end_time or row.end_time for trial in trials_of(session, row))
            began, ended = row.running_time, row.end_time
        assert len(ends) == trials, f"{job_id} ran {len(ends)} trials"
        window = min(self._window, trials)
        first_ended = ends[window - 1]
        last_began = ends[-window - 1] if window < trials else began

        def cpu_ms(since: float, until: float, count: int) -> float:
            clock, seconds = [at for at, _ in cpu], [used for _, used in cpu]
            at_since, at_until = np.interp([since, until], clock, seconds)
            return 1000 * float(at_until - at_since) / count

        return ServiceRun(
            algorithm=algorithm,
            trials=trials,
            wall_ms=1000 * (ended - began) / trials,
            first_ms=1000 * (first_ended - began) / window,
            last_ms=1000 * (ended - last_began) / window,
            cpu_ms=cpu_ms(began, ended, trials),
            cpu_first_ms=cpu_ms(began, first_ended, window),
            cpu_last_ms=cpu_ms(last_began, ended, window),
        )

    def bare(self, trials: int) -> float:
        """The same processes without the service; milliseconds a trial."""
        python = self._data / "jobs" / "local" / "overhead_1" / "env" / "bin" / "python"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("VERNIER_")}
        with tempfile.TemporaryDirectory(prefix="vernier-bare-") as scratch:

            def run(number: int) -> None:
                subprocess.run(
                    [
                        python,
                        "-m",
                        "trainer.task",
                        f"--x={number / trials!r}",
                        f"--y={1 - number / trials!r}",
                    ],
                    env={
                        **kept,
                        "PYTHONUNBUFFERED": "1",
                        "CLOUD_ML_HP_METRIC_FILE": f"{scratch}/{number}.metrics",
                    },
                    cwd=scratch,
                    stdin=subprocess.DEVNULL,
                    check=True,
                )

            with ThreadPoolExecutor(AT_ONCE) as pool:
                began = time.perf_counter()
                list(pool.map(run, range(trials)))
                return 1000 * (time.perf_counter() - began) / trials

    def close(self) -> None:
        self._database.close()

    def _training_input(self, algorithm: str, trials: int) -> dict[str, Any]:
        bounds = {"type": "DOUBLE", "minValue": 0, "maxValue": 1, "scaleType": "UNIT_LINEAR_SCALE"}
        spec: dict[str, Any] = {
            "goal": "MINIMIZE",
            "hyperparameterMetricTag": "loss",
            "maxTrials": trials,
            "maxParallelTrials": AT_ONCE,
            "params": [{"parameterName": name, **bounds} for name in ("x", "y")],
        }
        if ALGORITHMS[algorithm] is not None:
            spec["algorithm"] = ALGORITHMS[algorithm]
        return {
            "scaleTier": "BASIC",
            "region": "local",
            "packageUris": [self._package],
            "pythonModule": "trainer.task",
            "hyperparameters": spec,
        }


@contextmanager
def running_bench(window: int) -> Iterator[Bench]:
    """Start `vernier serve` on a free port and a data folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="vernier-overhead-") as scratch:
        package = Path(scratch, "trainer")
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "task.py").write_text(TRAINER)
        wheels = Path(scratch, "wheels")
        wheels.mkdir()
        staged = stage(build_package(package, wheels), Path(scratch, "staging"), "overhead")
        data = Path(scratch, "data")
        with (
            Path(scratch, "service.log").open("w") as log,
            subprocess.Popen(
                [sys.executable, "-m", "cli.main", "serve", "--port", "0", "--data-dir", str(data)],
                env={**os.environ, "VERNIER_SLOTS": str(AT_ONCE)},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            ) as service,
        ):
            try:
                with VernierClient(_address(service)) as client:
                    bench = Bench(data, client, service.pid, staged, window)
                    try:
                        bench.warm_up()
                        yield bench
                    finally:
                        bench.close()
            finally:
                service.terminate()
                service.communicate()


def _address(service: subprocess.Popen[str]) -> str:
    assert service.stdout is not None
    for line in service.stdout:
        found = re.search(r"http://[\d.]+:\d+", line)
        if found:
            return found[0]
    raise RuntimeError(f"`vernier serve` ended with {service.wait()} before it told its address")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its threads so far, children not counted; NaN if not known."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return math.nan
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(bench: Bench, trials: int, rounds: int, flat: int) -> dict[str, list[Added]]:
    """{name of the measurement: what was added, once a round}."""
    results: dict[str, list[Added]] = {}
    for algorithm in ALGORITHMS:
        results[f"{algorithm} x {trials}"] = []
        if flat > trials:
            results[f"{algorithm} x {flat}"] = []
    for _ in range(rounds):
        for algorithm in ALGORITHMS:
            results[f"{algorithm} x {trials}"].append(_between(bench, algorithm, trials, trials))
    if flat > trials:
        for algorithm in ALGORITHMS:
            results[f"{algorithm} x {flat}"].append(_between(bench, algorithm, flat, trials))
    return results


def _between(bench: Bench, algorithm: str, trials: int, bare_trials: int) -> Added:
    """A job between two bare loops, so that both meet the machine in the same mood."""
    before = bench.bare(bare_trials)
    run = bench.service(algorithm, trials)
    return Added((before + bench.bare(bare_trials)) / 2, run)


def document(results: dict[str, list[Added]], window: int) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "benchmark": "overhead",
        "machine": {
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.platform(),
            "load_average": os.getloadavg()[0],
        },
        "at_once": AT_ONCE,
        "window_trials": window,
        "aim_added_ms": AIM_MS,
        "measurements": {
            name: {
                "added_ms": median(each.whole for each in added),
                "added_first_ms": median(each.first for each in added),
                "added_last_ms": median(each.last for each in added),
                "rounds": [{"bare_ms": each.bare_ms, **asdict(each.run)} for each in added],
            }
            for name, added in results.items()
        },
    }


def table(results: dict[str, list[Added]], window: int) -> Table:
    """The same for people."""
    shown = Table(
        Column("job", no_wrap=True),
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        title=f"Milliseconds a trial, {AT_ONCE} at once; aim: below {AIM_MS:g} added",
        caption=f"Medians of rounds. First, last: of its first and last {window} trials.\n"
        "CPU: of the service alone.",
    )
    for heading in ("bare", "service", "added", "first", "last", "CPU", "first", "last"):
        shown.add_column(heading, justify="right")
    for name, added in results.items():
        runs = [each.run for each in added]
        shown.add_row(
            name,
            f"{median(each.bare_ms for each in added):.1f}",
            f"{median(run.wall_ms for run in runs):.1f}",
            f"{median(each.whole for each in added):+.1f}",
            f"{median(each.first for each in added):+.1f}",
            f"{median(each.last for each in added):+.1f}",
            f"{median(run.cpu_ms for run in runs):.1f}",
            f"{median(run.cpu_first_ms for run in runs):.1f}",
            f"{median(run.cpu_last_ms for run in runs):.1f}",
        )
    return shown


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=200, help="trials of a job, and of a window")
    parser.add_argument("--flat", type=int, default=2000, help="trials of the long job; 0 leaves it out")
    parser.add_argument("--rounds", type=int, default=3, help="how often the short jobs are repeated")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    given = parser.parse_args(arguments)
    with running_bench(given.trials) as bench:
        results = measure(bench, given.trials, given.rounds, given.flat)
    if given.json:
        print(json.dumps(document(results, given.trials), indent=2))
    else:
        Console().print(table(results, given.trials))
    return 0


if __name__ == "__main__":
    sys.exit(main())
