"""New trials and those that are tried again: as many as the job may have and the machine has room for.

Who finds no room waits in line, and is told by whoever gives some up.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import structlog
from sqlalchemy.orm import Session

from store.database import Database
from store.jobs import Lease, ask_for_look, hold_lease, not_yet_due
from store.log_entries import add_log_entries, tell
from store.models import Job, Trial
from store.trials import add_trial, hold_slots, is_in_line, live_trials
from worker.closing import is_due
from worker.launchers.protocol import Launcher
from worker.pace import Pace
from worker.resources import Need, need_of
from worker.room import Room, read_room
from worker.starting import commands
from worker.study import PLAIN_TRAINING, Studies, Suggested
from worker.turns import whose_turn
from worker.view import View, current

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NewTrials:
    """What came of asking for more."""

    trials: Sequence[Trial] = ()
    none_left: bool = False
    """None lives and none is to come: the job is over."""
    waits: bool = False
    """The job has begun to wait for room, for a first trial or for one more."""


class FreeSlots:
    """Fills the machine's free slots with trials. What it decides is written before it is acted on."""

    def __init__(
        self,
        database: Database,
        launcher: Launcher,
        studies: Studies,
        pace: Pace,
        clock: Callable[[], float],
        notify: Callable[[int], None],
    ) -> None:
        """`notify` tells that a job is due; what it tells may be lost."""
        self._database = database
        self._launcher = launcher
        self._studies = studies
        self._pace = pace
        self._clock = clock
        self._notify = notify

    def need(self, view: View) -> Need:
        """What a trial of the job takes of the machine."""
        return need_of(view.input.training_input, view.job.labels, self._launcher.machine)

    def room(self, session: Session) -> Room:
        """What there is of the machine, and who has it."""
        return read_room(session, self._launcher.machine)

    def start_again(self, lease: Lease, view: View, live: Sequence[Trial]) -> Sequence[Trial]:
        """Give those whose wait is over what they need of the machine, as far as there is room.

        While they wait they have none of it. Gives the job's live trials as they are then.
        """
        if not any(is_due(current(trial), self._clock()) for trial in live):
            return live
        need = self.need(view)
        with self._database.write() as session:
            job = hold_lease(session, lease)
            if job.verdict is not None:
                return live
            hold_slots(session)
            live = live_trials(session, job.id)
            due = [current(trial) for trial in live if is_due(current(trial), self._clock())]
            room = self.room(session)
            shares = room.shares(job.id, need, len(due))
            for attempt, share in zip(due, shares, strict=False):  # The others go on waiting, for room.
                attempt.resources, attempt.not_before = share.to_json(), None
            if shares:
                job.waiting = None
            elif not any(holds_room(trial) for trial in live):
                self.wait(session, job, need, room.why_not(need))
        return live

    def refill(
        self, lease: Lease, view: View, live: Sequence[Trial], next_check_at: float | None
    ) -> NewTrials:
        """Write the intent of as many new trials as there is room for, or have the job wait for some.

        Args:
            next_check_at: when it was due as this look last knew.
        """
        study = self._studies.of(view)
        need = self.need(view)
        with self._database.read() as session:
            job = session.get_one(Job, lease.job_pk)
            if study is not None:
                study.catch_up(session, job)
            started = job.finished_trials + len(live)
            wanted = min(view.max_parallel_trials - len(live), view.max_trials - started)
            room = self.room(session) if wanted > 0 else None
            possible = 0 if room is None else len(room.shares(job.id, need, wanted))
        if started >= view.max_trials and not live:
            return NewTrials(none_left=True)
        if room is None:
            return NewTrials()
        if possible == 0:
            why = None if any(holds_room(trial) for trial in live) else room.why_not(need)
            return self._begin_to_wait(lease, view, job, need, live, why, next_check_at)
        suggested = PLAIN_TRAINING if study is None else study.suggest(live, possible)
        if not suggested.values:
            # A finite space is exhausted: the job is over when its last trial is.
            if live:
                self._want_no_more(lease, job)
            return NewTrials(none_left=not live)
        with self._database.write() as session:
            job = hold_lease(session, lease)
            if job.verdict is not None:
                return NewTrials()
            now = self._clock()
            # Another job may have taken slots meanwhile. A suggestion not used is made again, the same.
            hold_slots(session)
            shares = self.room(session).shares(job.id, need, len(suggested.values))
            given = zip(suggested.values, shares, strict=False)  # There may be fewer shares by now.
            trials = [
                add_trial(session, job, number, values, now, share.to_json())
                for number, (values, share) in enumerate(given, start=started + 1)
            ]
            if not trials:
                return NewTrials()
            wants_more = len(trials) < wanted and len(suggested.values) == possible
            job.waiting = _waiting(job, need, None, now) if wants_more else None
            # Of one that waited, a look was to come later; and one that has just been told of room again
            # has some.
            in_time = min(job.next_check_at or now, now + self._pace.poll_seconds)
            job.next_check_at = in_time if live else now + self._pace.poll_seconds
            said = [command for trial in trials for command in commands(view, trial)]
            add_log_entries(session, job.project, job.id, said, now)
            if study is not None:
                session.add(study.record_suggestion(job, suggested, [t.number for t in trials], now))
                _tell_stand_in(session, job, suggested, now)
        return NewTrials(trials)

    def wait(self, session: Session, job: Job, need: Need, why: str | None) -> None:
        """Note that the job wants more room than it has, and say so, once, if it has none; see `_waiting`."""
        if job.verdict is not None:
            return
        now = self._clock()
        before, job.waiting = job.waiting, _waiting(job, need, why, now)
        if why is not None and not is_in_line(before):
            tell(session, job, f"Waiting for room on this machine: a trial needs {need}.", now=now)
            log.info("job waits for room", needs=str(need))

    def give_turns(self) -> None:
        """Tell those who wait for room that there is some. Should this be lost, they ask by themselves.

        Whoever has been looked at since it was read what room there is knows of it.
        """
        with self._database.read() as session:
            turns = not_yet_due(session, whose_turn(self.room(session)))
        for job_pk, looks in turns.items():
            with self._database.write(durable=False) as session:
                asked = ask_for_look(session, job_pk, looks)
            if asked:
                self._notify(job_pk)

    def _begin_to_wait(
        self,
        lease: Lease,
        view: View,
        job: Job,
        need: Need,
        live: Sequence[Trial],
        why: str | None,
        next_check_at: float | None,
    ) -> NewTrials:
        """Note that there is no room, unless that is what the job's row says already."""
        if job.waiting == _waiting(job, need, why, self._clock()):
            return NewTrials()
        with self._database.write() as session:
            job = hold_lease(session, lease)
            self.wait(session, job, need, why)
            if not live:
                pause = self._pace.without_trials(job)
                self._pace.look_again(job, view, next_check_at, pause, self._clock())
        return NewTrials(waits=True)

    def _want_no_more(self, lease: Lease, job: Job) -> None:
        if job.waiting is not None:
            with self._database.write() as session:
                hold_lease(session, lease).waiting = None


def holds_room(trial: Trial) -> bool:
    """Whether a live trial has something of the machine; one that waits to be tried again has nothing."""
    return current(trial).not_before is None


def _waiting(job: Job, need: Need, why: str | None, now: float) -> dict[str, Any]:
    """What `Job.waiting` is to be.

    Args:
        why: the job has no trial, in sentences; None if it has some and wants more.
    """
    goes_on = job.waiting is not None and is_in_line(job.waiting) == (why is not None)
    since = job.waiting["since"] if goes_on and job.waiting is not None else now
    return {"since": since, "need": asdict(need), "why": why}


def _tell_stand_in(session: Session, job: Job, suggested: Suggested, now: float) -> None:
    answer = suggested.answer
    if answer.instead_of is not None:
        said = f"{answer.instead_of} gave no suggestion ({answer.because}); a quasi-random one is tried."
        tell(session, job, said, severity="WARNING", now=now)
        log.warning("no suggestion", algorithm=answer.instead_of, reason=answer.because)
