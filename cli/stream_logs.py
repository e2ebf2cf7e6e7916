"""`vernier jobs stream-logs`: a job's log on the terminal, as gcloud prints it (docs/contract.md 7.4)."""

import os
import re
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from cli.errors import EXIT_INTERRUPTED, reported
from cli.options import DEFAULT_ADDRESS, DEFAULT_PROJECT, Address, Project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from client import ClientError, LogEntry, VernierClient

POLL_SECONDS = 1.0
EXIT_PIPE_CLOSED = 141  # 128 + SIGPIPE

_RESET = "\x1b[0m"
_COLOURS = {
    "DEBUG": "\x1b[2m",
    "WARNING": "\x1b[33m",
    "ERROR": "\x1b[31m",
    "CRITICAL": "\x1b[1;31m",
    "ALERT": "\x1b[1;31m",
    "EMERGENCY": "\x1b[1;31m",
}
# Escape sequences, and the other characters that a terminal obeys: a trainer must not move the cursor.
_OBEYED = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


def stream_logs(
    context: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="The job's id.", show_default=False)],
    task_name: Annotated[
        str | None,
        typer.Option(help="Only of this task, such as master-replica-0 or service.", show_default=False),
    ] = None,
    allow_multiline_logs: Annotated[
        bool, typer.Option("--allow-multiline-logs", help="Keep messages of several lines in one piece.")
    ] = False,
    polling_interval: Annotated[
        float, typer.Option(min=0.1, max=3600.0, help="Seconds between two looks at the log.")
    ] = POLL_SECONDS,
    project: Project = DEFAULT_PROJECT,
    api: Address = DEFAULT_ADDRESS,
) -> None:
    """Print a job's log until the job has ended."""
    with reported(context):
        from client import VernierClient

        with VernierClient(api, project) as client:
            try:
                print_log(
                    client,
                    job_id,
                    sys.stdout,
                    task_name=task_name,
                    multiline=allow_multiline_logs,
                    poll=polling_interval,
                )
            except KeyboardInterrupt:
                raise typer.Exit(EXIT_INTERRUPTED) from None
            except BrokenPipeError:
                # Whoever read this has seen enough. What is left in the buffer has nowhere to go.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise typer.Exit(EXIT_PIPE_CLOSED) from None


def print_log(
    client: "VernierClient",
    job_id: str,
    out: TextIO,
    *,
    task_name: str | None = None,
    multiline: bool = False,
    poll: float = POLL_SECONDS,
) -> None:
    """Prints the job's log, each line as it comes, until the job has ended.

    Raises:
        ClientError: see `VernierClient.follow_log`.
    """
    away = False

    def on_outage(error: "ClientError") -> None:
        nonlocal away
        if not away:
            away = True
            print(f"{error.message}; trying again", file=sys.stderr)

    coloured = out.isatty() and not os.environ.get("NO_COLOR")
    for entry in client.follow_log(job_id, task_name=task_name, poll=poll, on_outage=on_outage):
        away = False
        for line in lines_of(entry, multiline):
            colour = _COLOURS.get(entry.get("severity", "")) if coloured else None
            out.write(f"{colour}{line}{_RESET}\n" if colour else f"{line}\n")
        out.flush()


def lines_of(entry: "LogEntry", multiline: bool = False) -> "Iterator[str]":
    """The entry as gcloud prints it: severity, time, task, trial and message, with tabs between.

    Args:
        multiline: whether a message of several lines stays in one piece.
    """
    labels = entry.get("labels", {})
    message = str(entry.get("jsonPayload", {}).get("message", entry.get("textPayload", "")))
    head = "\t".join(
        (
            entry.get("severity", "DEFAULT"),
            _local_time(entry.get("timestamp", "")),
            entry.get("resource", {}).get("labels", {}).get("task_name", "unknown_task"),
            labels.get("ml.googleapis.com/trial_id", ""),
        )
    )
    parts = [message] if multiline else message.split("\n")
    for part in parts:
        yield f"{head}\t{_OBEYED.sub('', part)}"


def _local_time(timestamp: str) -> str:
    try:
        return f"{datetime.fromisoformat(timestamp).astimezone():%Y-%m-%d %H:%M:%S %z}"
    except ValueError:
        return timestamp
