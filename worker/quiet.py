"""Jobs of which nothing new is to be seen: recognised, and looked at less and less often.

A trial that reports every hour need not be looked at twice a second: a job that has been quiet for a while is
looked at again after a tenth of that. So what it reports is read at most a tenth later than it could be. The
end of a trial is told by its platform and waits for no look.
"""

from collections.abc import Callable, Mapping

from store.models import Trial
from store.states import AttemptState, State
from worker.launchers.protocol import AttemptPhase
from worker.metrics.watch import Cursor, Reading
from worker.observe import Sight
from worker.view import View, current

PART = 0.1
"""Of the time a job has been quiet, after which it is looked at again."""
QUIET_POLLS = 10
"""How many times rarer than others a quiet job is looked at, at most."""
JOBS_REMEMBERED = 10_000


class Quiet:
    """Since when jobs have been quiet, as far as this worker has seen.

    Another worker may have heard of one since; then this one is late by `QUIET_POLLS` polls, once.
    """

    def __init__(self, poll_seconds: float, clock: Callable[[], float]) -> None:
        self._poll = poll_seconds
        self._clock = clock
        self._since: dict[int, float] = {}

    def heard(self, job_pk: int) -> None:
        """Something was new."""
        if job_pk not in self._since and len(self._since) >= JOBS_REMEMBERED:
            self._since.clear()
        self._since[job_pk] = self._clock()

    def forget(self, job_pk: int) -> None:
        self._since.pop(job_pk, None)

    def pause(self, job_pk: int) -> float:
        """Seconds until the next look at a job that has nothing new."""
        if job_pk not in self._since:
            self.heard(job_pk)
        quiet = self._clock() - self._since[job_pk]
        return min(max(self._poll, PART * quiet), QUIET_POLLS * self._poll)


def is_quiet(view: View, sights: Mapping[int, Sight]) -> bool:
    """Whether all that a job wants runs, has run before, and shows nothing new: nothing is to be written."""
    job = view.job
    wanted = min(view.max_parallel_trials, view.max_trials - job.finished_trials)
    return (
        job.state == State.RUNNING
        and job.verdict is None
        and job.waiting is None
        and job.platform_waits is None
        and len(view.live) == wanted > 0
        and all(_goes_on(trial, sights[trial.id]) for trial in view.live)
    )


def is_new(reading: Reading, trial: Trial) -> bool:
    """Whether a reading brought anything that is not stored with its trial."""
    return bool(
        reading.measurements
        or reading.cursor != Cursor.from_json(trial.cursor or {})
        or sorted(reading.tags) != (trial.tags or [])
    )


def _goes_on(trial: Trial, sight: Sight) -> bool:
    attempt = current(trial)
    return (
        attempt.state == AttemptState.RUNNING
        and attempt.stop_reason is None
        and sight.status.phase is AttemptPhase.RUNNING
        and sight.status.waiting is None
        and not any(reading.problems or is_new(reading, trial) for reading in sight.readings)
    )
