"""The parts of the service, to be put together: its database, its door, its hands and its clock.

`vernier serve` is all of them in one process (`embedded.py`), and `vernier api`, `worker` and `beat` are one
each (`processes.py`). The parts meet in the database, and in messages that may be lost.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog
from alembic.util import CommandError
from celery import Celery
from celery.beat import EmbeddedService
from celery.worker import WorkController
from celery.worker import state as celery_state
from fastapi import FastAPI
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from cli.data_folder import CannotServe, own_key, place_of
from cli.launchers import make_launcher
from cli.listening import LOOPBACK_NAMES
from service.app import make_api
from service.config import ClusterOffer, DoorConfig
from settings import Settings
from store.clearing import Cleared
from store.data_folder import claim_data_folder
from store.database import Database
from store.jobs import ask_for_look, job_key, release_leases
from worker.elsewhere import google, s3
from worker.launchers.gpus import find_gpus
from worker.launchers.local import LocalLauncher
from worker.launchers.machine_memory import find_memory
from worker.launchers.protocol import JobRef, Launcher
from worker.pace import Pace
from worker.reconcile import Reconciler
from worker.renewal import LongLooks
from worker.retention import Kept, Retention
from worker.study import Studies
from worker.suggesting_processes import SuggestingProcesses
from worker.tasks import add_tasks, make_notify
from worker.unowned import Unowned

if TYPE_CHECKING:
    from worker.launchers.kubernetes.launcher import KubernetesLauncher

log = structlog.get_logger(__name__)

STOP_SECONDS = 5.0
NO_JOB = 0
"""No job has this key: to look at it is to do nothing."""


def open_database(settings: Settings) -> Database:
    """The database of the settings, which need not be there yet.

    Raises:
        CannotServe: the URL is none that can be used. The password is not told.
    """
    setting = "VERNIER_DATABASE_URL"
    try:
        url = make_url(settings.effective_database_url)
    except (ArgumentError, ValueError) as error:
        raise CannotServe(
            f"{setting} is written like postgresql+psycopg://user:password@host/database; this one is not."
        ) from error
    if (kind := url.get_backend_name()) not in ("sqlite", "postgresql"):
        raise CannotServe(f"{setting}: only SQLite and PostgreSQL are supported, not {kind}.")
    try:
        return Database(settings.effective_database_url, patience_seconds=settings.lease_seconds)
    except ImportError as error:
        package = "psycopg[binary]" if error.name == "psycopg" else error.name
        raise CannotServe(f"{setting} needs a package that is not installed: {package}.") from error
    except SQLAlchemyError as error:
        raise CannotServe(f"{setting} can't be used: there is no {url.drivername}.") from error


def upgrade(database: Database) -> None:
    """Bring its tables to where this release wants them.

    Raises:
        CannotServe: it can't be reached or written, or a newer release has made its tables.
    """
    try:
        database.upgrade()
    except (SQLAlchemyError, CommandError) as error:
        place = database.url.set(query={}).render_as_string()  # a password may stand in the query, too
        why = " ".join(str(getattr(error, "orig", None) or error).split())
        raise CannotServe(f"The database {place} (VERNIER_DATABASE_URL) can't be used: {why}") from error


def claim_folder(settings: Settings, database: Database) -> None:
    """See that what the database tells of is in this data folder, or will be.

    A worker over another one would find none of the trials, and start them all again. What is in a folder
    with its own database needs no such word.

    Raises:
        CannotServe: it is in another folder.
    """
    if settings.database_url is None:
        return
    mine = own_key(settings.data_dir)
    with database.write() as session:
        found = claim_data_folder(session, mine, place_of(settings.data_dir))
        if found.key != mine:
            raise CannotServe(
                "The trials and packages of this database are in another data folder: "
                f"{found.place}. Use that (VERNIER_DATA_DIR), or give this one a database of its own. If it "
                "is gone for good: vernier db forget-folder."
            )


def check_object_store(settings: Settings) -> None:
    """See that what gs:// means can be used.

    Raises:
        CannotServe: something is missing for it.
    """
    if settings.object_store == "google" and not google.is_installed():
        raise CannotServe(
            f"VERNIER_OBJECT_STORE=google needs the package google-cloud-storage: {google.INSTALL_HINT}."
        )


def make_door(settings: Settings, database: Database, notify: Callable[[int], None]) -> FastAPI:
    """What answers requests."""
    on_cluster = settings.launcher == "kubernetes"
    gpus = None if on_cluster else find_gpus(settings.gpus)
    return make_api(
        database,
        DoorConfig(
            max_body_bytes=settings.max_body_bytes,
            allowed_hosts=LOOPBACK_NAMES | {settings.host},
            local_paths=settings.local_paths,
            runs_containers=on_cluster,
            max_replicas=settings.max_replicas,
            gpus=None if gpus is None else len(gpus),
            memory_mb=None if on_cluster else find_memory(settings.memory_mb),
            objects_dir=settings.objects_dir,
            cluster=_offer(settings) if on_cluster else None,
            max_object_bytes=settings.max_object_bytes,
            max_open_uploads=settings.max_open_uploads,
            reads_s3=s3.is_installed(),
        ),
        notify,
    )


def _offer(settings: Settings) -> ClusterOffer:
    runtimes = frozenset(settings.kubernetes_runtimes)
    return ClusterOffer(
        volume=settings.data_dir,
        runtimes=runtimes if settings.kubernetes_image is None else None,
        accelerators=frozenset(settings.kubernetes_accelerators),
        disk_types=frozenset(settings.kubernetes_disk_types),
        service_accounts=frozenset(settings.kubernetes_service_accounts),
        lowest_priority=min(settings.kubernetes_priorities, default=None),
    )


class Hands:
    """What looks after jobs: the reconciler over the launcher, and a Celery worker that calls it, in threads.

    Args:
        name: the worker's own while it lives (`data_folder.own_name`).
    """

    def __init__(self, settings: Settings, database: Database, app: Celery, name: str) -> None:
        self._database = database
        self._notify = make_notify(app)
        self._tell_due = make_notify(app, if_due=True)
        with database.write() as session:
            # The name is ours: whoever held a lease under it is gone.
            release_leases(session, name)
        self._launcher = make_launcher(settings, self._trial_ended)
        pace = Pace(
            poll_seconds=settings.poll_seconds,
            lease_seconds=settings.lease_seconds,
            stop_grace_seconds=settings.stop_grace_seconds,
            trouble_seconds=settings.trouble_seconds,
            max_lost_attempts=settings.max_lost_attempts,
            retry_backoff_seconds=settings.retry_backoff_seconds,
        )
        # Before the lease runs out, there has to be time to use the answer.
        self._suggesting = SuggestingProcesses(min(settings.suggest_seconds, settings.lease_seconds / 2))
        studies = Studies(lambda: self._suggesting)
        self._told = threading.Event()
        long_looks = LongLooks(database, pace.lease_seconds)
        renewing = threading.Thread(target=long_looks.run, args=(self._told,), name="renewing", daemon=True)
        reconciler = Reconciler(
            database,
            self._launcher,
            pace,
            name,
            notify=self._tell_due,
            studies=studies,
            long_looks=long_looks,
        )
        add_tasks(app, database, reconciler, pace.farthest_seconds)
        retention = _retention(settings, database, self._launcher, self._told)
        unowned = _unowned(database, self._launcher, self._told)
        self._beside = [thread for thread in (renewing, retention, unowned) if thread is not None]
        self._controller = WorkController(
            app=app,
            pool="threads",
            concurrency=settings.worker_threads,
            loglevel="WARNING",
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
            quiet=True,
        )
        self._thread = threading.Thread(target=self._run, name="celery-worker", daemon=True)

    @property
    def alive(self) -> bool:
        """False once it has ended, asked or not."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to look after jobs, those of earlier runs first."""
        celery_state.should_stop = None
        self._thread.start()
        for thread in self._beside:
            thread.start()

    def stop(self) -> None:
        """Stop looking after jobs. Trials go on, and are found again by who looks next."""
        self._told.set()
        # The way Celery's own signal handlers ask for a warm shutdown; the loop looks at it.
        celery_state.should_stop = 0
        # Twice it waits for a message before it ends: once before it looks, once after.
        for _ in range(2):
            self._notify(NO_JOB)
        self._thread.join(STOP_SECONDS)
        for thread in self._beside:
            if thread.is_alive():  # Not if it has never been started, either.
                thread.join(STOP_SECONDS)
        self._suggesting.close()
        self._launcher.close()

    def _run(self) -> None:
        with suppress(SystemExit):
            self._controller.start()

    def _trial_ended(self, job: JobRef) -> None:
        with self._database.write(durable=False) as session:
            key = job_key(session, job.project, job.job_id)
            # Every worker that has looked at the job hears of it; the first tells.
            asked = key is not None and ask_for_look(session, key)
        if key is not None and asked:
            self._tell_due(key)


