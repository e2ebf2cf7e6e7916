"""How often a job is looked at, and how long what concerns it may take."""

import math
from dataclasses import dataclass

from api_schemas.jobs import Scheduling
from store.models import Job
from store.trials import is_in_line
from worker.closing import Retries
from worker.view import View

WAITING_POLLS = 60
"""How many times rarer than others a job is looked at that waits for room: it is told when there is some."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often, how long (in seconds) and how many times."""

    poll_seconds: float
    lease_seconds: float
    stop_grace_seconds: float
    trouble_seconds: float
    """Until a job is looked at again after a look at it failed."""
    max_lost_attempts: int
    retry_backoff_seconds: float = 0.0

    @property
    def retries(self) -> Retries:
        return Retries(self.max_lost_attempts, self.retry_backoff_seconds)

    @property
    def farthest_seconds(self) -> float:
        """No job is left alone, or held without renewing, for longer."""
        return max(WAITING_POLLS * self.poll_seconds, self.trouble_seconds, self.lease_seconds)

    def without_trials(self, job: Job) -> float:
        """Seconds until the next look at a job that has no trial."""
        return self.poll_seconds * (WAITING_POLLS if is_in_line(job.waiting) else 1)

    def look_again(self, job: Job, view: View, expected: float | None, pause: float, now: float) -> None:
        """Note when to look next, unless somebody has asked for a look since: then the job stays due.

        Args:
            expected: when it was due as this look last knew.
            pause: in seconds; less if the job's time is over before.
        """
        if job.next_check_at == expected:
            limit = max(time_limit(job, view), now + self.poll_seconds)
            job.next_check_at = min(now + pause, limit)


def time_limit(job: Job, view: View) -> float:
    """When the job has waited, or run, for as long as it may; infinite without a limit."""
    scheduling = view.input.training_input.scheduling or Scheduling()
    if job.running_time is None:
        begun, limit = job.create_time, scheduling.max_wait_seconds
    else:
        begun, limit = job.running_time, scheduling.max_running_seconds
    return math.inf if limit is None else begun + limit
