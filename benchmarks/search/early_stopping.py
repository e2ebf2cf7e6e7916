"""What stopping trials early saves and costs, on recorded learning curves.

    python -m benchmarks.search stop RESULTS [--search DEFAULT] [--rules ...] [--tasks ...] [--seeds 5]
                                     [--kept 0.17] [--probability 0.1] [--finished 20]

Each search has its trials one after the other; each trial is judged after every epoch, and goes on until its
last one or until its rule stops it. Regret is that of the best trial that ran to its end, by its last loss:
what a stopped trial showed on the way does not count. 0 is the best such loss there is, 1 the middle one.

A stop is wrong if the trial would have ended better than all whole ones before. What stopping costs can come
of that, or of a search that knows less: so what the best trial would have left is told as well, had every one
run to its end.

`--kept` is the share of trials that go on where a rule would stop them (`tuning.stopping.audit`),
`--probability` an argument of DECAY_CURVE, and `--finished` how many trials end before any is stopped.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.search.statistics import FLOOR, Ratio, quartiles, ratio
from benchmarks.search.tables import Table as Losses
from benchmarks.search.tables import axis_of
from benchmarks.search.task import Point as Values
from tuning.space import Space
from tuning.stopping import RULES, FinishedCurves, Guards, make_stopper
from tuning.stopping.audit import is_kept
from tuning.suggest import make_suggester
from tuning.trials import FinishedTrial, Goal, Outcome, Point

CURVES = Path(__file__).parent / "learning_curves"
TUNING = ("adam-digits", "network-diabetes", "linear-cancer", "trees-diabetes")
HELD_OUT = ("momentum-digits", "network-wine", "linear-digits", "trees-cancer")
SUITES = {"tuning": TUNING, "held-out": HELD_OUT, "all": TUNING + HELD_OUT}
NONE = "none"
CHOICES = (NONE, "DEFAULT", *RULES)
COUNTS = (30, 100)


@dataclass(frozen=True)
class CurveTask:
    """A space, and the losses after each epoch at its points."""

    name: str
    space: Space
    losses: Losses

    def curve(self, values: Values) -> list[float]:
        return [float(loss) for loss in self.losses.at(values)]

    def regret(self, last: float) -> float:
        finals = self.losses.losses[..., -1]
        best = float(finals.min())
        return max(last - best, 0.0) / (float(np.median(finals)) - best)


@cache
def read(name: str) -> CurveTask:
    """The task of `learning_curves/NAME.json`."""
    document = json.loads((CURVES / f"{name}.json").read_text())
    axes = tuple(map(axis_of, document["axes"]))
    losses = np.array(document["losses"]).reshape([*(len(a.units) for a in axes), document["epochs"]])
    return CurveTask(name, Space(tuple(axis.parameter for axis in axes)), Losses(axes, losses))


@dataclass(frozen=True)
class StoppedRun:
    """One search.

    Attributes:
        regrets: after each trial, that of the best whole one so far; 1 before there is any.
        epochs: how many each trial ran, of `whole`.
        kept: the share of trials that went on where the rule would have stopped them.
        probability: what the rule was told, where it was told one.
        finished: how many trials had to end before any was stopped.
        ends: the regret that each trial alone left, or would have left at its end; none in older results.
    """

    search: str
    rule: str
    task: str
    seed: int
    regrets: list[float]
    epochs: list[int]
    whole: int
    kept: float = 0.0
    probability: float | None = None
    finished: int = Guards().min_finished
    ends: list[float] = field(default_factory=list)

    @property
    def label(self) -> str:
        """The rule and what it was told."""
        probability = "" if self.probability is None else f" {self.probability:g}"
        after = f", after {self.finished}" if self.finished != Guards().min_finished else ""
        return f"{self.rule}{probability}{after}" + (f", {self.kept:g} kept" if self.kept else "")

    @property
    def key(self) -> tuple[str, str, str, int]:
        return self.search, self.label, self.task, self.seed

    def wrong_stops(self, count: int) -> int | None:
        """How many of the first trials were stopped that would have become the best; None if not known."""
        if len(self.ends) < count:
            return None
        trials = zip(self.ends[:count], self.regrets, self.epochs, strict=False)
        return sum(end < best and ran < self.whole for end, best, ran in trials)


def run(
    search: str,
    rule: str,
    task: CurveTask,
    seed: int,
    trials: int,
    kept: float = 0.0,
    probability: float | None = None,
    min_finished: int = Guards().min_finished,
) -> StoppedRun:
    suggester = make_suggester(search, task.space, Goal.MINIMIZE, seed)
    told = {} if probability is None else {"probability": probability}
    stopper = None if rule == NONE else make_stopper(rule, Goal.MINIMIZE, Guards(min_finished), **told)
    finished, history = FinishedCurves(), []
    regrets, epochs, ends, best = [], [], [], 1.0
    for number in range(trials):
        [values] = suggester.suggest(history, [], 1)
        losses, curve = task.curve(values), []
        stop = None
        is_judged = stopper is not None and not is_kept(seed, number, kept)
        for epoch, loss in enumerate(losses, start=1):
            curve.append(Point(epoch, loss))
            if is_judged and epoch < len(losses):
                assert stopper is not None
                stop = stopper.decide(curve, finished)
                if stop is not None:
                    break
        outcome = Outcome.COMPLETED if stop is None else Outcome.STOPPED_EARLY
        finished.add(curve, completed=stop is None)
        history.append(FinishedTrial(number, values, outcome, curve[-1].value, tuple(curve)))
        if stop is None:
            best = min(best, task.regret(curve[-1].value))
        ends.append(task.regret(losses[-1]))
        regrets.append(best)
        epochs.append(len(curve))
    return StoppedRun(
        search, rule, task.name, seed, regrets, epochs, len(losses), kept, probability, min_finished, ends
    )


def read_runs(path: Path) -> list[StoppedRun]:
    return [StoppedRun(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def run_all(
    path: Path,
    search: str,
    rules: Iterable[str],
    tasks: Sequence[str],
    seeds: Iterable[int],
    trials: int,
    kept: float = 0.0,
    probability: float | None = None,
    min_finished: int = Guards().min_finished,
) -> None:
    """Add to the results file what is missing there."""
    known = {run.key for run in read_runs(path) if len(run.regrets) >= trials}
    wanted = [(rule, task, seed) for seed in seeds for task in tasks for rule in rules]
    for rule, task, seed in wanted:
        share, told = (0.0 if rule == NONE else kept), (probability if rule == "DECAY_CURVE" else None)
        after = Guards().min_finished if rule == NONE else min_finished
        asked = StoppedRun(search, rule, task, seed, [], [], 0, share, told, after)
        if asked.key not in known:
            done = run(search, rule, read(task), seed, trials, share, told, after)
            with path.open("a") as file:
                file.write(json.dumps(asdict(done)) + "\n")


def show(runs: Sequence[StoppedRun], search: str, tasks: Sequence[str]) -> None:
    """Print what each rule saved, and the regret it left beside that without any.

    "To fewer" holds it against the search that spends as many epochs on fewer, whole trials; "wrong" is how
    many stops of a search were, and "had all run" the ratio if every trial had run to its end.
    """
    runs = [run for run in runs if run.search == search and run.task in tasks]
    console = Console(width=180)
    for count in COUNTS:
        table = Table(title=f"After {count} trials: regret over that of no stopping, 95 % bounds")
        told = "regret", "ratio", "worse in", "to fewer", "wrong", "had all run"
        for heading in ("rule", "seeds", "epochs saved", *tasks, *told):
            table.add_column(heading, justify="left" if heading == "rule" else "right")
        found = {rule: _by_task(runs, rule, count) for rule in dict.fromkeys(run.label for run in runs)}
        for rule, regrets in found.items():
            if not regrets:
                continue
            own = [run for run in runs if run.label == rule and len(run.regrets) >= count]
            saved = {
                task: 1 - np.mean([np.mean(r.epochs[:count]) / r.whole for r in own if r.task == task])
                for task in regrets
            }
            medians = [quartiles(regrets[task].values())[1] for task in regrets]
            whole = found.get(NONE, {})
            against = None if rule == NONE else ratio(regrets, whole)
            wrong = [each for each in (run.wrong_stops(count) for run in own) if each is not None]
            table.add_row(
                rule,
                str(len({run.seed for run in own})),
                f"{np.mean(list(saved.values())):.0%}",
                *(f"{saved[task]:.0%}" if task in saved else "" for task in tasks),
                f"{float(np.exp(np.mean(np.log(medians)))):.4f}",
                _said(against),
                _worse(regrets, whole),
                "" if rule == NONE else _said(ratio(regrets, as_many_epochs(own, runs, count))),
                f"{np.mean(wrong):.1f}" if wrong and rule != NONE else "",
                "" if rule == NONE else _said(ratio(had_all_run(own, count), whole)),
            )
        console.print(table)


def as_many_epochs(
    stopped: Sequence[StoppedRun], runs: Sequence[StoppedRun], count: int
) -> dict[str, dict[int, float]]:
    """By task and seed, the regret of the search without stopping after as many epochs: of fewer trials."""
    whole = {(run.task, run.seed): run for run in runs if run.rule == NONE}
    table: dict[str, dict[int, float]] = {}
    for each in stopped:
        other = whole.get((each.task, each.seed))
        trials = max(round(sum(each.epochs[:count]) / each.whole), 1)
        if other is not None and len(other.regrets) >= trials:
            table.setdefault(each.task, {})[each.seed] = max(other.regrets[trials - 1], FLOOR)
    return table


def had_all_run(stopped: Iterable[StoppedRun], count: int) -> dict[str, dict[int, float]]:
    """By task and seed, the regret of a search's best trial if none of its trials had been stopped."""
    table: dict[str, dict[int, float]] = {}
    for each in stopped:
        if len(each.ends) >= count:
            table.setdefault(each.task, {})[each.seed] = max(min(each.ends[:count]), FLOOR)
    return table


def _by_task(runs: Sequence[StoppedRun], rule: str, count: int) -> dict[str, dict[int, float]]:
    table: dict[str, dict[int, float]] = {}
    for each in runs:
        if each.label == rule and len(each.regrets) >= count:
            table.setdefault(each.task, {})[each.seed] = max(each.regrets[count - 1], FLOOR)
    return table


def _said(found: Ratio | None) -> str:
    return f"{found.value:.2f} ({found.low:.2f}-{found.high:.2f})" if found else ""


def _worse(ours: dict[str, dict[int, float]], theirs: dict[str, dict[int, float]]) -> str:
    """The share of searches that ended worse than the same one without stopping."""
    pairs = [
        (value, theirs[task][seed])
        for task, values in ours.items()
        for seed, value in values.items()
        if seed in theirs.get(task, {})
    ]
    return f"{np.mean([own > other * 1.01 for own, other in pairs]):.0%}" if pairs else ""
