"""The whole service in one process: HTTP server, Celery worker and beat, over a data folder of its own.

The only place where service and worker are put together; they still meet in the database alone.
"""

import fcntl
import os
import signal
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog
import uvicorn
from celery import Celery
from celery.beat import EmbeddedService
from celery.worker import WorkController
from celery.worker import state as celery_state

from service.app import make_api
from service.config import DoorConfig
from settings import Settings
from store.database import Database
from store.jobs import job_key, release_all_leases
from worker import google_storage
from worker.launchers.gpus import find_gpus
from worker.launchers.limits import Limits
from worker.launchers.local import LocalLauncher
from worker.launchers.protocol import JobRef
from worker.reconcile import Pace, Reconciler
from worker.tasks import add_tasks, make_app, make_notify

log = structlog.get_logger(__name__)

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
STOP_SECONDS = 5.0


class CannotServe(Exception):
    """The service can't start as asked; the message says what to change."""


@contextmanager
def own_data_dir(data_dir: Path) -> Iterator[None]:
    """Hold the data folder, so that no second service works on the same jobs.

    Raises:
        CannotServe: another service holds it, or it can't be written.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotServe(f"The data folder {data_dir} can't be used: {error.strerror}.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise CannotServe(
            f"Another service is using the data folder {data_dir}; stop it, or give this one its own "
            "with --data-dir."
        ) from error
    else:
        yield
    finally:
        os.close(lock)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on a loopback address.

    Raises:
        CannotServe: the address is not loopback, or is taken.
    """
    if host not in LOOPBACK_NAMES and not host.startswith("127."):
        raise CannotServe(
            f"--host {host} would let others in, and there is no authentication yet: only loopback "
            "(127.0.0.1, ::1, localhost) can be listened on. To reach it from elsewhere, use an SSH tunnel."
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # From here on a client waits to be answered, where it would have been refused.
        listener.listen()
    except OSError as error:
        listener.close()
        raise CannotServe(
            f"Port {port} of {host} can't be listened on ({error.strerror}); choose another with --port."
        ) from error
    return listener


class Embedded:
    """Everything of the service but its HTTP socket: database, launcher, worker and beat, in threads."""

    def __init__(self, settings: Settings) -> None:
        if settings.object_store == "google" and not google_storage.is_installed():
            raise CannotServe(
                "VERNIER_OBJECT_STORE=google needs the package google-cloud-storage: "
                f"{google_storage.INSTALL_HINT}."
            )
        self.database = Database(settings.effective_database_url)
        self.database.upgrade()
        with self.database.write() as session:
            # The folder is ours: whoever held a lease in it is gone.
            release_all_leases(session)
        self._celery = make_app(settings.broker_url, settings.sweep_seconds)
        self.notify = make_notify(self._celery)
        gpus = find_gpus(settings.gpus)
        self._launcher = LocalLauncher(
            jobs_dir=settings.jobs_dir,
            trial_python=settings.trial_python,
            slots=settings.slots,
            max_package_bytes=settings.max_package_bytes,
            ended=self._trial_ended,
            objects_dir=settings.objects_dir,
            stop_grace_seconds=settings.stop_grace_seconds,
            gpus=gpus,
            cpus_per_replica=settings.cpus_per_replica,
            limits=Limits(settings.max_output_bytes, settings.max_disk_bytes),
        )
        pace = Pace(
            poll_seconds=settings.poll_seconds,
            lease_seconds=settings.lease_seconds,
            stop_grace_seconds=settings.stop_grace_seconds,
            trouble_seconds=settings.trouble_seconds,
            max_lost_attempts=settings.max_lost_attempts,
        )
        owner = f"{socket.gethostname()}/{uuid.uuid4().hex[:8]}"
        add_tasks(self._celery, self.database, Reconciler(self.database, self._launcher, pace, owner))
        self._worker = _Worker(self._celery, settings.worker_threads)
        self._beat = EmbeddedService(
            self._celery,
            thread=True,
            scheduler_cls="celery.beat:Scheduler",
        )
        self.api = make_api(
            self.database,
            DoorConfig(
                max_body_bytes=settings.max_body_bytes,
                allowed_hosts=LOOPBACK_NAMES | {settings.host},
                local_paths=settings.local_paths,
                runs_containers=False,
                max_replicas=settings.max_replicas,
                gpus=None if gpus is None else len(gpus),
                objects_dir=settings.objects_dir,
                max_object_bytes=settings.max_object_bytes,
            ),
            self.notify,
        )

    def start(self) -> None:
        """Begin to look after jobs, those of earlier runs first."""
        self._worker.start()
        self._beat.start()

    def stop(self) -> None:
        """Stop looking after jobs. Trials go on, and are found again by the next service on this folder."""
        self._beat.stop()
        self._worker.stop()
        self._launcher.close()
        self.database.close()

    def _trial_ended(self, job: JobRef) -> None:
        with self.database.read() as session:
            key = job_key(session, job.project, job.job_id)
        if key is not None:
            self.notify(key)


class _Worker:
    """A Celery worker in a thread, with a pool of threads."""

    def __init__(self, app: Celery, threads: int) -> None:
        self._controller = WorkController(
            app=app,
            pool="threads",
            concurrency=threads,
            loglevel="WARNING",
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
            quiet=True,
        )
        self._thread = threading.Thread(target=self._run, name="celery-worker", daemon=True)

    def start(self) -> None:
        celery_state.should_stop = None
        self._thread.start()

    def stop(self) -> None:
        # The way Celery's own signal handlers ask for a warm shutdown; the loop looks at it.
        celery_state.should_stop = 0
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        with suppress(SystemExit):
            self._controller.start()


def serve_http(embedded: Embedded, listener: socket.socket) -> None:
    """Answer requests until SIGINT or SIGTERM; in the main thread, where signals arrive."""
    config = uvicorn.Config(
        embedded.api,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
    )
    # uvicorn raises the signal again once it has stopped; the rest of the service is still to stop then.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    uvicorn.Server(config).run(sockets=[listener])
