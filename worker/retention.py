"""Keeps small what ended jobs leave behind, if it is told to: in the background, a part at a time."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import OperationalError

from store.clearing import Cleared, Progress, clear_some, next_to_clear
from store.database import Database
from worker.launchers.protocol import JobRef, Launcher

log = structlog.get_logger(__name__)

DAY = 86_400.0
LOOK_SECONDS = 60.0
"""Between two looks for jobs that have become old enough, at most."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is done with ended jobs, and how many days after their end."""

    goal: Cleared
    days: float

    @property
    def said(self) -> str:
        return (
            f"What this job printed and measured was removed {self.days:g} days after its end "
            "(VERNIER_RETENTION)."
        )


class Retention:
    """May be run by several workers at once: each job is cleared by one, and once."""

    def __init__(
        self, database: Database, launcher: Launcher, kept: Kept, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._launcher = launcher
        self._kept = kept
        self._clock = clock

    def run(self, stop: threading.Event) -> None:
        """Clear what is old enough, again and again, until told to stop."""
        pause = min(LOOK_SECONDS, self._kept.days * DAY / 10)
        while not stop.is_set():
            more = False
            try:
                more = self.step(stop)
            except OperationalError as error:
                log.warning("database away, clearing jobs later", reason=str(error.orig))
            except Exception:
                log.exception("clearing of a job failed")
            if not more:
                stop.wait(pause)

    def step(self, stop: threading.Event | None = None) -> bool:
        """Clear the oldest job that is to be; false if there is none, or it can't be cleared now."""
        goal = self._kept.goal
        with self._database.read() as session:
            job = next_to_clear(session, goal, self._clock() - self._kept.days * DAY)
        if job is None:
            return False
        # Files first: it is the mark in the database that says that all is done.
        self._launcher.discard(JobRef(job.project, job.job_id), everything=goal is Cleared.REMOVED)
        while stop is None or not stop.is_set():
            # What a loss of power undoes here is done again.
            with self._database.write(durable=False) as session:
                progress = clear_some(session, job.key, goal, self._kept.said, self._clock())
            if progress is not Progress.MORE:
                break
        else:
            return False
        if progress is Progress.DONE:
            log.info("ended job cleared", project=job.project, job=job.job_id, goal=str(goal))
        return progress is Progress.DONE
