"""How quickly the API answers: `python -m benchmarks.api [--database postgresql] [--jobs 10000] [--json]`.

A service over `--jobs` stored jobs (100 of them with 200 trials of 100 measurements each, and one more with
2,000 trials), behind uvicorn in a process of its own; this process is its clients. Beside it, in a process of
its own too, stands the peer: bare FastAPI routes that send the same bytes, or keep the same body in one
durable INSERT. Each kind of request is measured on both in turns, and

    ratio = the service's requests a second / the peer's

with one client that asks again as soon as it is answered, and with `--clients`. Medians of `--rounds`.

The mix comes on its own clock: requests at random moments (Poisson), `--rate` a second for `--seconds`,
whether or not earlier ones have been answered. A latency counts from the moment at which the request was due,
so that a stall is charged to all who met it.

A third service holds 100 jobs, for what a list costs when there are few.
"""

import argparse
import contextlib
import http.client
import json
import math
import os
import platform
import queue
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.api_rows import add_plain_jobs, add_tuning_jobs, body, note_statistics
from store.database import Database
from tests.postgres_server import PostgresServer
from tests.running_service import wait_until

TUNING_JOBS, TRIALS, POINTS, MANY_TRIALS = 100, 200, 100, 2000
FEW_JOBS = 100
MIX = {"get plain": 0.5, "get 200 trials": 0.1, "list 20 plain": 0.15, "list 20 tuning": 0.05, "post": 0.2}
"""Kinds of requests of the mix, and the share of each."""
LARGE = {"get 2,000 trials", "list 20 tuning", "list 100 tuning"}
"""Asked for by one client only: they measure how long one takes."""
CLIENTS_AT_MOST = 100


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent; a body makes it a POST."""

    path: str
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Timed:
    """One kind of request, closed loop; milliseconds."""

    per_second: float
    p50: float
    p99: float


class Connection:
    """A client that keeps its connection; httpx would take longer than what it measures."""

    def __init__(self, address: str) -> None:
        self._http = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)

    def ask(self, request: Request) -> bytes:
        """The bytes of the answer, which must be a good one."""
        headers = {} if request.body is None else {"Content-Type": "application/json"}
        self._http.request("GET" if request.body is None else "POST", request.path, request.body, headers)
        response = self._http.getresponse()
        content = response.read()
        if response.status != 200:
            raise RuntimeError(f"{request.path}: {response.status} {content[:500]!r}")
        return content

    def close(self) -> None:
        self._http.close()


def closed_loop(address: str, make: Callable[[], Request], clients: int, seconds: float) -> Timed:
    """Ask for `seconds`, each client again as soon as it is answered."""
    until = time.perf_counter() + seconds

    def run(_: int) -> list[float]:
        with contextlib.closing(Connection(address)) as connection:
            taken = []
            while (began := time.perf_counter()) < until:
                connection.ask(make())
                taken.append(1000 * (time.perf_counter() - began))
            return taken

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        taken = [each for all_of_one in pool.map(run, range(clients)) for each in all_of_one]
    return Timed(len(taken) / (time.perf_counter() - began), percentile(taken, 50), percentile(taken, 99))


def open_loop(
    address: str, kinds: dict[str, Callable[[], Request]], rate: float, seconds: float, seed: int
) -> dict[str, list[float]]:
    """{kind: latencies in milliseconds, from the moment a request was due}."""
    moments = random.Random(seed)
    due: list[tuple[float, str]] = []
    at = 0.0
    while (at := at + moments.expovariate(rate)) < seconds:
        due.append((at, moments.choices(list(MIX), list(MIX.values()))[0]))
    taken: dict[str, list[float]] = {kind: [] for kind in MIX}
    waiting: queue.SimpleQueue[tuple[float, str] | None] = queue.SimpleQueue()
    idle = threading.Semaphore(0)
    began = time.perf_counter() + 0.1

    def run() -> None:
        with contextlib.closing(Connection(address)) as connection:
            while True:
                idle.release()
                if (next_ := waiting.get()) is None:
                    return
                moment, kind = next_
                connection.ask(kinds[kind]())
                taken[kind].append(1000 * (time.perf_counter() - began - moment))

    with ThreadPoolExecutor(CLIENTS_AT_MOST) as pool:
        futures = []
        for moment, kind in due:
            time.sleep(max(0.0, began + moment - time.perf_counter()))
            # A new client only when all are busy: who comes must never wait for another's answer.
            if not idle.acquire(blocking=False):
                futures.append(pool.submit(run))
                idle.acquire()
            waiting.put((moment, kind))
        for _ in futures:
            waiting.put(None)
        for future in futures:
            future.result()
    return taken


def percentile(values: Sequence[float], rank: float) -> float:
    """The value that `rank` percent of them do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * rank / 100) - 1)]


