"""Keeps the lease on a job while its platform takes its time."""

import threading
import time

from store.database import Database
from store.jobs import Lease, hold_lease

PART = 1 / 3
"""Of the lease's length, after which it is renewed."""


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
