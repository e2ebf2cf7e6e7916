"""`vernier api`, `vernier worker` and `vernier beat`: the service as processes that are started apart.

As many of each as wanted, over one PostgreSQL database and one Redis. Each ends within seconds of SIGTERM or
Ctrl-C, may be killed at any moment, and waits where the database or the broker is away.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from cli.settings_from import settings_from

if TYPE_CHECKING:
    from cli.parts import Clock, Hands
    from settings import Settings
    from store.database import Database

AGAIN_SECONDS = 2.0
LOOK_SECONDS = 0.5


def api(
    host: Annotated[str | None, typer.Option(help="Address to listen on; loopback only.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
) -> None:
    """Answer requests, and nothing else.

    Needs PostgreSQL, Redis and a worker.
    """
    settings = settings_from("api", host=host, port=port)
    with _process("api", settings) as (stack, told):
        from cli.data_folder import shared_data_dir
        from cli.listening import address_of, listen, serve_http
        from cli.parts import check_object_store, make_door
        from worker.tasks import make_app, make_notify

        check_object_store(settings)
        stack.enter_context(shared_data_dir(settings.data_dir))
        database = _database(settings, stack, told)
        listener = stack.enter_context(listen(settings.host, settings.port))
        address = address_of(settings.host, listener)
        notify = make_notify(make_app(settings.broker_url, settings.sweep_seconds))
        door = make_door(settings, database, notify)
        typer.echo(f"The API is at {address}/v1/projects/local/jobs")
        if not told.is_set():
            serve_http(door, listener)


def worker(
    concurrency: Annotated[int | None, typer.Option(help="Jobs to look at in parallel.")] = None,
) -> None:
    """Look after jobs and run their trials.

    Needs PostgreSQL, Redis and a beat.
    """
    settings = settings_from("worker", {"worker_threads": "concurrency"}, worker_threads=concurrency)
    with _process("worker", settings) as (stack, told):
        from cli.data_folder import own_name, shared_data_dir
        from cli.parts import Hands, check_object_store
        from worker.tasks import make_app

        check_object_store(settings)
        stack.enter_context(shared_data_dir(settings.data_dir))
        database = _database(settings, stack, told)
        name = stack.enter_context(own_name(settings.data_dir))
        app = make_app(settings.broker_url, settings.sweep_seconds)
        typer.echo(f"Worker {name} looks after jobs.")
        _run_until(told, Hands(settings, database, app, name))


def beat() -> None:
    """Remind the workers of jobs that are due.

    Needs Redis.
    """
    settings = settings_from("beat")
    with _process("beat", settings) as (_, told):
        from cli.parts import Clock
        from worker.tasks import make_app

        typer.echo(f"Beat asks for a sweep every {settings.sweep_seconds:g} s.")
        _run_until(told, Clock(make_app(settings.broker_url, settings.sweep_seconds)))


class _Told(Exception):
    """It was told to stop before it had begun."""


@contextmanager
def _process(command: str, settings: "Settings") -> Iterator[tuple[ExitStack, threading.Event]]:
    """What surrounds each: logs, the signals that set the event, and what is said if it can't start."""
    # Imported here: the other commands should not wait for a web server and a task queue to load.
    from cli.data_folder import CannotServe
    from cli.logs import configure_logs

    told = threading.Event()
    try:
        _check_apart(settings)
        configure_logs(settings.log_format)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: told.set())
        with ExitStack() as stack:
            yield stack, told
    except CannotServe as error:
        typer.echo(f"ERROR: (vernier.{command}) {error}", err=True)
        raise typer.Exit(1) from error
    except _Told:
        pass
    typer.echo("Stopped.")


def _check_apart(settings: "Settings") -> None:
    from cli.data_folder import CannotServe

    alone = "Only vernier serve, which is one process, can do without."
    if not (settings.database_url or "").startswith("postgresql"):
        raise CannotServe(
            f"VERNIER_DATABASE_URL must name a PostgreSQL database, as postgresql+psycopg://…. {alone}"
        )
    if settings.broker_url.startswith("memory:"):
        raise CannotServe(f"VERNIER_BROKER_URL must name a broker, as redis://…. {alone}")


def _database(settings: "Settings", stack: ExitStack, told: threading.Event) -> "Database":
    """The database, waited for until it answers.

    Raises:
        CannotServe: its tables are not those of this program, or its trials are in another data folder.
        _Told: the process was to stop meanwhile.
    """
    import structlog
    from sqlalchemy.exc import OperationalError

    from cli.parts import claim_folder, open_database

    log = structlog.get_logger(__name__)
    database = open_database(settings)
    stack.callback(database.close)
    while True:
        try:
            _check_schema(database)
            claim_folder(settings, database)
            return database
        except OperationalError as error:
            reason = str(error.orig).strip().partition("\n")[0]
            log.warning("database away, trying again", seconds=AGAIN_SECONDS, reason=reason)
        if told.wait(AGAIN_SECONDS):
            raise _Told


def _check_schema(database: "Database") -> None:
    from cli.data_folder import CannotServe
    from store.database import Schema

    match database.schema():
        case Schema.OLDER:
            raise CannotServe(
                "The database's tables are of an older Vernier, or not there: run vernier db upgrade."
            )
        case Schema.UNKNOWN:
            raise CannotServe("The database's tables are of a newer Vernier: upgrade this one.")


def _run_until(told: threading.Event, part: "Hands | Clock") -> None:
    from cli.data_folder import CannotServe

    part.start()
    try:
        while not told.wait(LOOK_SECONDS):
            if not part.alive:
                raise CannotServe("It ended by itself; the log says why.")
    finally:
        typer.echo("Stopping …")
        part.stop()
