"""Tables of what was measured."""

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.search.running import Run
from benchmarks.search.statistics import FLOOR, by_task, geometric_mean, quartiles, ratio, worse
from benchmarks.search.task import Task

COUNTS = (10, 30, 50, 100)
RANDOM = "random"


def show(runs: Sequence[Run], suite: Sequence[Task], batch: int, ours: str) -> None:
    """Print the regrets of every contestant, and ours over each other one's, on these tasks."""
    tasks = [task.name for task in suite]
    runs = [run for run in runs if run.task in tasks and run.batch == batch]
    contestants = list(dict.fromkeys(run.contestant for run in runs))
    console = Console()
    title = f"Normalised regret, batches of {batch}: geometric mean over tasks of medians (tasks x seeds)"
    table = Table(title=title)
    for heading in ("contestant", *(f"N = {n}" for n in COUNTS), "CPU ms a suggestion"):
        table.add_column(heading, justify="left" if heading == "contestant" else "right")
    for name in contestants:
        cells = [_mean(runs, name, batch, count) for count in COUNTS]
        cpu = np.median([seconds for run in runs if run.contestant == name for seconds in run.cpu])
        table.add_row(name, *cells, f"{1e3 * cpu:.1f}")
    console.print(table)
    table = Table(title=f"Regret of {ours} over that of each other, 95 % bounds")
    for heading in ("contestant", *(f"N = {n}" for n in COUNTS)):
        table.add_column(heading, justify="left" if heading == "contestant" else "right")
    for name in contestants:
        if name != ours:
            table.add_row(name, *(_ratio(runs, ours, name, batch, count) for count in COUNTS))
    console.print(table)
    if ours in contestants:
        for count in COUNTS:
            _show_worse(console, runs, suite, batch, count, ours)
    for count in COUNTS:
        _show_tasks(console, runs, tasks, contestants, batch, count)


def _show_worse(
    console: Console, runs: Sequence[Run], suite: Sequence[Task], batch: int, n: int, ours: str
) -> None:
    """Say where the median of ours is above that of random search: of the seeds run, and of all there are."""
    own, random = by_task(runs, ours, batch, n), by_task(runs, RANDOM, batch, n)
    if not own:
        return
    if random:
        console.print(f"N = {n}: {ours} is worse than {RANDOM} on", *(worse(own, random) or ["no task"]))
    medians = {task.name: max(task.random_regret(n), FLOOR) for task in suite if task.name in own}
    lost = [name for name, median in medians.items() if quartiles(own[name].values())[1] > median]
    console.print(
        f"N = {n}: {ours} is worse than {RANDOM} over all seeds there are on", *(lost or ["no task"])
    )


def _show_tasks(
    console: Console,
    runs: Sequence[Run],
    tasks: Sequence[str],
    contestants: Sequence[str],
    batch: int,
    n: int,
) -> None:
    table = Table(title=f"N = {n}: median (quartiles) by task")
    table.add_column("task")
    for name in contestants:
        table.add_column(name, justify="right")
    found = {name: by_task(runs, name, batch, n) for name in contestants}
    for task in tasks:
        cells = []
        for name in contestants:
            regrets = found[name].get(task)
            if regrets is None:
                cells.append("")
            else:
                low, middle, high = quartiles(regrets.values())
                cells.append(f"{middle:.3f} ({low:.3f}-{high:.3f})")
        if any(cells):
            table.add_row(task, *cells)
    if table.row_count:
        console.print(table)


def _mean(runs: Sequence[Run], name: str, batch: int, count: int) -> str:
    found = by_task(runs, name, batch, count)
    if not found:
        return ""
    mean = geometric_mean([quartiles(regrets.values())[1] for regrets in found.values()])
    return f"{mean:.4f} ({len(found)} x {min(map(len, found.values()))})"


def _ratio(runs: Sequence[Run], ours: str, theirs: str, batch: int, count: int) -> str:
    own, other = by_task(runs, ours, batch, count), by_task(runs, theirs, batch, count)
    found = ratio(own, other) if own and other else None
    return f"{found.value:.2f} ({found.low:.2f}-{found.high:.2f})" if found else ""
