"""`vernier db`: the database of the service, looked after while nothing or everything of it runs."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import DEFAULT_PROJECT, Project
from cli.settings_from import settings_from

if TYPE_CHECKING:
    from store.database import Database

app = typer.Typer(help="Upgrade, check and back up the service's database.", no_args_is_help=True)

DataDir = Annotated[Path | None, typer.Option(help="Folder of a SQLite database.")]


@app.command()
def upgrade(data_dir: DataDir = None) -> None:
    """Make the tables, or bring them up to date."""
    with _database("upgrade", data_dir, alone=True) as database:
        from cli import parts
        from cli.data_folder import CannotServe
        from store.database import Schema

        if database.schema() is Schema.UNKNOWN:
            raise CannotServe("The database's tables are of a newer Vernier: upgrade this one.")
        parts.upgrade(database)
        typer.echo("The database is up to date.")


@app.command()
def check(data_dir: DataDir = None) -> None:
    """Say whether the tables are as they should be.

    Exits with 1 if they are not those that this program wants, or a SQLite file is damaged.
    """
    with _database("check", data_dir, must_exist=True) as database:
        from cli.data_folder import CannotServe
        from store.database import Schema

        _check_file(database)
        match database.schema():
            case Schema.CURRENT:
                typer.echo("The database is up to date.")
            case Schema.OLDER:
                raise CannotServe(
                    "The database's tables are of an older Vernier, or not there: run vernier db upgrade."
                )
            case Schema.UNKNOWN:
                raise CannotServe("The database's tables are of a newer Vernier: upgrade this one.")


def _check_file(database: "Database") -> None:
    from sqlalchemy.exc import DatabaseError, OperationalError

    from cli.data_folder import CannotServe

    if not database.is_sqlite:
        return
    try:
        damage = database.damage()
    except OperationalError:
        raise  # It is locked, or may not be opened: that says nothing of what is in it.
    except DatabaseError as error:
        damage = str(error.orig)
    if damage is not None:
        raise CannotServe(f"The file {database.url.database} is damaged ({damage}): go back to a backup.")


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write; must not be there yet.")],
    data_dir: DataDir = None,
) -> None:
    """Copy a SQLite database while the service runs.

    The copy is the database as it is at one moment.
    """
    with _database("backup", data_dir, must_exist=True) as database:
        from cli.data_folder import CannotServe

        if not database.is_sqlite:
            raise CannotServe("This copies SQLite databases only; for PostgreSQL there is pg_dump.")
        try:
            database.backup(file)
        except FileExistsError as error:
            raise CannotServe(f"{file} is there already.") from error
        except OSError as error:
            raise CannotServe(f"{file} can't be written: {error.strerror}.") from error
        typer.echo(f"Copied to {file}.")


@app.command()
def forget_folder(data_dir: DataDir = None) -> None:
    """Let another data folder have the jobs of this database.

    For one that is gone for good, with no service running: trials that were running there count as lost.
    """
    with _database("forget-folder", data_dir, alone=True, must_exist=True) as database:
        from store.data_folder import forget_data_folder

        with database.write() as session:
            forget_data_folder(session)
        typer.echo("The next data folder that is used with the database is its own.")


@app.command()
def replay(
    job: Annotated[str, typer.Argument(metavar="JOB", help="Id of a tuning job.")],
    project: Project = DEFAULT_PROJECT,
    data_dir: DataDir = None,
) -> None:
    """Ask a job's search again what it was asked.

    A line for each suggestion: was it made again, the same? Exits with 1 if one was not. One by another
    version of its algorithm is not asked again.
    """
    with _database("replay", data_dir, must_exist=True) as database:
        from cli.data_folder import CannotServe
        from store.jobs import find_job
        from worker.replay import Verdict
        from worker.replay import replay as again

        with database.read() as session:
            found = find_job(session, project, job)
            if found is None or found.hyperparameters is None:
                raise CannotServe(f"There is no tuning job {job} in the project {project}.")
            different = 0
            for each in again(session, found):
                decision = each.decision
                trials = ", ".join(map(str, decision.outcome["trials"]))
                instead = decision.outcome.get("insteadOf")
                by = f"{decision.algorithm} {decision.version}" + (
                    f" instead of {instead}" if instead else ""
                )
                took = f"{decision.seconds:.3f} s, {decision.known['finished']} known"
                typer.echo(f"{trials}: {each.verdict.value} ({by}, {took})")
                different += each.verdict is Verdict.DIFFERENT
        if different:
            raise CannotServe(f"{different} of the suggestions are others now.")


@contextmanager
def _database(
    command: str, data_dir: Path | None, *, alone: bool = False, must_exist: bool = False
) -> Iterator["Database"]:
    """The database of the settings; what is wrong is said, and is an exit with 1.

    Args:
        alone: whether no service may be using a SQLite database; the command is one of its users then.
        must_exist: whether a SQLite database that is not there is an error, or is made.
    """
    settings = settings_from(f"db.{command}", data_dir=data_dir)

    from sqlalchemy.exc import DatabaseError

    from cli.data_folder import CannotServe, own_data_dir
    from cli.parts import open_database

    try:
        with ExitStack() as stack:
            database = open_database(settings)
            stack.callback(database.close)
            if must_exist and database.is_sqlite and not Path(database.url.database or "").is_file():
                raise CannotServe(f"There is no database at {database.url.database}.")
            if alone and settings.database_url is None:
                stack.enter_context(own_data_dir(settings.data_dir))
            yield database
    except CannotServe as error:
        typer.echo(f"ERROR: (vernier.db.{command}) {error}", err=True)
        raise typer.Exit(1) from error
    except DatabaseError as error:
        reason = str(error.orig).strip().partition("\n")[0]
        typer.echo(f"ERROR: (vernier.db.{command}) The database can't be used: {reason}", err=True)
        raise typer.Exit(1) from error