def _retention(
    settings: Settings, database: Database, launcher: Launcher, stop: threading.Event
) -> threading.Thread | None:
    """The thread that clears ended jobs; None if all is kept."""
    if settings.retention == "keep":
        return None
    goal = {"compact": Cleared.COMPACTED, "remove": Cleared.REMOVED}[settings.retention]
    retention = Retention(database, launcher, Kept(goal, settings.retention_days))
    return threading.Thread(target=retention.run, args=(stop,), name="retention", daemon=True)


def _unowned(
    database: Database, launcher: "LocalLauncher | KubernetesLauncher", stop: threading.Event
) -> threading.Thread | None:
    """The thread that removes what nobody owns; None where nothing outlives its owner."""
    if isinstance(launcher, LocalLauncher):
        return None
    unowned = Unowned(database, launcher)
    return threading.Thread(target=unowned.run, args=(stop,), name="unowned", daemon=True)


class Clock:
    """What asks for a sweep, again and again: Celery's beat in a thread. Two of them ask twice, no more."""

    def __init__(self, app: Celery) -> None:
        self._thread = EmbeddedService(app, thread=True, scheduler_cls="worker.tasks:Beat")

    @property
    def alive(self) -> bool:
        """False once it has ended, asked or not."""
        return bool(self._thread.is_alive())

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        # While it tries to reach a broker that is away it would not hear of this: it is not waited for long.
        self._thread.service.stop(wait=False)
        self._thread.join(STOP_SECONDS)
