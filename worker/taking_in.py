"""Storing what was seen of trials: what they measured, that they run, how they ended."""

from collections.abc import Callable

import structlog
from sqlalchemy.orm import Session

from store.log_entries import tell
from store.measurements import add_measurements, last_value, supersede
from store.models import Job, Trial
from store.states import AttemptState, State
from worker.closing import Retries, close, tell_end
from worker.launchers.protocol import AttemptPhase
from worker.metrics.watch import Reading
from worker.missing_metric import missing_so_far
from worker.observe import Sight
from worker.quiet import is_new
from worker.view import View, current

log = structlog.get_logger(__name__)

PROBLEMS_REMEMBERED = 10_000


class Intake:
    """Takes in sights. What it remembers only keeps the same problem from being logged at every look."""

    def __init__(self, retries: Retries, clock: Callable[[], float]) -> None:
        self._retries = retries
        self._clock = clock
        self._told: set[tuple[int, str]] = set()

    def take_in(self, session: Session, job: Job, trial: Trial, view: View, sight: Sight | None) -> bool:
        """Store what was seen of a trial; true if it has new measurements or has ended."""
        attempt = current(trial)
        if sight is None or sight.attempt != attempt.number:
            return False
        knew_tags = bool(trial.tags)
        measured = [self._store_reading(session, trial, reading) for reading in sight.readings]
        never_started = sight.status.phase is AttemptPhase.ABSENT
        if sight.status.phase in (AttemptPhase.ENDED, AttemptPhase.LOST) or (
            never_started and attempt.stop_reason is not None
        ):
            close(job, trial, sight, view.input.metric_tag, self._retries, self._clock())
            tell_end(session, job, trial, self._clock())
            return True
        begun = sight.status.phase is AttemptPhase.RUNNING and sight.status.waiting is None
        if begun and attempt.state == AttemptState.LAUNCHING:
            attempt.state = AttemptState.RUNNING
            attempt.start_time = self._clock()
            trial.state = State.RUNNING
        # Once is enough for a job, and its first trial is the soonest to know.
        if trial.number == 1 and not knew_tags:
            self._tell_missing(session, job, trial, view.input.metric_tag)
        return any(measured)

    def _tell_missing(self, session: Session, job: Job, trial: Trial, tag: str | None) -> None:
        told = None if tag is None else missing_so_far(trial.tags or [], tag)
        if told is not None:
            severity, said = told
            tell(session, job, said, severity=severity, trial=trial.number, now=self._clock())

    def _store_reading(self, session: Session, trial: Trial, reading: Reading) -> bool:
        """Keep a reading and how far it went, together; true if it brought measurements."""
        for problem in reading.problems:
            self._tell_once(trial, problem)
        if not is_new(reading, trial):
            return False
        trial.cursor = reading.cursor.to_json()
        if sorted(reading.tags) != (trial.tags or []):
            trial.tags = sorted(reading.tags)
        if not reading.measurements:
            return False
        own = reading.cursor.hypertune_source
        steps = [each.step for each in reading.measurements if each.source >= own]
        if steps and current(trial).number > 1:
            supersede(session, trial.id, min(steps), own)
        add_measurements(session, trial.id, reading.measurements)
        trial.final_step, trial.final_value = last_value(session, trial.id) or (None, None)
        return True

    def _tell_once(self, trial: Trial, problem: str) -> None:
        # What lasts, such as a file that may not be read, is met again at every look.
        if (trial.id, problem) not in self._told:
            if len(self._told) >= PROBLEMS_REMEMBERED:
                self._told.clear()
            self._told.add((trial.id, problem))
            log.warning("metric file", trial=trial.number, problem=problem)
