"""Follows a job on the terminal until it ends: a live picture, or plain lines where there is no terminal."""

import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cli import cells
from cli.job_view import JobView, TrialView
from cli.tables import STYLES, best_text, parameters_text, state_text

if TYPE_CHECKING:
    from client import ClientError, Job, VernierClient

SHOWN_TRIALS = 8
CURVE_WIDTH = 14
_COLUMNS: Final[tuple[tuple[int, JustifyMethod], ...]] = (
    (5, "right"),
    (13, "left"),
    (7, "left"),
    (9, "right"),
    (CURVE_WIDTH, "left"),
)
"""Width of TRIAL, STATE, TIME, OBJECTIVE and CURVE, and the side they keep to."""
_BAR_WIDTH = 40


def watch(client: "VernierClient", job_id: str, console: Console, poll: float = 1.0) -> "Job":
    """Shows the job until it has ended and gives it.

    Args:
        client: asked for the job, which may be away for minutes, as while the service restarts.
        job_id: the job.
        console: where to show it.
        poll: seconds between two looks.

    Raises:
        ClientError: see `VernierClient.follow`.
    """
    follow = _live if console.is_terminal and not console.is_dumb_terminal else _lines
    return follow(client, job_id, console, poll)


def render(job: "Job", now: float) -> RenderableType:
    """The picture of a job at `now`, in seconds since 1970: a dozen lines, whatever the number of trials."""
    view = JobView.of(job)
    head = Text.assemble(
        (view.job_id, "bold"), "  ", state_text(view.state), "  ", cells.duration(view.elapsed(now))
    )
    parts: list[RenderableType] = [head]
    if view.error:
        parts.append(Text(view.error, "red"))
    if view.wait:
        parts.append(Text(view.wait, "yellow"))
    if view.is_tuning:
        parts += [_bar(view, now), _counts(view), _best(view)]
    if view.trials:
        parts.append(_recent(view, now))
    return Group(*parts)


def _live(client: "VernierClient", job_id: str, console: Console, poll: float) -> "Job":
    shown: Job = client.get_job(job_id)
    outage = ""

    def picture() -> RenderableType:
        now = render(shown, time.time())
        return Group(now, Text(outage, "yellow")) if outage else now

    def on_outage(error: "ClientError") -> None:
        nonlocal outage
        outage = f"{error.message}; trying again"

    with Live(console=console, get_renderable=picture, refresh_per_second=4):
        for job in client.follow(job_id, poll=poll, on_outage=on_outage):
            shown, outage = job, ""
    return shown


def _lines(client: "VernierClient", job_id: str, console: Console, poll: float) -> "Job":
    said: set[str] = set()

    def say(key: str, text: Text) -> None:
        if key not in said:
            said.add(key)
            console.print(text, soft_wrap=True)

    def on_outage(error: "ClientError") -> None:
        say("outage", Text(f"{error.message}; trying again"))

    job: Job = {}
    for job in client.follow(job_id, poll=poll, on_outage=on_outage):
        said.discard("outage")
        view = JobView.of(job)
        if not view.ended:
            say(f"job {view.state}", Text(f"job {view.job_id} {view.state}"))
        if view.wait:
            # By its place: what is free meanwhile changes with every trial of others.
            say(f"place {job.get('jobPosition')}", Text(f"job {view.job_id} waits, {view.wait}"))
        ended = [trial for trial in view.trials if trial.has_ended]
        for trial in sorted(ended, key=lambda trial: trial.ended or 0.0):
            say(f"trial {trial.trial_id}", _ended_line(view, trial))
        if view.ended:
            took = cells.duration(view.ended - (view.created or view.ended))
            say("end", Text(f"job {view.job_id} {view.state} after {took}"))
            if view.error:
                say("error", Text(view.error))
            elif view.why_no_best:
                say("no best", best_text(view))
    return job


def _ended_line(job: JobView, trial: TrialView) -> Text:
    best = " (best so far)" if trial is job.best else ""
    step = "" if trial.step is None else f" at step {trial.step}"
    result = f"trial {trial.trial_id} {trial.label}  {cells.objective(trial.objective)}{step}{best}  "
    line = Text(result).append(parameters_text(job, trial))
    return line.append(f"  {trial.reason}") if trial.reason else line


def _bar(job: JobView, now: float) -> RenderableType:
    left = job.time_left(now)
    line = Table.grid(padding=(0, 2))
    line.add_row(
        ProgressBar(job.max_trials, job.ended_trials, width=_BAR_WIDTH, complete_style="cyan"),
        f"{job.ended_trials}/{job.max_trials} trials",
        "" if left is None else f"about {cells.duration(left)} left",
    )
    return line


def _counts(job: JobView) -> Text:
    counts = Counter(trial.label for trial in job.trials)
    return Text("  ").join(
        Text(f"{count} {label.lower()}", STYLES.get(label, "dim")) for label, count in sorted(counts.items())
    )


def _best(job: JobView) -> RenderableType:
    line = Table.grid(padding=(0, 2))
    line.add_row("best", best_text(job))
    return line


def _recent(job: JobView, now: float) -> Table:
    """The trials that run and those that ended last, newest first."""
    table = Table.grid(padding=(0, 2), expand=True)
    # On a narrow terminal it is the hyperparameters that are cut: the rest is what is being watched.
    for width, justify in _COLUMNS:
        table.add_column(justify=justify, no_wrap=True, min_width=width, width=width)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    newest = sorted(job.trials, key=lambda trial: (trial.has_ended, -(trial.ended or trial.started or now)))
    table.add_row(*(Text(name, "dim") for name in ("TRIAL", "STATE", "TIME", "OBJECTIVE", "CURVE", "")))
    for trial in newest[:SHOWN_TRIALS]:
        took = None if trial.started is None else max(0.0, (trial.ended or now) - trial.started)
        table.add_row(
            trial.trial_id,
            state_text(trial.label),
            "" if took is None else cells.duration(took),
            cells.objective(trial.latest),
            Text(cells.sparkline(trial.curve, CURVE_WIDTH), "cyan"),
            parameters_text(job, trial),
        )
    return table
