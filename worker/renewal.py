"""Keeps the lease on a job while its platform takes its time."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy.exc import OperationalError

from store.database import Database
from store.jobs import Lease, LeaseLost, hold_lease

log = structlog.get_logger(__name__)

PART = 1 / 3
"""Of the lease's length, after which it is renewed."""
LONGEST = 10
"""Times the lease's length that one look may take. Whatever takes longer hangs, and others may try."""


class Renewal:
    """Renews a lease between one request to the platform and the next; from several threads."""

    def __init__(self, database: Database, lease: Lease) -> None:
        self._database = database
        self._lease = lease
        self._lock = threading.Lock()
        self._due = time.monotonic() + PART * lease.seconds

    def renew(self) -> None:
        """Renew it, if it is time for that.

        Raises:
            LeaseLost: another worker has the job.
        """
        with self._lock:
            if time.monotonic() < self._due:
                return
            with self._database.write(durable=False) as session:
                hold_lease(session, self._lease)
            self._due = time.monotonic() + PART * self._lease.seconds


class LongLooks:
    """Renews the leases of looks that take long, whatever they are at; from a thread of its own.

    A look that always takes longer than the lease would else be lost to the next worker each time, and the
    job would get nowhere.

    Args:
        seconds: the length of a lease.
    """

    def __init__(self, database: Database, seconds: float) -> None:
        self._database = database
        self._seconds = seconds
        self._begun: dict[Lease, float] = {}
        """{a lease that is held for a look: since when}"""

    @contextmanager
    def keep(self, lease: Lease) -> Iterator[None]:
        """Renew a lease while the block runs."""
        self._begun[lease] = time.monotonic()
        try:
            yield
        finally:
            self._begun.pop(lease, None)

    def run(self, stop: threading.Event) -> None:
        """Renew what is due, again and again, until told to stop."""
        while not stop.wait(PART * self._seconds / 2):
            self.step()

    def step(self) -> None:
        """Renew the leases of all looks that have taken long by now."""
        now = time.monotonic()
        for lease, begun in tuple(self._begun.items()):
            if not PART * self._seconds / 2 <= now - begun <= LONGEST * self._seconds:
                continue
            try:
                with self._database.write(durable=False) as session:
                    hold_lease(session, lease)
            except LeaseLost:
                self._begun.pop(lease, None)  # Or the look has just ended. If not, it will hear of it.
            except OperationalError as error:
                log.warning("database away, renewing a lease later", reason=str(error.orig))
