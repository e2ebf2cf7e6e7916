"""All the Celery there is.

A message says "look at this job now", or "if it is still due", and carries its key, nothing else. Losing,
repeating, delaying or reordering messages costs time only: the sweep, on beat's clock, asks again for every
job that is due.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from celery import Celery
from celery.beat import Scheduler
from celery.schedules import schedule
from sqlalchemy.exc import OperationalError

from store.database import Database
from store.jobs import due_jobs
from worker import inner_broker
from worker.reconcile import Reconciler

log = structlog.get_logger(__name__)

RECONCILE = "vernier.reconcile"
SWEEP = "vernier.sweep"
JOBS_A_SWEEP = 200
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
"""How long a broker may take. Who tells of a job waits no longer: a message is not worth more."""


def make_app(broker_url: str, sweep_seconds: float) -> Celery:
    """A Celery application that knows the broker and the clock of the sweep; enough to send messages."""
    if broker_url.startswith("redis"):
        from worker import broker  # Redis is not loaded where there is none.

        broker.use()
    elif broker_url.startswith("memory:"):
        inner_broker.use()
    app = Celery("vernier", broker=broker_url, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        task_serializer="json",
        accept_content=["json"],
        worker_hijack_root_logger=False,
        # A broker that is away is waited for, at the start and later, however long that takes.
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # So is one whose queue somebody has put something else in the place of.
        broker_channel_error_retry=True,
        # Nobody may stop workers, or have them run anything, by way of the broker.
        worker_enable_remote_control=False,
        # A message that waited longer than a sweep has been overtaken by one.
        beat_schedule={
            "sweep": {
                "task": SWEEP,
                "schedule": schedule(timedelta(seconds=sweep_seconds), nowfun=_since_boot),
                "options": {"expires": overtaken_seconds(sweep_seconds)},
            }
        },
    )
    if broker_url.startswith("redis"):
        app.conf.broker_transport_options = {
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_timeout": ANSWER_SECONDS,
        }
    return app


def _since_boot() -> datetime:
    """A time that goes on evenly: by the time of day, a clock set back an hour is an hour without sweeps."""
    return datetime.fromtimestamp(time.monotonic(), UTC)


def overtaken_seconds(sweep_seconds: float) -> float:
    """The age at which a message of a sweep is dropped unread: the next sweep has asked for the same."""
    return max(1.0, sweep_seconds)


def make_notify(app: Celery, *, if_due: bool = False, expires: float | None = None) -> Callable[[int], None]:
    """A function that asks for a look at a job. A broker that is away is no error: the sweep asks again.

    Args:
        if_due: only if the job is due when the message arrives: for who has made it so.
        expires: seconds after which a message is dropped unread.
    """

    def notify(job_pk: int) -> None:
        try:
            app.send_task(RECONCILE, args=[job_pk, if_due], ignore_result=True, retry=False, expires=expires)
        except Exception as error:
            log.warning("broker away, the sweep will find the job", job_pk=job_pk, reason=repr(error))

    return notify


class OncePerJob:
    """Runs a look at a job unless one is under way here; then that one looks once more when it is done.

    Without it a hint that arrives while its job is being looked at would be lost until the next sweep.
    """

    def __init__(self, look: Callable[[int, bool], object]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._under_way: set[int] = set()
        self._again: dict[int, bool] = {}

    def __call__(self, job_pk: int, if_due: bool = False) -> None:
        with self._lock:
            if job_pk in self._under_way:
                self._again[job_pk] = self._again.get(job_pk, True) and if_due
                return
            self._under_way.add(job_pk)
        try:
            while True:
                self._look(job_pk, if_due)
                with self._lock:
                    if job_pk not in self._again:
                        self._under_way.discard(job_pk)
                        return
                    if_due = self._again.pop(job_pk)
        except BaseException:
            with self._lock:
                self._under_way.discard(job_pk)
                self._again.pop(job_pk, None)
            raise


def add_tasks(app: Celery, database: Database, reconciler: Reconciler, farthest_seconds: float) -> None:
    """Give a worker's application what its messages ask for.

    Args:
        farthest_seconds: as `due_jobs` has it.
    """
    # Where there are more jobs than looks, the messages of each sweep must not pile up behind the last's.
    sweep_every = app.conf.beat_schedule["sweep"]["schedule"].run_every.total_seconds()
    notify = make_notify(app, if_due=True, expires=overtaken_seconds(sweep_every))
    look = OncePerJob(reconciler.reconcile)

    @app.task(name=RECONCILE)  # type: ignore[untyped-decorator]
    def reconcile(job_pk: int, if_due: bool = False) -> None:
        try:
            look(job_pk, if_due)
        except OperationalError as error:
            log.warning("database away, the sweep will find the job", job_pk=job_pk, reason=str(error.orig))
        except Exception:
            # The job stays due, so the sweep brings it back; one job's trouble is not the others'.
            log.exception("look at a job failed", job_pk=job_pk)

    @app.task(name=SWEEP)  # type: ignore[untyped-decorator]
    def sweep() -> None:
        try:
            with database.read() as session:
                due = due_jobs(session, JOBS_A_SWEEP, farthest_seconds)
        except OperationalError as error:
            log.warning("database away, the next sweep may find it", reason=str(error.orig))
            return
        for job_pk in due:
            notify(job_pk)


class Beat(Scheduler):  # type: ignore[misc]
    """Celery's clock, without a file of its own and with one line where a sweep can't be asked for."""

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except Exception as error:
            log.warning("broker away, asking for a sweep again soon", reason=repr(error.__cause__ or error))