class Service:
    """A server of benchmarks/api_server.py; `address` answers when it is entered."""

    def __init__(self, url: str, *arguments: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "benchmarks.api_server", url, str(port), *arguments]
        self.process = subprocess.Popen(command)

    def __enter__(self) -> "Service":
        def answers() -> bool:
            assert self.process.poll() is None, "the server ended"
            try:
                socket.create_connection(("127.0.0.1", urlsplit(self.address).port or 0)).close()
            except ConnectionRefusedError:
                return False
            return True

        try:
            wait_until(answers)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)

    def memory_mb(self, field: str) -> float:
        """`VmRSS` now or `VmHWM` at most so far, in MB; NaN where there is no /proc."""
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
                if line.startswith(field):
                    return int(line.split()[1]) / 1024
        return math.nan


@contextlib.contextmanager
def databases(kind: str, folder: Path) -> Iterator[Callable[[], str]]:
    """A function that makes an empty database with all tables, and gives its URL."""

    def migrated(url: str) -> str:
        database = Database(url)
        database.upgrade()
        database.close()
        return url

    if kind == "sqlite":
        names = (f"sqlite:///{folder / name}.sqlite3" for name in ("many", "few", "peer"))
        yield lambda: migrated(next(names))
    else:
        with PostgresServer(durable=True) as server:
            yield lambda: migrated(server.url_of(server.create_database()))


def fill(url: str, jobs: int, tuning_jobs: int) -> None:
    """Store what the lists and gets ask for."""
    database = Database(url)
    add_tuning_jobs(database, "tuning", tuning_jobs, TRIALS, POINTS)
    if tuning_jobs:
        add_tuning_jobs(database, "long", 1, MANY_TRIALS, POINTS)
    add_plain_jobs(database, "plain", jobs - tuning_jobs)
    note_statistics(database)
    database.close()


def makers(plain_jobs: Sequence[str]) -> dict[str, Callable[[], Request]]:
    """{kind: a function that makes a request of it}."""
    choose = random.Random(1)
    numbers = iter(range(10**9))

    def fixed(path: str) -> Callable[[], Request]:
        return lambda: Request(path)

    def post() -> Request:
        number = next(numbers)
        return Request(
            "/v1/projects/posted/jobs", json.dumps(body(f"job_{number}", number % 2 == 0)).encode()
        )

    return {
        "post": post,
        "get plain": lambda: Request(f"/v1/projects/plain/jobs/{choose.choice(plain_jobs)}"),
        "get 200 trials": lambda: Request(f"/v1/projects/tuning/jobs/tuned_{choose.randint(1, TUNING_JOBS)}"),
        "get 2,000 trials": fixed("/v1/projects/long/jobs/tuned_1"),
        "list 20 plain": fixed("/v1/projects/plain/jobs"),
        "list 100 plain": fixed("/v1/projects/plain/jobs?pageSize=100"),
        "list 20 tuning": fixed("/v1/projects/tuning/jobs"),
        "list 100 tuning": fixed("/v1/projects/tuning/jobs?pageSize=100"),
    }


def names_of(address: str) -> list[str]:
    """Names of the newest 1,000 plain jobs."""
    names: list[str] = []
    token = ""
    with contextlib.closing(Connection(address)) as connection:
        while len(names) < 1000:
            page = json.loads(
                connection.ask(Request(f"/v1/projects/plain/jobs?pageSize=100&pageToken={token}"))
            )
            names += [job["jobId"] for job in page["jobs"]]
            token = page.get("nextPageToken", "")
            if not token:
                break
    return names


def run(given: argparse.Namespace) -> dict[str, Any]:
    """All measurements, as the JSON document."""
    with tempfile.TemporaryDirectory(prefix="vernier-api-") as folder, contextlib.ExitStack() as stack:
        new_database = stack.enter_context(databases(given.database, Path(folder)))
        many, few, bare = new_database(), new_database(), new_database()
        say(f"storing {given.jobs} jobs …")
        began = time.perf_counter()
        fill(many, given.jobs, TUNING_JOBS)
        fill(few, FEW_JOBS, 0)
        say(f"stored in {time.perf_counter() - began:.0f} s")
        service = stack.enter_context(Service(many))
        small = stack.enter_context(Service(few))
        kinds = makers(names_of(service.address))
        answers = {}
        with contextlib.closing(Connection(service.address)) as connection:
            for kind, make in kinds.items():
                answers[kind] = connection.ask(make()).decode()
        held = Path(folder, "answers.json")
        held.write_text(json.dumps({kind.replace(" ", "_"): answer for kind, answer in answers.items()}))
        peer = stack.enter_context(Service(bare, str(held)))

        def bare_request(kind: str) -> Callable[[], Request]:
            if kind == "post":
                return lambda: Request("/rows", kinds["post"]().body)
            return lambda: Request(f"/bytes/{kind.replace(' ', '_')}")

        measured: dict[str, Any] = {}
        for clients in (1, given.clients):
            for kind, make in kinds.items():
                if clients > 1 and kind in LARGE:
                    continue
                say(f"{kind}, {clients} clients")
                ours, theirs = [], []
                for _ in range(given.rounds):
                    ours.append(closed_loop(service.address, make, clients, given.slice))
                    theirs.append(closed_loop(peer.address, bare_request(kind), clients, given.slice))
                measured[f"{kind}, {clients} clients"] = summary(ours, theirs, len(answers[kind]))
        say("lists of 100 when few are stored")
        lists = [
            [closed_loop(each.address, kinds["list 100 plain"], 1, given.slice) for each in (small, service)]
            for _ in range(given.rounds)
        ]
        say(f"the mix, {given.rate} a second")
        mixes = []
        for round_ in range(given.rounds):
            mix = open_loop(service.address, kinds, given.rate, given.seconds, round_)
            everything = [value for values in mix.values() for value in values]
            mixes.append(
                {
                    name: {"p50": percentile(values, 50), "p99": percentile(values, 99), "max": max(values)}
                    for name, values in {"all": everything, **mix}.items()
                    if values
                }
            )
        before = service.memory_mb("VmRSS")
        closed_loop(service.address, kinds["list 100 tuning"], 1, given.slice)
        return {
            "benchmark": "api",
            "database": given.database,
            "jobs": given.jobs,
            "machine": {
                "cpus": os.cpu_count(),
                "python": platform.python_version(),
                "system": platform.platform(),
                "load_average": os.getloadavg()[0],
            },
            "closed_loop": measured,
            "list_100": {
                "few_ms": [pair[0].p50 for pair in lists],
                "many_ms": [pair[1].p50 for pair in lists],
            },
            "mix": {"rate": given.rate, "seconds": given.seconds, "rounds": mixes},
            "memory_mb": {"before": before, "most": service.memory_mb("VmHWM")},
        }


