"""The command's tree: each group or command is a file of its own, hung in here."""

from typing import Annotated

import typer

from cli import db, jobs
from cli.demo import demo
from cli.processes import api, beat, worker
from cli.serve import serve

app = typer.Typer(
    name="vernier",
    help="Training and hyperparameter tuning jobs, on your own machine.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # rich's boxes cut long flags off at 80 columns, and take time to load
    pretty_exceptions_enable=False,  # a plain traceback can be pasted into a report, and shows no secrets
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(jobs.app, name="jobs")
app.add_typer(db.app, name="db")
app.command()(serve)
app.command()(api)
app.command()(worker)
app.command()(beat)
app.command()(demo)


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # it takes long to load

        typer.echo(f"vernier {version('vernier')}")
        raise typer.Exit


@app.callback()
def root(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version and exit."),
    ] = False,
) -> None:
    """Keeps `vernier` a group, whatever the number of commands in it."""


def main() -> None:
    """Runs the command line in `sys.argv` and exits."""
    app(prog_name="vernier")


if __name__ == "__main__":
    main()
