"""Decides what to do about one job, and does it.

`Reconciler.reconcile(job)` is level-triggered and idempotent: it reads the job, observes what runs, reads new
measurements, closes what has ended, stops what should stop, asks for suggestions while slots are free. Each
change is one transaction that writes the intent; only then does it act. If it dies in between, the next call
finds the intent and acts on it: names are deterministic, so acting twice is acting once.

One job is looked at by one worker at a time, the one that holds the lease on its row.
"""

import math
import shlex
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import structlog
from sqlalchemy.orm import Session

from api_schemas.jobs import Scheduling
from store.database import Database
from store.jobs import (
    Lease,
    LeaseLost,
    acquire_lease,
    ask_for_look,
    hold_lease,
    not_yet_due,
    release_lease,
    request_cancel,
    set_state,
)
from store.log_entries import NewEntry, add_log_entries, tell
from store.measurements import add_measurements, last_value, supersede
from store.models import Job, Trial
from store.states import FINISHED, AttemptState, State
from store.trials import add_trial, hold_slots, is_in_line, live_trials
from worker.closing import (
    CANCEL,
    JOB_ENDED,
    TIMEOUT,
    Retries,
    close,
    is_due,
    tell_end,
    tell_refused,
    tell_to_stop,
)
from worker.launchers.protocol import (
    AttemptPhase,
    AttemptSpec,
    AttemptStatus,
    Launcher,
    LaunchFailed,
    PackagesSpec,
    PreparationPhase,
)
from worker.logs.keeping import LogKeeper
from worker.metrics.watch import Reading
from worker.observe import Sight, observe
from worker.platform_waits import none_has_begun, why_waiting
from worker.quiet import Quiet, is_new, is_quiet
from worker.renewal import Renewal
from worker.resources import Need, Share, need_of
from worker.room import Room, read_room
from worker.stopping import report_stops, stop_hopeless
from worker.study import PLAIN_TRAINING, Studies, Suggested
from worker.trial_spec import attempt_spec, runtime_of
from worker.turns import whose_turn
from worker.verdict import verdict
from worker.view import View, current, look, read_rows, view_of

log = structlog.get_logger(__name__)

PROBLEMS_REMEMBERED = 10_000
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


@dataclass(frozen=True, slots=True)
class NewTrials:
    """What came of asking for more."""

    trials: Sequence[Trial] = ()
    job_ended: bool = False
    """There are none any more."""
    waits: bool = False
    """The job has begun to wait for room, for a first trial or for one more."""


