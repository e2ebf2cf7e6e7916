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
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

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
from store.measurements import add_measurements, curves_of, last_value
from store.models import Job, Trial
from store.states import FINISHED, AttemptState, State
from store.trials import (
    add_trial,
    hold_slots,
    live_resources_by_job,
    live_trials,
    running_jobs,
    waiting_jobs,
)
from worker.closing import (
    CANCEL,
    EARLY,
    JOB_ENDED,
    close,
    close_not_launched,
    tell_end,
    tell_to_stop,
    verdict,
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
from worker.resources import Need, Share, need_of
from worker.slots import Waiter, shares_to_start
from worker.study import Studies, Suggested
from worker.trial_spec import attempt_spec
from worker.turns import whose_turn
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
    ) -> None:
        """`notify` tells that a job is due; what it tells may be lost."""
        self._database = database
        self._launcher = launcher
        self._pace = pace
        self._owner = owner
        self._clock = clock
        self._notify = notify
        self._studies = Studies()
        self._logs = LogKeeper(database, launcher, clock)
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
            lease = acquire_lease(session, job_pk, owner, self._pace.lease_seconds, if_due=if_due)
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
        preparation = self._launcher.prepare(PackagesSpec(view.ref, uris))
        need = self._need(view)
        with self._database.write() as session:
            job = self._hold(session, lease)
            if job.state != State.PREPARING or self._past_max_wait(job, view):
                return True
            match preparation.phase:
                case PreparationPhase.READY if not self._shares(session, job, need, 1):
                    # It has not begun: the clock of maxRunningTime stands, that of maxWaitTime runs.
                    self._look_again(job, view, waits=job.waiting is not None)
                    self._wait(session, job, need)
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
                    self._look_again(job, view)
        return False

    def _past_max_wait(self, job: Job, view: View) -> bool:
        limit = (view.input.training_input.scheduling or Scheduling()).max_wait_seconds
        if limit is None or self._clock() < job.create_time + limit:
            return False
        reason = f"The job waited longer than its maxWaitTime of {limit:g} s and was cancelled."
        return request_cancel(job, reason, self._clock())

    # From the first trial to the last

    def _look_after_trials(self, lease: Lease, view: View) -> bool:
        for trial in view.live:
            # Before it is looked at: what is not there then, and is closed for it, must never come.
            if current(trial).stop_reason is not None:
                self._launcher.stop(view.attempt_ref(trial), self._pace.stop_grace_seconds)
        sights = observe(self._launcher, view)
        behind = self._logs.keep(lease, view, sights)
        for key in behind:
            # Until all that it printed is kept, what has ended counts as running.
            sights[key] = replace(sights[key], status=AttemptStatus(AttemptPhase.RUNNING))
        installing = view.job.state == State.CANCELLING and not self._launcher.abandon_preparation(view.ref)
        with self._database.write() as session:
            job = self._hold(session, lease)
            self._enforce_max_running(job, view)
            trials = live_trials(session, job.id)
            # Nothing that is asked meanwhile depends on what is changed: all of it is written in one go.
            with session.no_autoflush:
                fresh = [trial for trial in trials if self._take_in(session, job, trial, view, sights)]
            live = [trial for trial in trials if trial.finish_order is None]
            self._settle(session, job, view, [trial for trial in fresh if trial.finish_order is not None])
            if job.verdict is None:
                self._stop_hopeless(session, job, view, [t for t in fresh if t.finish_order is None])
            elif not live and not installing:
                self._end_job(session, job, job.verdict, job.error_message)
            else:
                for trial in live:
                    tell_to_stop(trial, CANCEL if job.verdict == State.CANCELLED else JOB_ENDED)
            if job.state not in FINISHED:
                self._look_again(job, view, waits=job.waiting is not None and not live)
        started = self._refill(lease, view, live) if job.verdict is None else []
        over = job.state in FINISHED or started is None
        refused = not over and self._act(lease, view, [*live, *(started or [])])
        if over or len(live) < len(trials):
            self._give_turns()
        return not over and (refused or bool(behind))

    def _enforce_max_running(self, job: Job, view: View) -> None:
        limit = (view.input.training_input.scheduling or Scheduling()).max_running_seconds
        if job.running_time is not None and self._clock() > job.running_time + limit:
            reason = f"The job ran longer than its maxRunningTime of {limit:g} s and was cancelled."
            request_cancel(job, reason, self._clock())

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
            close(job, trial, sight, view.input.metric_tag, self._pace.max_lost_attempts, self._clock())
            tell_end(session, job, trial, self._clock())
            return True
        if sight.status.phase is AttemptPhase.RUNNING and attempt.state == AttemptState.LAUNCHING:
            attempt.state = AttemptState.RUNNING
            trial.state = State.RUNNING
        return any(measured)

    def _store_reading(self, session: Session, trial: Trial, reading: Reading) -> bool:
        """Keep a reading and how far it went, together; true if it brought measurements."""
        for problem in reading.problems:
            self._tell_once(trial, problem)
        cursor = reading.cursor.to_json()
        if cursor != trial.cursor:
            trial.cursor = cursor
        if sorted(reading.tags) != (trial.tags or []):
            trial.tags = sorted(reading.tags)
        if not reading.measurements:
            return False
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

    def _stop_hopeless(self, session: Session, job: Job, view: View, running: Sequence[Trial]) -> None:
        """Write the intent to stop the running trials that the stopping rule gives up."""
        study = self._studies.of(view)
        if study is None or not study.stops_early or not running:
            return
        session.flush()
        study.catch_up(session, job)
        curves = curves_of(session, [trial.id for trial in running])
        for trial in running:
            stop = study.should_stop(curves[trial.id])
            if stop is not None and current(trial).stop_reason is None:
                tell_to_stop(trial, EARLY)
                session.add(study.record_stop(job, trial, stop, self._clock()))
                log.info("trial stopped early", trial=trial.number, step=stop.step, value=stop.value)
                why = f"{stop.value:g} at step {stop.step} is behind {stop.threshold:g}"
                said = f"Trial {trial.number} is stopped early: {why} ({stop.rule})."
                tell(session, job, said, trial=trial.number, now=self._clock())

    # New trials

    def _refill(self, lease: Lease, view: View, live: Sequence[Trial]) -> Sequence[Trial] | None:
        """Write the intent of as many new trials as there is room for; None if the job has ended instead."""
        study = self._studies.of(view)
        need = self._need(view)
        with self._database.read() as session:
            job = session.get_one(Job, lease.job_pk)
            if study is not None:
                study.catch_up(session, job)
            started = job.finished_trials + len(live)
            room = min(view.max_parallel_trials - len(live), view.max_trials - started)
            wanted = len(self._shares(session, job, need, room)) if room > 0 else 0
        if started >= view.max_trials and not live:
            self._succeed(lease)
            return None
        if wanted == 0:
            if room > 0 and not live and job.waiting is None:
                with self._database.write() as session:
                    self._wait(session, self._hold(session, lease), need)
            return []
        suggested = Suggested([{}], 0, [], 0.0) if study is None else study.suggest(live, wanted)
        if not suggested.values:
            # A finite space is exhausted: the job is over when its last trial is.
            if live:
                return []
            self._succeed(lease)
            return None
        with self._database.write() as session:
            job = self._hold(session, lease)
            if job.verdict is not None:
                return []
            now = self._clock()
            # Another job may have taken slots meanwhile. A suggestion not used is made again, the same.
            hold_slots(session)
            shares = self._shares(session, job, need, len(suggested.values))
            given = zip(suggested.values, shares, strict=False)  # There may be fewer shares by now.
            trials = [
                add_trial(session, job, number, values, now, share.to_json())
                for number, (values, share) in enumerate(given, start=started + 1)
            ]
            if trials:
                job.waiting = None
                # Of one that waited, a look was to come later.
                job.next_check_at = min(job.next_check_at or now, now + self._pace.poll_seconds)
            commands = [command for trial in trials for command in _commands(view, trial)]
            add_log_entries(session, job.project, job.id, commands, now)
            if study is not None and trials:
                session.add(study.record_suggestion(job, suggested, [t.number for t in trials], now))
        return trials

    def _shares(self, session: Session, job: Job, need: Need, wanted: int) -> list[Share]:
        """What the machine has for the job's next trials."""
        taken = {
            key: [Share.from_json(each) for each in all_of_it]
            for key, all_of_it in live_resources_by_job(session).items()
        }
        running = running_jobs(session)
        waiters = [
            Waiter(key, waiting["since"], Need(**waiting["need"]))
            for key, waiting in waiting_jobs(session).items()
        ]
        return shares_to_start(self._launcher.machine, taken, running, waiters, job.id, need, wanted)

    def _need(self, view: View) -> Need:
        return need_of(view.input.training_input, view.job.labels, self._launcher.machine)

    def _wait(self, session: Session, job: Job, need: Need) -> None:
        """Give the job its place among those that wait for room, and say so, once."""
        if job.verdict is None and job.waiting is None:
            now = self._clock()
            job.waiting = {"since": now, "need": asdict(need)}
            tell(session, job, f"Waiting for room on this machine: a trial needs {need}.", now=now)
            log.info("job waits for room", needs=str(need))

    def _give_turns(self) -> None:
        """Tell those who wait for room that there is some. Should this be lost, they ask by themselves."""
        with self._database.read() as session:
            turns = not_yet_due(session, whose_turn(session, self._launcher.machine))
        for job_pk in turns:
            with self._database.write(durable=False) as session:
                asked = ask_for_look(session, job_pk)
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
        refused: dict[int, str] = {}
        for trial in live:
            ref = view.attempt_ref(trial)
            if current(trial).stop_reason is not None:
                self._launcher.stop(ref, self._pace.stop_grace_seconds)
            elif current(trial).state == AttemptState.LAUNCHING:
                try:
                    self._launcher.launch(_spec(view, trial))
                except LaunchFailed as error:
                    log.error("attempt not started", trial=trial.number, reason=str(error))
                    refused[trial.id] = str(error)
        if not refused:
            return False
        with self._database.write() as session:
            job = self._hold(session, lease)
            trials = [trial for trial in live_trials(session, job.id) if trial.id in refused]
            for trial in trials:
                close_not_launched(job, trial, refused[trial.id], self._clock())
                tell_end(session, job, trial, self._clock())
            self._settle(session, job, view, trials)
        return True

    # What every step shares

    def _hold(self, session: Session, lease: Lease) -> Job:
        """The job's row, locked, for a worker that still has the right to change it."""
        return hold_lease(session, lease)

    def _look_again(self, job: Job, view: View, *, waits: bool = False) -> None:
        """Note when, unless somebody has asked for it since this look began: then it stays due.

        Args:
            waits: for room, of which it is told; and it has waited before this look.
        """
        if job.next_check_at != view.job.next_check_at:
            return
        now, poll = self._clock(), self._pace.poll_seconds
        later = min(now + WAITING_POLLS * poll, _time_limit(job, view)) if waits else now
        job.next_check_at = max(later, now + poll)

    def _put_off(self, lease: Lease) -> None:
        with suppress(LeaseLost), self._database.write() as session:
            job = self._hold(session, lease)
            job.next_check_at = self._clock() + self._pace.trouble_seconds
            job.waiting = None  # Nobody should wait for it to take what it may never take.

    def _end_job(self, session: Session, job: Job, state: State, message: str | None) -> None:
        set_state(job, state)
        job.error_message = message if state is not State.SUCCEEDED else None
        job.end_time = self._clock()
        job.next_check_at = None
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
        log.info("job ended", state=str(state))


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
