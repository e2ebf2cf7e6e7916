"""`vernier demo`: the main job from nothing to a result, with a service that it starts and stops."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import EXIT_INTERRUPTED, EXIT_REFUSED_BY_SERVICE, UsageError, reported

if TYPE_CHECKING:
    from rich.console import Console

    from client import Job, VernierClient

EXAMPLE = Path(__file__).parent.parent / "examples" / "digits"
START_SECONDS = 60.0
STOP_SECONDS = 20.0


def demo(
    context: typer.Context,
    data_dir: Annotated[Path | None, typer.Option(help="Folder for the demo's database and trials.")] = None,
) -> None:
    """Tune an example, with a service of its own.

    The example is a scikit-learn classifier of handwritten digits.
    """
    from cli.output import console_on

    with reported(context):
        if not (EXAMPLE / "job.yaml").is_file():
            raise UsageError(f"the example is not at {EXAMPLE}; run the demo from a checkout of Vernier")
        console = console_on(sys.stdout)
        stamp = datetime.now().astimezone().strftime("%Y%m%d_%H%M%S")
        folder = (data_dir or Path("vernier-data") / f"demo_{stamp}").absolute()
        with _service(folder) as address:
            job = _tune(console, address, folder, f"digits_{stamp}")
        _tell_result(console, job, folder)
        if job.get("state") != "SUCCEEDED":
            raise typer.Exit(EXIT_REFUSED_BY_SERVICE)


@contextmanager
def _service(folder: Path) -> Iterator[str]:
    """A service on a free port over the folder; gives its address, and stops it at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "service.log"
    address = folder / "address"
    command = [sys.executable, "-m", "cli.main", "serve", "--port", "0", "--data-dir", str(folder)]
    with log.open("ab") as output:
        # A group of its own: Ctrl-C is for this process, which ends the job before it ends the service.
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not address.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise UsageError(f"the service did not start; its log is {log}")
            time.sleep(0.05)
        yield address.read_text().strip()
    finally:
        # A second Ctrl-C must not leave the service behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _tune(console: "Console", address: str, folder: Path, job_id: str) -> "Job":
    from cli import progress
    from cli.config_file import read_config
    from cli.packaging import build_package
    from client import VernierClient

    package = build_package(EXAMPLE / "trainer", folder)
    body = read_config(EXAMPLE / "job.yaml")
    body["jobId"] = job_id
    body["trainingInput"] |= {
        "packageUris": [str(package)],
        "pythonModule": "trainer.task",
        "jobDir": str(folder / "runs"),
    }
    console.print(f"A service runs at {address} for this demo; tuning {EXAMPLE.name} as job {job_id}.\n")
    # A terminal that is closed, or a kill, ends the demo as Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    with VernierClient(address) as client:
        client.create_job(body)
        try:
            return progress.watch(client, job_id, console, poll=0.5)
        except KeyboardInterrupt:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            console.print("\nCancelling the job and stopping the service …")
            _cancel(client, job_id)
            raise typer.Exit(EXIT_INTERRUPTED) from None


def _cancel(client: "VernierClient", job_id: str) -> None:
    client.cancel_job(job_id)
    client.wait(job_id, poll=0.2)


def _tell_result(console: "Console", job: "Job", folder: Path) -> None:
    trials = job.get("trainingOutput", {}).get("trials", [])
    best = next((trial for trial in trials if "finalMetric" in trial), None)
    if best is None:
        console.print(f"No trial has a result: {job.get('errorMessage', 'see the log')}", soft_wrap=True)
    else:
        metric = best["finalMetric"]
        console.print(f"\n[bold]Best trial[/bold]       {best['trialId']}")
        console.print(f"Accuracy         {metric['objectiveValue']:.4f} at epoch {metric['trainingStep']}")
        for name, value in best["hyperparameters"].items():
            console.print(f"{name:<16} {value}", highlight=False)
        console.print(
            f"Event files      {folder / 'runs' / best['trialId']}", soft_wrap=True, highlight=False
        )
    console.print(f"Everything else  {folder}", soft_wrap=True, highlight=False)