class Reconciler:
    """Looks after jobs. Calls may come from several threads; those for one job wait their turn elsewhere."""

    def __init__(
        self,
        database: Database,
        launcher: Launcher,
        pace: Pace,
        owner: str,
        clock: Callable[[], float] = time.time,
        notify: Callable[[int], None] = lambda job_pk: None,
        studies: Studies | None = None,
    ) -> None:
        """`notify` tells that a job is due; what it tells may be lost. `studies` make the suggestions."""
        self._database = database
        self._launcher = launcher
        self._pace = pace
        self._owner = owner
        self._clock = clock
        self._notify = notify
        self._studies = studies or Studies()
        self._logs = LogKeeper(database, launcher, clock)
        self._quiet = Quiet(pace.poll_seconds, clock)
        self._told: set[tuple[int, str]] = set()

    def reconcile(self, job_pk: int, if_due: bool = False) -> bool:
        """Take the job as far as it can go now; false if another worker holds it or it has ended.

        Args:
            if_due: do nothing, either, if it has been looked at since it was due.
        """
        looked, again = self._look_once(job_pk, if_due=if_due)
        if again:
            self._look_once(job_pk, if_due=True)
        return looked

    def _look_once(self, job_pk: int, *, if_due: bool) -> tuple[bool, bool]:
        """Whether it was done, and whether somebody has asked for another meanwhile."""
        # One owner name a call: two threads of one worker are two owners.
        owner = f"{self._owner}/{threading.get_ident()}"
        # Taking and giving back a lease need not outlive a loss of power: neither does who holds it.
        with self._database.write(durable=False) as session:
            farthest = self._pace.farthest_seconds if if_due else None
            lease = acquire_lease(session, job_pk, owner, self._pace.lease_seconds, farthest=farthest)
            # Whoever has the lease is alone with them: in one transaction they are one snapshot.
            rows = read_rows(session, job_pk) if lease is not None else None
        if lease is None or rows is None:
            return False, False
        looked, again = True, False
        try:
            view = view_of(*rows, self._launcher.objects_dir)
            while self._step(lease, view):
                view = look(self._database, job_pk, self._launcher.objects_dir)
        except LeaseLost as lost:
            log.warning("lease lost", reason=str(lost))
            looked = False
        except Exception:
            # Nobody's fault that is known: the job stays as it is and is looked at again, not at once.
            log.exception("look at a job failed")
            self._put_off(lease)
        finally:
            structlog.contextvars.unbind_contextvars("project", "job")
            with self._database.write(durable=False) as session:
                again = release_lease(session, lease)
        return looked, again

    def _step(self, lease: Lease, view: View) -> bool:
        """One change of the job's state, or one look at its trials; true if the next can follow at once."""
        structlog.contextvars.bind_contextvars(project=view.ref.project, job=view.ref.job_id)
        match view.job.state:
            case State.QUEUED:
                return self._leave_queue(lease, view)
            case State.PREPARING:
                return self._prepare(lease, view)
            case State.RUNNING | State.CANCELLING:
                return self._look_after_trials(lease, view)
            case _:
                return False

    # Before the first trial

    def _leave_queue(self, lease: Lease, view: View) -> bool:
        with self._database.write() as session:
            job = self._hold(session, lease)
            if job.state == State.QUEUED and not self._past_max_wait(job, view):
                set_state(job, State.PREPARING)
                job.start_time = self._clock()
                tell(session, job, "Waiting for job to be provisioned.", now=job.start_time)
                log.info("job leaves the queue")
        return True

    def _prepare(self, lease: Lease, view: View) -> bool:
        uris = tuple(view.input.training_input.package_uris or ())
        runtime = runtime_of(view.input.training_input)
        preparation = self._launcher.prepare(PackagesSpec(view.ref, uris, runtime))
        need = self._need(view)
        with self._database.write() as session:
            job = self._hold(session, lease)
            if job.state != State.PREPARING or self._past_max_wait(job, view):
                return True
            held_up = preparation.message if preparation.phase is PreparationPhase.UNDER_WAY else ""
            job.platform_waits = held_up or None
            match preparation.phase:
                case PreparationPhase.READY if not (room := self._room(session)).shares(job.id, need, 1):
                    # It has not begun: the clock of maxRunningTime stands, that of maxWaitTime runs.
                    self._look_again(job, view, view.job.next_check_at, self._pause(job))
                    self._wait(session, job, need, room.why_not(need))
                case PreparationPhase.READY:
                    set_state(job, State.RUNNING)
                    job.running_time = self._clock()
                    tell(session, job, "Waiting for training program to start.", now=job.running_time)
                    log.info("job runs")
                    return True
                case PreparationPhase.FAILED:
                    message = f"The packages could not be installed. {preparation.message}"
                    self._end_job(session, job, State.FAILED, message)
                case PreparationPhase.UNDER_WAY:
                    self._look_again(job, view, view.job.next_check_at, self._pace.poll_seconds)
        return False

    def _past_max_wait(self, job: Job, view: View) -> bool:
        limit = (view.input.training_input.scheduling or Scheduling()).max_wait_seconds
        if limit is None or self._clock() < job.create_time + limit:
            return False
        reason = f"The job waited longer than its maxWaitTime of {limit:g} s and was cancelled."
        return request_cancel(job, reason, self._clock())

    # From the first trial to the last

    def _look_after_trials(self, lease: Lease, view: View) -> bool:
        renewal = Renewal(self._database, lease)
        for trial in view.live:
            # Before it is looked at: what is not there then, and is closed for it, must never come.
            if current(trial).stop_reason is not None:
                renewal.renew()
                self._launcher.stop(view.attempt_ref(trial), self._pace.stop_grace_seconds)
        sights = observe(self._launcher, view)
        kept = self._logs.keep(lease, view, sights)
        if is_quiet(view, sights) and not self._is_out_of_time(view.job, view):
            self._rest(lease, view, kept.news)
            return False
        self._quiet.heard(view.job.id)
        for key in kept.behind:
            # Until all that it printed is kept, what has ended counts as running.
            sights[key] = replace(sights[key], status=AttemptStatus(AttemptPhase.RUNNING))
        installing = view.job.state == State.CANCELLING and not self._launcher.abandon_preparation(view.ref)
        with self._database.write() as session:
            job = self._hold(session, lease)
            trials = live_trials(session, job.id)
            idle = none_has_begun(job, trials)
            held = idle and job.platform_waits is not None
            out_of_time = not held and self._enforce_max_running(job, view)
            # Nothing that is asked meanwhile depends on what is changed: all of it is written in one go.
            with session.no_autoflush:
                fresh = [trial for trial in trials if self._take_in(session, job, trial, view, sights)]
            live: Sequence[Trial] = [trial for trial in trials if trial.finish_order is None]
            self._note_waits(session, job, view, live, sights, idle)
            self._settle(session, job, view, [trial for trial in fresh if trial.finish_order is not None])
            if job.verdict is None:
                self._stop_hopeless(session, job, view, [t for t in fresh if t.finish_order is None], live)
            elif not live and not installing:
                self._end_job(session, job, job.verdict, job.error_message)
            else:
                job.waiting = None
                for trial in live:
                    ended = CANCEL if job.verdict == State.CANCELLED else JOB_ENDED
                    tell_to_stop(trial, TIMEOUT if out_of_time else ended)
            if job.state not in FINISHED:
                pause = self._pace.poll_seconds if live else self._pause(job)
                self._look_again(job, view, view.job.next_check_at, pause)
        if job.verdict is None:
            live = self._start_again(lease, view, live)
        new = self._refill(lease, view, live, job.next_check_at) if job.verdict is None else NewTrials()
        over = job.state in FINISHED or new.job_ended
        refused = not over and self._act(lease, view, [*live, *new.trials])
        # Also when it has just come to wait: room that appeared before was told to others alone.
        if over or new.waits or any(t.finish_order is not None or not _holds(t) for t in fresh):
            self._give_turns()
        return not over and (refused or bool(kept.behind))

    def _rest(self, lease: Lease, view: View, news: bool) -> None:
        """Leave alone for a while a job of which nothing is to be written."""
        if news:
            self._quiet.heard(view.job.id)
        pause = self._quiet.pause(view.job.id)
        with self._database.write(durable=False) as session:
            self._look_again(self._hold(session, lease), view, view.job.next_check_at, pause)

    def _enforce_max_running(self, job: Job, view: View) -> bool:
        """Cancel a job whose time is over; true if it was cancelled now."""
        if not self._is_out_of_time(job, view):
            return False
        limit = (view.input.training_input.scheduling or Scheduling()).max_running_seconds
        reason = f"The job ran longer than its maxRunningTime of {limit:g} s and was cancelled."
        return request_cancel(job, reason, self._clock())

    def _is_out_of_time(self, job: Job, view: View) -> bool:
        return job.running_time is not None and self._clock() > _time_limit(job, view)

    def _note_waits(
        self,
        session: Session,
        job: Job,
        view: View,
        live: Sequence[Trial],
        sights: Mapping[int, Sight],
        idle: bool,
    ) -> None:
        """Say what the platform lets trials wait for. Until one has begun, the job's time to run has not.

        Args:
            idle: none had begun before this look.
        """
        why = why_waiting(live, sights, view.spec is not None) if job.verdict is None else None
        before, job.platform_waits = job.platform_waits, why
        if why is not None and before is None:
            tell(session, job, f"Waiting for the platform. {why}", now=self._clock())
        if idle and before is not None and why is None:
            job.running_time = self._clock()
        elif idle and why is not None:
            self._past_max_wait(job, view)

    def _take_in(
        self, session: Session, job: Job, trial: Trial, view: View, sights: Mapping[int, Sight]
    ) -> bool:
        """Store what was seen of a trial; true if it has new measurements or has ended."""
        sight = sights.get(trial.id)
        attempt = current(trial)
        if sight is None or sight.attempt != attempt.number:
            return False
        measured = [self._store_reading(session, trial, reading) for reading in sight.readings]
        never_started = sight.status.phase is AttemptPhase.ABSENT
        if sight.status.phase in (AttemptPhase.ENDED, AttemptPhase.LOST) or (
            never_started and attempt.stop_reason is not None
        ):
            close(job, trial, sight, view.input.metric_tag, self._pace.retries, self._clock())
            tell_end(session, job, trial, self._clock())
            return True
        begun = sight.status.phase is AttemptPhase.RUNNING and sight.status.waiting is None
        if begun and attempt.state == AttemptState.LAUNCHING:
            attempt.state = AttemptState.RUNNING
            trial.state = State.RUNNING
        return any(measured)

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

    def _settle(self, session: Session, job: Job, view: View, ended: Sequence[Trial]) -> None:
        """Note how the job will end, if the trials that ended say so."""
        settled = verdict(session, job, view.spec, ended) if job.verdict is None else None
        if settled is not None:
            job.verdict, job.error_message = settled

    def _stop_hopeless(
        self, session: Session, job: Job, view: View, running: Sequence[Trial], live: Sequence[Trial]
    ) -> None:
        """Write the intent to stop the running trials that the stopping rule gives up."""
        study = self._studies.of(view)
        if study is None or not study.stops_early or not running:
            return
        session.flush()
        study.catch_up(session, job)
        assert view.spec is not None
        stop_hopeless(session, job, study, view.spec, running, live, self._clock())

    # New trials, and those that are tried again

    def _start_again(self, lease: Lease, view: View, live: Sequence[Trial]) -> Sequence[Trial]:
        """Give those whose wait is over what they need of the machine, as far as there is room.

        While they wait they have none of it. Gives the job's live trials as they are then.
        """
        if not any(is_due(current(trial), self._clock()) for trial in live):
            return live
        need = self._need(view)
        with self._database.write() as session:
            job = self._hold(session, lease)
            if job.verdict is not None:
                return live
            hold_slots(session)
            live = live_trials(session, job.id)
            due = [current(trial) for trial in live if is_due(current(trial), self._clock())]
            room = self._room(session)
            shares = room.shares(job.id, need, len(due))
            for attempt, share in zip(due, shares, strict=False):  # The others go on waiting, for room.
                attempt.resources, attempt.not_before = share.to_json(), None
            if shares:
                job.waiting = None
            elif not any(_holds(trial) for trial in live):
                self._wait(session, job, need, room.why_not(need))
        return live

    def _refill(
        self, lease: Lease, view: View, live: Sequence[Trial], next_check_at: float | None
    ) -> NewTrials:
        """Write the intent of as many new trials as there is room for, or end the job, or have it wait.

        Args:
            next_check_at: when it was due as this look last knew.
        """
        study = self._studies.of(view)
        need = self._need(view)
        with self._database.read() as session:
            job = session.get_one(Job, lease.job_pk)
            if study is not None:
                study.catch_up(session, job)
            started = job.finished_trials + len(live)
            room = min(view.max_parallel_trials - len(live), view.max_trials - started)
            machine = self._room(session) if room > 0 else None
            wanted = 0 if machine is None else len(machine.shares(job.id, need, room))
        if started >= view.max_trials and not live:
            self._succeed(lease)
            return NewTrials(job_ended=True)
        if wanted == 0:
            has_some = any(_holds(trial) for trial in live)
            why = None if has_some or machine is None else machine.why_not(need)
            if machine is None or job.waiting == _waiting(job, need, why, self._clock()):
                return NewTrials()
            with self._database.write() as session:
                job = self._hold(session, lease)
                self._wait(session, job, need, why)
                if not live:
                    self._look_again(job, view, next_check_at, self._pause(job))
            return NewTrials(waits=True)
        suggested = PLAIN_TRAINING if study is None else study.suggest(live, wanted)
        if not suggested.values:
            # A finite space is exhausted: the job is over when its last trial is.
            if live:
                self._want_no_more(lease, job)
                return NewTrials()
            self._succeed(lease)
            return NewTrials(job_ended=True)
        with self._database.write() as session:
            job = self._hold(session, lease)
            if job.verdict is not None:
                return NewTrials()
            now = self._clock()
            # Another job may have taken slots meanwhile. A suggestion not used is made again, the same.
            hold_slots(session)
            shares = self._room(session).shares(job.id, need, len(suggested.values))
            given = zip(suggested.values, shares, strict=False)  # There may be fewer shares by now.
            trials = [
                add_trial(session, job, number, values, now, share.to_json())
                for number, (values, share) in enumerate(given, start=started + 1)
            ]
            if trials:
                wants_more = len(trials) < room and len(suggested.values) == wanted
                job.waiting = _waiting(job, need, None, now) if wants_more else None
                # Of one that waited, a look was to come later; and one that has just been told of room again
                # has some.
                in_time = min(job.next_check_at or now, now + self._pace.poll_seconds)
                job.next_check_at = in_time if live else now + self._pace.poll_seconds
            commands = [command for trial in trials for command in _commands(view, trial)]
            add_log_entries(session, job.project, job.id, commands, now)
            if study is not None and trials:
                session.add(study.record_suggestion(job, suggested, [t.number for t in trials], now))
                self._tell_stand_in(session, job, suggested, now)
        return NewTrials(trials)

    def _tell_stand_in(self, session: Session, job: Job, suggested: Suggested, now: float) -> None:
        answer = suggested.answer
        if answer.instead_of is not None:
            said = f"{answer.instead_of} gave no suggestion ({answer.because}); a quasi-random one is tried."
            tell(session, job, said, severity="WARNING", now=now)
            log.warning("no suggestion", algorithm=answer.instead_of, reason=answer.because)

    def _room(self, session: Session) -> Room:
        return read_room(session, self._launcher.machine)

    def _need(self, view: View) -> Need:
        return need_of(view.input.training_input, view.job.labels, self._launcher.machine)

    def _wait(self, session: Session, job: Job, need: Need, why: str | None) -> None:
        """Note that the job wants more room than it has, and say so, once, if it has none; see `_waiting`."""
        if job.verdict is not None:
            return
        now = self._clock()
        before, job.waiting = job.waiting, _waiting(job, need, why, now)
        if why is not None and not is_in_line(before):
            tell(session, job, f"Waiting for room on this machine: a trial needs {need}.", now=now)
            log.info("job waits for room", needs=str(need))

    def _want_no_more(self, lease: Lease, job: Job) -> None:
        if job.waiting is not None:
            with self._database.write() as session:
                self._hold(session, lease).waiting = None

    def _give_turns(self) -> None:
        """Tell those who wait for room that there is some. Should this be lost, they ask by themselves.

        Whoever has been looked at since it was read what room there is knows of it.
        """
        with self._database.read() as session:
            turns = not_yet_due(session, whose_turn(self._room(session)))
        for job_pk, looks in turns.items():
            with self._database.write(durable=False) as session:
                asked = ask_for_look(session, job_pk, looks)
            if asked:
                self._notify(job_pk)

    def _succeed(self, lease: Lease) -> None:
        with self._database.write() as session:
            job = self._hold(session, lease)
            if job.verdict is None:
                self._end_job(session, job, State.SUCCEEDED, None)

    # Acting on what was written

    def _act(self, lease: Lease, view: View, live: Sequence[Trial]) -> bool:
        """Start and stop what the database says should be; true if something could not be started."""
        due, renewal = [], Renewal(self._database, lease)
        for trial in live:
            if current(trial).stop_reason is not None:
                renewal.renew()
                self._launcher.stop(view.attempt_ref(trial), self._pace.stop_grace_seconds)
            elif current(trial).state == AttemptState.LAUNCHING and current(trial).not_before is None:
                due.append(trial)
        refused: dict[int, LaunchFailed] = {}
        failures = self._launch([_spec(view, trial) for trial in due], renewal)
        for trial, failure in zip(due, failures, strict=True):
            if failure is not None:
                log.error("attempt not started", trial=trial.number, reason=str(failure))
                refused[trial.id] = failure
        if not refused:
            return False
        with self._database.write() as session:
            job = self._hold(session, lease)
            for trial in live_trials(session, job.id):
                if trial.id in refused:
                    tell_refused(trial, refused[trial.id])
        return True

    def _launch(self, specs: Sequence[AttemptSpec], renewal: Renewal) -> list[LaunchFailed | None]:
        """Start attempts, side by side if the platform can; why each of them was not."""

        def launch(spec: AttemptSpec) -> LaunchFailed | None:
            renewal.renew()
            try:
                self._launcher.launch(spec)
            except LaunchFailed as error:
                return error
            return None

        side_by_side = min(self._launcher.launches_at_once, len(specs))
        if side_by_side < 2:
            return [launch(spec) for spec in specs]
        with ThreadPoolExecutor(side_by_side, "launch") as pool:
            return list(pool.map(launch, specs))

    # What every step shares

    def _hold(self, session: Session, lease: Lease) -> Job:
        """The job's row, locked, for a worker that still has the right to change it."""
        return hold_lease(session, lease)

    def _pause(self, job: Job) -> float:
        """Seconds until the next look at a job that has no trial."""
        polls = WAITING_POLLS if is_in_line(job.waiting) else 1
        return polls * self._pace.poll_seconds

    def _look_again(self, job: Job, view: View, expected: float | None, pause: float) -> None:
        """Note when, unless somebody has asked for it since: then it stays due.

        Args:
            expected: when it was due as this look last knew.
            pause: in seconds; less if the job's time is over before.
        """
        if job.next_check_at == expected:
            now = self._clock()
            limit = max(_time_limit(job, view), now + self._pace.poll_seconds)
            job.next_check_at = min(now + pause, limit)

    def _put_off(self, lease: Lease) -> None:
        with suppress(LeaseLost), self._database.write() as session:
            job = self._hold(session, lease)
            if job.state in FINISHED:
                return  # A commit that was told to have failed had not.
            job.next_check_at = self._clock() + self._pace.trouble_seconds
            job.waiting = None  # Nobody should wait for it to take what it may never take.

    def _end_job(self, session: Session, job: Job, state: State, message: str | None) -> None:
        set_state(job, state)
        job.error_message = message if state is not State.SUCCEEDED else None
        job.end_time = self._clock()
        job.next_check_at = None
        job.platform_waits = None
        report_stops(session, job, job.end_time)
        severity = "ERROR" if state is State.FAILED else "INFO"
        said = job.error_message or f"The job is {state}."
        tell(
            session,
            job,
            "Job completed successfully." if state is State.SUCCEEDED else said,
            severity=severity,
            now=job.end_time,
        )
        self._studies.drop(job.id)
        self._quiet.forget(job.id)
        log.info("job ended", state=str(state))


