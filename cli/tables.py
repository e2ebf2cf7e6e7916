"""A job for the reader at a terminal: its times, the best trial, and all trials best first."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from cli import cells
from cli.job_view import STOPPED_EARLY, JobView, TrialView, local_time

MAX_REASONS = 5  # trials below the table of which it is told why they failed or have no objective
MAX_PARAMETER_COLUMNS = 8  # with more, they share one column
UNLIMITED = 10_000  # columns, to measure how wide a table would like to be

STYLES = {
    "RUNNING": "cyan",
    "SUCCEEDED": "green",
    "FAILED": "red",
    "CANCELLING": "yellow",
    "CANCELLED": "yellow",
    STOPPED_EARLY: "magenta",
}


def state_text(label: str) -> Text:
    """The state in its colour."""
    return Text(label, STYLES.get(label, "dim"))


def parameters_text(job: JobView, trial: TrialView) -> Text:
    """The trial's hyperparameters in one line, in the order of the search space."""
    pairs = [
        Text.assemble((f"{name}=", "dim"), cells.hyperparameter(trial.hyperparameters[name]))
        for name in job.parameters
        if name in trial.hyperparameters
    ]
    return Text("  ").join(pairs)


def best_text(job: JobView) -> Text:
    """The best trial so far, its objective and its hyperparameters."""
    best = job.best
    if best is None:
        none = f"no trial has a final {job.metric_tag}{'' if job.ended else ' yet'}"
        only_failed = f"only trials that failed have a final {job.metric_tag}"
        said = Text(only_failed if job.only_failed_have_objective else none, "dim")
        return said.append(f". {job.why_no_best}", "yellow") if job.why_no_best else said
    value = (cells.objective(best.objective), "bold green")
    where = f" at step {best.step}, trial {best.trial_id}   "
    return Text.assemble(value, f" {job.metric_tag}", where, parameters_text(job, best))


@dataclass(frozen=True)
class TrialsTable:
    """The trials in the service's order: TRIAL, STATE, OBJECTIVE, STEP and the hyperparameters.

    Each hyperparameter has a column as long as all of them fit, if need be under a name in several lines.
    """

    job: JobView

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        names = self.job.parameters
        if len(names) <= MAX_PARAMETER_COLUMNS:
            folded = [re.sub(r"(?<=[-_])(?=.)", "\n", name) for name in names]
            for headers in (names, folded):
                table = self._table([Text(header) for header in headers], self._values)
                if (
                    Measurement.get(console, options.update(width=UNLIMITED), table).maximum
                    <= options.max_width
                ):
                    yield table
                    return
        yield self._table([Text("HYPERPARAMETERS")], lambda trial: [parameters_text(self.job, trial)])

    def _values(self, trial: TrialView) -> list[Text]:
        given = trial.hyperparameters
        return [Text(cells.hyperparameter(given.get(name, ""))) for name in self.job.parameters]

    def _table(self, headers: Sequence[Text], values: Callable[[TrialView], Sequence[Text]]) -> Table:
        table = Table(
            box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold"
        )
        table.add_column("TRIAL", justify="right", no_wrap=True)
        table.add_column("STATE", no_wrap=True)
        table.add_column("OBJECTIVE", justify="right", no_wrap=True)
        table.add_column("STEP", justify="right", no_wrap=True)
        for header in headers:
            table.add_column(header, overflow="fold")
        for trial in self.job.trials:
            table.add_row(
                Text(trial.trial_id),
                state_text(trial.label),
                cells.objective(trial.latest),
                "–" if trial.step is None else str(trial.step),
                *values(trial),
                style="bold" if trial is self.job.best else "",
            )
        return table


def job_summary(job: JobView, now: float) -> RenderableType:
    """The whole job. `now` is seconds since 1970, for the time that an unfinished job has taken."""
    lines = Table.grid(padding=(0, 2))
    lines.add_column(style="dim", no_wrap=True)
    lines.add_column()
    lines.add_row("job", Text(job.job_id, "bold"))
    lines.add_row("state", state_text(job.state))
    if job.error:
        lines.add_row("error", Text(job.error, "red"))
    if job.wait:
        lines.add_row("waits", Text(job.wait, "yellow"))
    for name, moment in (("created", job.created), ("started", job.started), ("ended", job.ended)):
        if moment is not None:
            lines.add_row(name, local_time(moment))
    lines.add_row("duration", cells.duration(job.elapsed(now)))
    if not job.is_tuning:
        return lines
    lines.add_row("trials", f"{job.ended_trials} of {job.max_trials} ended")
    lines.add_row("goal", Text(f"{job.goal} {job.metric_tag}"))
    lines.add_row("best", best_text(job))
    if job.stopping:
        lines.add_row("early", Text(job.stopping))
    if not job.trials:
        return lines
    reasons = [Text(f"trial {trial.trial_id}: {trial.reason}", "dim") for trial in job.trials if trial.reason]
    more = [Text(f"and {len(reasons) - MAX_REASONS} more", "dim")] if len(reasons) > MAX_REASONS else []
    told: list[RenderableType] = ["", *reasons[:MAX_REASONS], *more] if reasons else []
    return Group(lines, "", TrialsTable(job), *told)
