"""The command: see the package's docstring."""

import argparse
from pathlib import Path

from benchmarks.search import early_stopping
from benchmarks.search.contestants import CONTESTANTS
from benchmarks.search.curves import picture
from benchmarks.search.latency import FINISHED, measure
from benchmarks.search.report import show
from benchmarks.search.running import read_runs, run_all
from benchmarks.search.suite import SUITES


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run searches, and add them to a results file")
    run.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=["vernier", "random"])
    run.add_argument("--seeds", type=int, default=5, help="how many seeds (default: 5)")
    run.add_argument("--trials", type=int, default=100, help="trials of a search (default: 100)")
    run.add_argument("--jobs", type=int, default=1, help="searches at a time (default: 1)")
    report = commands.add_parser("report", help="print what a results file says")
    report.add_argument("--ours", default="vernier", help="whose regret is compared (default: vernier)")
    report.add_argument("--contestants", nargs="+", help="which to show, in this order (default: all)")
    report.add_argument("--picture", type=Path, help="write any-time curves to this SVG file")
    for command in (run, report):
        command.add_argument("results", type=Path, help="JSON lines, one search each")
        command.add_argument("--tasks", choices=SUITES, default="tuning")
        command.add_argument("--batch", type=int, default=1, help="points asked for at once (default: 1)")
    latency = commands.add_parser("latency", help="what a suggestion of ours costs as the history grows")
    ours = [name for name, contestant in CONTESTANTS.items() if contestant.module == "vernier"]
    latency.add_argument("contestant", choices=ours, nargs="?", default="vernier")
    stop = commands.add_parser("stop", help="what early stopping saves and costs, on recorded curves")
    stop.add_argument("results", type=Path, help="JSON lines, one search each; those missing are run")
    stop.add_argument("--search", default="DEFAULT", help="the algorithm (default: DEFAULT)")
    stop.add_argument("--rules", nargs="+", choices=early_stopping.CHOICES, default=early_stopping.CHOICES)
    stop.add_argument("--tasks", choices=early_stopping.SUITES, default="tuning")
    stop.add_argument("--seeds", type=int, default=5, help="how many seeds (default: 5)")
    stop.add_argument("--trials", type=int, default=100, help="trials of a search (default: 100)")
    stop.add_argument(
        "--kept", type=float, default=0.0, help="the share that goes on in any case (default: 0)"
    )
    stop.add_argument("--probability", type=float, help="of DECAY_CURVE (default: the rule's own)")
    stop.add_argument(
        "--finished", type=int, default=5, help="how many trials end before any is stopped (default: 5)"
    )
    arguments = parser.parse_args()
    if arguments.command == "stop":
        curve_tasks = early_stopping.SUITES[arguments.tasks]
        early_stopping.run_all(
            arguments.results,
            arguments.search,
            arguments.rules,
            curve_tasks,
            range(arguments.seeds),
            arguments.trials,
            arguments.kept,
            arguments.probability,
            arguments.finished,
        )
        early_stopping.show(early_stopping.read_runs(arguments.results), arguments.search, curve_tasks)
        return
    if arguments.command == "latency":
        for finished in FINISHED:
            seconds = measure(arguments.contestant, finished)
            print(f"{finished:>5} finished trials: {1e3 * seconds:.0f} ms of CPU a suggestion")
        return
    tasks = SUITES[arguments.tasks]
    if arguments.command == "run":
        run_all(
            arguments.results,
            arguments.contestants,
            tasks,
            range(arguments.seeds),
            arguments.trials,
            arguments.batch,
            arguments.jobs,
        )
    else:
        runs = read_runs(arguments.results)
        if arguments.contestants:
            order = {name: place for place, name in enumerate(arguments.contestants)}
            runs = sorted(
                (run for run in runs if run.contestant in order), key=lambda run: order[run.contestant]
            )
        show(runs, tasks, arguments.batch, arguments.ours)
        if arguments.picture:
            names = [task.name for task in tasks]
            arguments.picture.write_text(picture(runs, names, arguments.batch))


if __name__ == "__main__":
    main()
