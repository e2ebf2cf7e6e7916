"""`vernier jobs`: gcloud's verbs for jobs (docs/contract.md 7.3)."""

import sys
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from cli import stream_logs, submit_training
from cli.errors import UsageError, reported
from cli.options import DEFAULT_ADDRESS, DEFAULT_PROJECT, Address, ListFormat, OutputFormat, Project
from cli.output import Format, chosen, columns, print_document, print_table

if TYPE_CHECKING:
    from client import Job

app = typer.Typer(help="Submit, watch and cancel jobs.", no_args_is_help=True)
submit = typer.Typer(help="Submit a job.", no_args_is_help=True)
submit.command(
    "training",
    cls=submit_training.UserArgsCommand,
    help=submit_training.training.__doc__,
)(submit_training.training)
submit.callback()(lambda: None)  # keeps `submit` a group of one command
app.add_typer(submit, name="submit")

JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.", show_default=False)]


@app.command()
def describe(
    context: typer.Context,
    job_id: JobId,
    summarize: Annotated[
        bool, typer.Option("--summarize", help="Tables, also where stdout is no terminal.")
    ] = False,
    project: Project = DEFAULT_PROJECT,
    api: Address = DEFAULT_ADDRESS,
    form: OutputFormat = None,
) -> None:
    """Show a job with its trials, best first."""
    with reported(context):
        from client import VernierClient

        with VernierClient(api, project) as client:
            job = client.get_job(job_id)
        form = Format.HUMAN if summarize and form is None else chosen(form)
        if form in (Format.YAML, Format.JSON):
            print_document(job, form)
            return

        import time

        from cli import tables
        from cli.job_view import JobView

        view = JobView.of(job)
        whole = form is Format.HUMAN
        shown = tables.job_summary(view, time.time()) if whole else tables.TrialsTable(view)
        print_table(shown)


@app.command("list")
def list_jobs(
    context: typer.Context,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most this many jobs.", show_default=False)
    ] = None,
    sort_by: Annotated[
        str | None,
        typer.Option(
            metavar="[~]FIELD,...",
            help="E.g. state,~endTime; ~ for the largest first.",
            show_default=False,
        ),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            "--filter",
            metavar="EXPRESSION",
            help="E.g. 'state=RUNNING AND jobId:census*'; the service's own language.",
            show_default=False,
        ),
    ] = None,
    project: Project = DEFAULT_PROJECT,
    api: Address = DEFAULT_ADDRESS,
    form: ListFormat = None,
) -> None:
    """List the project's jobs, newest first."""
    with reported(context):
        from cli.sorting import sort_jobs
        from client import MAX_PAGE_SIZE, VernierClient

        wanted = None if sort_by else limit
        page_size = min(wanted or MAX_PAGE_SIZE, MAX_PAGE_SIZE)
        with VernierClient(api, project) as client:
            found = list(islice(client.list_jobs(page_size, where=where or ""), wanted))
        if sort_by:
            found = sort_jobs(found, sort_by)[:limit]
        # gcloud lists as a table wherever stdout goes, so only an explicit format changes that.
        if form in (Format.YAML, Format.JSON):
            print_document(found, form)
        elif found:
            print(columns(("JOB_ID", "STATUS", "CREATED"), [_row(job) for job in found]))
        else:
            print("Listed 0 items.", file=sys.stderr)


@app.command()
def cancel(
    context: typer.Context,
    job_id: JobId,
    project: Project = DEFAULT_PROJECT,
    api: Address = DEFAULT_ADDRESS,
) -> None:
    """Cancel a job; a finished one stays as it is."""
    with reported(context):
        from client import VernierClient

        with VernierClient(api, project) as client:
            client.cancel_job(job_id)


@app.command()
def update(
    context: typer.Context,
    job_id: JobId,
    update_labels: Annotated[
        str | None,
        typer.Option(metavar="K=V,...", help="Labels to set, new or not.", show_default=False),
    ] = None,
    remove_labels: Annotated[
        str | None,
        typer.Option(metavar="K,...", help="Labels to take away.", show_default=False),
    ] = None,
    clear_labels: Annotated[
        bool, typer.Option("--clear-labels", help="Take all labels away, before --update-labels.")
    ] = False,
    project: Project = DEFAULT_PROJECT,
    api: Address = DEFAULT_ADDRESS,
) -> None:
    """Change the labels of a job, whatever its state."""
    with reported(context):
        from cli.submit import parse_labels

        if clear_labels and remove_labels is not None:
            raise UsageError("--clear-labels takes all labels away; leave --remove-labels out")
        if not clear_labels and not update_labels and not remove_labels:
            raise UsageError("give one of --update-labels, --remove-labels and --clear-labels")
        updated = parse_labels(update_labels, "--update-labels") if update_labels else {}
        removed = [key.strip() for key in (remove_labels or "").split(",")]

        from client import VernierClient

        with VernierClient(api, project) as client:
            client.update_labels(job_id, updated, remove=removed, clear=clear_labels)
    print(f"Updated job [{job_id}].", file=sys.stderr)


app.command("stream-logs")(stream_logs.stream_logs)  # here for its place in the help


def _row(job: "Job") -> tuple[str, str, str]:
    from cli.job_view import local_time, seconds

    return job.get("jobId", ""), job.get("state", ""), local_time(seconds(job.get("createTime")))
