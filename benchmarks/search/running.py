"""Runs of a contestant on a task: ask, look up the losses, tell; again until the trials are done."""

import json
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.search.contestants import CONTESTANTS, Process
from benchmarks.search.task import Task


@dataclass(frozen=True)
class Run:
    """One search.

    Attributes:
        batch: how many points were asked for at once.
        regrets: the normalised regret of each trial, in order.
        cpu: seconds of CPU a suggestion, one for each batch: asking and the telling after it.
    """

    contestant: str
    task: str
    seed: int
    batch: int
    regrets: list[float]
    cpu: list[float]

    @property
    def key(self) -> tuple[str, str, int, int]:
        return self.contestant, self.task, self.seed, self.batch


def search(process: Process, contestant: str, task: Task, seed: int, trials: int, batch: int) -> Run:
    """Run one search to its end."""
    process.begin(task.space, seed)
    regrets: list[float] = []
    cpu: list[float] = []
    while len(regrets) < trials:
        points, asking = process.ask(min(batch, trials - len(regrets)))
        losses = [task.loss(point) for point in points]
        cpu.append((asking + process.tell(points, losses)) / len(points))
        regrets += [task.regret(loss) for loss in losses]
    return Run(contestant, task.name, seed, batch, regrets, cpu)


def read_runs(path: Path) -> list[Run]:
    """The runs of a results file, one JSON document a line; where a search was run twice, the longer one."""
    runs: dict[tuple[str, str, int, int], Run] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        run = Run(**json.loads(line))
        if run.key not in runs or len(run.regrets) > len(runs[run.key].regrets):
            runs[run.key] = run
    return list(runs.values())


def run_all(
    path: Path,
    contestants: Iterable[str],
    tasks: Sequence[Task],
    seeds: Iterable[int],
    trials: int,
    batch: int,
    jobs: int,
) -> None:
    """Add to the results file what is missing there; `jobs` searches at a time."""
    known = {run.key for run in read_runs(path) if len(run.regrets) >= trials}
    wanted = [(c, task, seed) for c in contestants for seed in seeds for task in tasks]
    left = deque((c, t, s) for c, t, s in wanted if (c, t.name, s, batch) not in known)
    for name in {contestant for contestant, _, _ in left}:
        CONTESTANTS[name].python()
    lock = threading.Lock()

    def work() -> None:
        process: Process | None = None
        at_work = ""
        try:
            while True:
                with lock:
                    if not left:
                        return
                    contestant, task, seed = left.popleft()
                if contestant != at_work:
                    if process is not None:
                        process.__exit__()
                    process, at_work = Process(CONTESTANTS[contestant]), contestant
                assert process is not None
                run = search(process, contestant, task, seed, trials, batch)
                with lock, path.open("a") as file:
                    file.write(json.dumps(asdict(run)) + "\n")
        finally:
            if process is not None:
                process.__exit__()

    threads = [threading.Thread(target=work) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
