"""Removes from a platform what bears the service's mark and nobody owns: no live attempt of the database.

What a crash left between two steps, what a backup that was put back knows nothing of, what could not be
deleted when it was time.
"""

import threading
from collections.abc import Sequence
from typing import Protocol

import structlog
from sqlalchemy.exc import OperationalError

from store.database import Database
from store.trials import jobs_in_preparation, live_attempts
from worker.launchers.protocol import Marked

log = structlog.get_logger(__name__)

LOOK_SECONDS = 60.0
OLD_SECONDS = 300.0
"""What is younger is left: a launch may be under way, or a clock of the platform's be a bit off."""
SEALED_SECONDS = 86_400.0
"""The same for what only keeps an attempt from being launched, by a worker that sleeps for so long."""


class MarkingPlatform(Protocol):
    """One that keeps what it runs under names and marks of ours, beyond the life of this process."""

    def marked(self) -> Sequence[Marked]:
        """All that bears our mark."""
        ...

    def remove(self, marked: Sequence[Marked]) -> None:
        """Remove all of these."""
        ...


class Unowned:
    """May be run by several workers at once: what is removed twice is removed once."""

    def __init__(self, database: Database, platform: MarkingPlatform) -> None:
        self._database = database
        self._platform = platform

    def run(self, stop: threading.Event) -> None:
        """Look, again and again, until told to stop."""
        while not stop.wait(LOOK_SECONDS):
            try:
                self.step()
            except OperationalError as error:
                log.warning("database away, looking for what nobody owns later", reason=str(error.orig))
            except Exception as error:
                log.warning("what nobody owns could not be removed", reason=str(error))

    def step(self) -> list[Marked]:
        """Remove what nobody owns; gives it."""
        # The platform first: what is launched after that is not in the list, whatever the database says.
        found = self._platform.marked()
        with self._database.read() as session:
            attempts, jobs = live_attempts(session), jobs_in_preparation(session)
        unowned = [each for each in found if _is_old(each) and not _is_owned(each, attempts, jobs)]
        if unowned:
            self._platform.remove(unowned)
            log.info("removed what nobody owns", count=len(unowned), first=unowned[0].job.job_id)
        return unowned


def _is_old(marked: Marked) -> bool:
    return marked.age_seconds > (SEALED_SECONDS if marked.is_sealed else OLD_SECONDS)


def _is_owned(marked: Marked, attempts: set[tuple[str, str, int, int]], jobs: set[tuple[str, str]]) -> bool:
    job = (marked.job.project, marked.job.job_id)
    if marked.ref is None:
        return job in jobs
    return (*job, marked.ref.trial, marked.ref.attempt) in attempts