def summary(ours: Sequence[Timed], theirs: Sequence[Timed], size: int) -> dict[str, Any]:
    """Medians over rounds; the spread is of the ratio."""
    ratios = [mine.per_second / bare.per_second for mine, bare in zip(ours, theirs, strict=True)]
    return {
        "bytes": size,
        "per_second": median(each.per_second for each in ours),
        "p50_ms": median(each.p50 for each in ours),
        "p99_ms": median(each.p99 for each in ours),
        "p50_best_ms": min(each.p50 for each in ours),
        "p50_worst_ms": max(each.p50 for each in ours),
        "peer_per_second": median(each.per_second for each in theirs),
        "peer_p50_ms": median(each.p50 for each in theirs),
        "ratio": median(ratios),
        "ratio_worst": min(ratios),
        "ratio_best": max(ratios),
    }


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def tables(document: dict[str, Any]) -> Iterator[Table]:
    """The same for people."""
    closed = Table(box=SIMPLE_HEAD, title=f"{document['database']}, {document['jobs']} jobs stored")
    for heading in ("request", "bytes", "a second", "p50 ms", "p99 ms", "peer a second", "ratio"):
        closed.add_column(heading, justify="left" if heading == "request" else "right")
    for kind, row in document["closed_loop"].items():
        closed.add_row(
            kind,
            f"{row['bytes']:,}",
            f"{row['per_second']:,.0f}",
            f"{row['p50_ms']:.1f} ({row['p50_best_ms']:.1f} to {row['p50_worst_ms']:.1f})",
            f"{row['p99_ms']:.1f}",
            f"{row['peer_per_second']:,.0f}",
            f"{row['ratio']:.2f} ({row['ratio_worst']:.2f} to {row['ratio_best']:.2f})",
        )
    yield closed
    mix = Table(
        box=SIMPLE_HEAD, title=f"The mix at {document['mix']['rate']:g} a second, rounds; milliseconds"
    )
    for heading in ("request", "p50", "p99", "longest"):
        mix.add_column(heading, justify="left" if heading == "request" else "right")
    for kind in ("all", *MIX):
        rounds = [each[kind] for each in document["mix"]["rounds"] if kind in each]
        mix.add_row(
            kind, *("  ".join(f"{each[key]:.1f}" for each in rounds) for key in ("p50", "p99", "max"))
        )
    yield mix
    rest = Table(box=SIMPLE_HEAD, show_header=False)
    for name in ("few", "many"):
        stored = FEW_JOBS if name == "few" else document["jobs"]
        times = "  ".join(f"{each:.1f}" for each in document["list_100"][f"{name}_ms"])
        rest.add_row(f"list of 100, {stored} stored, p50 ms", times)
    memory = document["memory_mb"]
    rest.add_row("memory before lists of 100 tuning jobs, MB", f"{memory['before']:.0f}")
    rest.add_row("most memory so far, MB", f"{memory['most']:.0f}")
    yield rest


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.api", description=__doc__.split("\n")[0])
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--jobs", type=int, default=10_000, help="jobs stored, 100 tuning jobs among them")
    parser.add_argument("--clients", type=int, default=8, help="how many ask at once")
    parser.add_argument("--slice", type=float, default=2.0, help="seconds a measurement of one kind")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each kind")
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second of the mix")
    parser.add_argument("--seconds", type=float, default=20.0, help="of the mix, each round")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    given = parser.parse_args(arguments)
    document = run(given)
    if given.json:
        print(json.dumps(document, indent=2))
    else:
        for table in tables(document):
            Console(width=120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
