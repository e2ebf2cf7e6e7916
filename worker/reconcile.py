"""Decides what to do about one job, and does it.

`Reconciler.reconcile(job)` is level-triggered and idempotent: it reads the job, observes what runs, reads new
measurements, closes what has ended, stops what should stop, asks for suggestions while slots are free. Each
change is one transaction that writes the intent; only then does it act. If it dies in between, the next call
finds the intent and acts on it: names are deterministic, so acting twice is acting once.

One job is looked at by one worker at a time, the one that holds the lease on its row.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace

import structlog
from sqlalchemy.orm import Session

from api_schemas.jobs import Scheduling
from store.database import Database
from store.jobs import (
    Lease,
    LeaseLost,
    acquire_lease,
    hold_lease,
    release_lease,
    request_cancel,
    set_state,
)
from store.log_entries import tell
from store.models import Job, Trial
from store.states import FINISHED, State
from store.trials import live_trials
from worker.closing import CANCEL, JOB_ENDED, TIMEOUT, tell_to_stop
from worker.launchers.protocol import AttemptPhase, AttemptStatus, Launcher, PackagesSpec, PreparationPhase
from worker.logs.keeping import LogKeeper
from worker.missing_metric import nothing_to_rank
from worker.new_trials import FreeSlots, NewTrials, holds_room
from worker.observe import Sight, observe
from worker.pace import Pace, time_limit
from worker.platform_waits import none_has_begun, why_waiting
from worker.quiet import Quiet, is_quiet
from worker.renewal import LongLooks, Renewal
from worker.starting import start_and_stop, stop_told
from worker.stopping import report_stops, stop_hopeless
from worker.study import Studies
from worker.taking_in import Intake
from worker.trial_spec import runtime_of
from worker.verdict import verdict
from worker.view import View, look, read_rows, view_of

log = structlog.get_logger(__name__)

RESTING = 1000
"""Jobs whose trials are remembered from one look to the next, while nothing is new of them."""


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
        long_looks: LongLooks | None = None,
    ) -> None:
        """`notify` tells that a job is due; what it tells may be lost. `studies` make the suggestions.
        `long_looks` keep the leases of looks that take long; without, those are kept between two steps only.
        """
        self._database = database
        self._launcher = launcher
        self._pace = pace
        self._owner = owner
        self._clock = clock
        self._studies = studies or Studies()
        self._long_looks = long_looks
        self._slots = FreeSlots(database, launcher, self._studies, pace, clock, notify)
        self._intake = Intake(pace.retries, clock)
        self._logs = LogKeeper(database, launcher, clock)
        self._quiet = Quiet(pace.poll_seconds, clock)
        self._at_rest: dict[int, tuple[int, Sequence[Trial]]] = {}
        """{job of which the last look found nothing new: that look's fencing number, its live trials}"""

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
            rows = self._read_rows(session, lease) if lease is not None else None
        if lease is None or rows is None:
            return False, False
        looked, again = True, False
        try:
            with nullcontext() if self._long_looks is None else self._long_looks.keep(lease):
                view = view_of(*rows, self._launcher.objects_dir)
                while self._step(lease, view):
                    view = look(self._database, job_pk, self._launcher.objects_dir)
        except LeaseLost as lost:
            log.warning("lease lost", reason=str(lost))
            self._studies.drop(job_pk)
            looked = False
        except Exception:
            # Nobody's fault that is known: the job stays as it is and is looked at again, not at once.
            log.exception("look at a job failed")
            # It may have taken in what was not written then.
            self._studies.drop(job_pk)
            self._put_off(lease)
        finally:
            structlog.contextvars.unbind_contextvars("project", "job")
            with self._database.write(durable=False) as session:
                again = release_lease(session, lease)
        return looked, again

    def _read_rows(self, session: Session, lease: Lease) -> tuple[Job, Sequence[Trial]]:
        """The job and its live trials, which nobody has changed who has not had the lease since."""
        fence, live = self._at_rest.pop(lease.job_pk, (None, ()))
        if fence == lease.fence - 1:
            return session.get_one(Job, lease.job_pk), live
        return read_rows(session, lease.job_pk)

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
            job = hold_lease(session, lease)
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
        slots, need = self._slots, self._slots.need(view)
        with self._database.write() as session:
            job = hold_lease(session, lease)
            if job.state != State.PREPARING or self._past_max_wait(job, view):
                return True
            held_up = preparation.message if preparation.phase is PreparationPhase.UNDER_WAY else ""
            job.platform_waits = held_up or None
            match preparation.phase:
                case PreparationPhase.READY if not (room := slots.room(session)).shares(job.id, need, 1):
                    # It has not begun: the clock of maxRunningTime stands, that of maxWaitTime runs.
                    self._look_again(job, view, self._pace.without_trials(job))
                    slots.wait(session, job, need, room.why_not(need))
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
                    self._look_again(job, view, self._pace.poll_seconds)
        return False

    def _past_max_wait(self, job: Job, view: View) -> bool:
        limit = (view.input.training_input.scheduling or Scheduling()).max_wait_seconds
        if limit is None or self._clock() < job.create_time + limit:
            return False
        reason = f"The job waited longer than its maxWaitTime of {limit:g} s and was cancelled."
        return request_cancel(job, reason, self._clock())

    # From the first trial to the last

    def _look_after_trials(self, lease: Lease, view: View) -> bool:
        grace = self._pace.stop_grace_seconds
        # Before they are looked at: what is not there then, and is closed for it, must never come.
        stop_told(self._launcher, view, view.live, grace, Renewal(self._database, lease))
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
            job = hold_lease(session, lease)
            trials = live_trials(session, job.id)
            idle = none_has_begun(job, trials)
            held = idle and job.platform_waits is not None
            out_of_time = not held and self._enforce_max_running(job, view)
            # Nothing that is asked meanwhile depends on what is changed: all of it is written in one go.
            with session.no_autoflush:
                fresh = [t for t in trials if self._intake.take_in(session, job, t, view, sights.get(t.id))]
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
                pause = self._pace.poll_seconds if live else self._pace.without_trials(job)
                self._look_again(job, view, pause)
        new = NewTrials()
        if job.verdict is None:
            live = self._slots.start_again(lease, view, live)
            new = self._slots.refill(lease, view, live, job.next_check_at)
        if new.none_left:
            self._succeed(lease, view)
        over = job.state in FINISHED or new.none_left
        wanted = [*live, *new.trials]
        refused = not over and start_and_stop(self._database, self._launcher, lease, view, wanted, grace)
        # Also when it has just come to wait: room that appeared before was told to others alone.
        if over or new.waits or any(t.finish_order is not None or not holds_room(t) for t in fresh):
            self._slots.give_turns()
        return not over and (refused or bool(kept.behind))

    def _rest(self, lease: Lease, view: View, news: bool) -> None:
        """Leave alone for a while a job of which nothing is to be written."""
        if news:
            self._quiet.heard(view.job.id)
        pause = self._quiet.pause(view.job.id)
        with self._database.write(durable=False) as session:
            self._look_again(hold_lease(session, lease), view, pause)
        if not news:
            if len(self._at_rest) >= RESTING:
                self._at_rest.clear()
            self._at_rest[view.job.id] = lease.fence, view.live

    def _enforce_max_running(self, job: Job, view: View) -> bool:
        """Cancel a job whose time is over; true if it was cancelled now."""
        if not self._is_out_of_time(job, view):
            return False
        limit = (view.input.training_input.scheduling or Scheduling()).max_running_seconds
        reason = f"The job ran longer than its maxRunningTime of {limit:g} s and was cancelled."
        return request_cancel(job, reason, self._clock())

    def _is_out_of_time(self, job: Job, view: View) -> bool:
        return job.running_time is not None and self._clock() > time_limit(job, view)

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

    def _succeed(self, lease: Lease, view: View) -> None:
        with self._database.write() as session:
            job = hold_lease(session, lease)
            if job.verdict is None:
                if job.finished_trials < view.max_trials:
                    of = f"{job.finished_trials} of {view.max_trials} trials"
                    said = f"The search found nothing more to try after {of}."
                    tell(session, job, said, now=self._clock())
                self._end_job(session, job, State.SUCCEEDED, None)

    # What every step shares

    def _look_again(self, job: Job, view: View, pause: float) -> None:
        self._pace.look_again(job, view, view.job.next_check_at, pause, self._clock())

    def _put_off(self, lease: Lease) -> None:
        with suppress(LeaseLost), self._database.write() as session:
            job = hold_lease(session, lease)
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
        missing = nothing_to_rank(session, job) if state is State.SUCCEEDED else None
        if missing is not None:
            tell(session, job, missing, severity="WARNING", now=job.end_time)
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