def _waiting(job: Job, need: Need, why: str | None, now: float) -> dict[str, Any]:
    """What `Job.waiting` is to be.

    Args:
        why: the job has no trial, in sentences; None if it has some and wants more.
    """
    goes_on = job.waiting is not None and is_in_line(job.waiting) == (why is not None)
    since = job.waiting["since"] if goes_on and job.waiting is not None else now
    return {"since": since, "need": asdict(need), "why": why}


def _holds(trial: Trial) -> bool:
    """Whether a live trial has something of the machine; one that waits to be tried again has nothing."""
    return current(trial).not_before is None


def _time_limit(job: Job, view: View) -> float:
    """When the job has waited, or run, for as long as it may."""
    scheduling = view.input.training_input.scheduling or Scheduling()
    if job.running_time is None:
        begun, limit = job.create_time, scheduling.max_wait_seconds
    else:
        begun, limit = job.running_time, scheduling.max_running_seconds
    return math.inf if limit is None else begun + limit


def _spec(view: View, trial: Trial) -> AttemptSpec:
    spec = attempt_spec(view.input, view.attempt_ref(trial), trial.values)
    return replace(spec, share=Share.from_json(current(trial).resources))


def _commands(view: View, trial: Trial) -> list[NewEntry]:
    """What the log says of the replicas of a trial that is about to be started."""
    spec = _spec(view, trial)
    command = f"Running command: {shlex.join(['python', '-m', spec.module, *spec.args])}"
    number = None if view.spec is None else trial.number
    return [NewEntry(replica.name, number, "INFO", command) for replica in spec.cluster.replicas]
