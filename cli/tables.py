"""A job for the reader at a terminal: its times, the best trial, and all trials best first."""

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli import cells
from cli.job_view import STOPPED_EARLY, JobView, TrialView, local_time

MAX_REASONS = 5  # trials below the table of which it is told why they failed or have no objective
MAX_PARAMETER_COLUMNS = 8  # with more, they share one column

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
        return Text(f"no trial has a final {job.metric_tag}{'' if job.ended else ' yet'}", "dim")
    value = (cells.objective(best.objective), "bold green")
    where = f" at step {best.step}, trial {best.trial_id}   "
    return Text.assemble(value, f" {job.metric_tag}", where, parameters_text(job, best))


def trials_table(job: JobView) -> Table:
    """The trials in the service's order: TRIAL, STATE, OBJECTIVE, STEP and the hyperparameters."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("TRIAL", justify="right", no_wrap=True)
    table.add_column("STATE", no_wrap=True)
    table.add_column("OBJECTIVE", justify="right", no_wrap=True)
    table.add_column("STEP", justify="right", no_wrap=True)
    separate = len(job.parameters) <= MAX_PARAMETER_COLUMNS
    for name in job.parameters if separate else ("HYPERPARAMETERS",):
        # On a narrow terminal these are folded: the columns before them stay whole.
        table.add_column(Text(name), overflow="fold")
    for trial in job.trials:
        values: list[RenderableType] = [parameters_text(job, trial)]
        if separate:
            given = trial.hyperparameters
            values = [Text(cells.hyperparameter(given.get(name, ""))) for name in job.parameters]
        table.add_row(
            Text(trial.trial_id),
            state_text(trial.label),
            cells.objective(trial.latest),
            "–" if trial.step is None else str(trial.step),
            *values,
            style="bold" if trial is job.best else "",
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
    for name, moment in (("created", job.created), ("started", job.started), ("ended", job.ended)):
        if moment is not None:
            lines.add_row(name, local_time(moment))
    lines.add_row("duration", cells.duration(job.elapsed(now)))
    if not job.is_tuning:
        return lines
    lines.add_row("trials", f"{job.ended_trials} of {job.max_trials} ended")
    lines.add_row("goal", Text(f"{job.goal} {job.metric_tag}"))
    lines.add_row("best", best_text(job))
    if not job.trials:
        return lines
    reasons = [Text(f"trial {trial.trial_id}: {trial.reason}", "dim") for trial in job.trials if trial.reason]
    more = [Text(f"and {len(reasons) - MAX_REASONS} more", "dim")] if len(reasons) > MAX_REASONS else []
    return Group(lines, "", trials_table(job), *reasons[:MAX_REASONS], *more)
