"""Acting on what the database says: starting the attempts that are to run, stopping those that are not."""

import shlex
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import structlog

from store.database import Database
from store.jobs import Lease, hold_lease
from store.log_entries import NewEntry
from store.models import Attempt, Trial
from store.states import AttemptState
from store.trials import live_trials
from worker.closing import tell_refused
from worker.launchers.protocol import AttemptSpec, Launcher, LaunchFailed
from worker.renewal import Renewal
from worker.resources import Share
from worker.trial_spec import attempt_spec
from worker.view import View, current

log = structlog.get_logger(__name__)


def stop_told(
    launcher: Launcher, view: View, trials: Sequence[Trial], stop_grace_seconds: float, renewal: Renewal
) -> None:
    """Stop those of the trials that have been told to."""
    for trial in trials:
        if current(trial).stop_reason is not None:
            renewal.renew()
            launcher.stop(view.attempt_ref(trial), stop_grace_seconds)


def start_and_stop(
    database: Database,
    launcher: Launcher,
    lease: Lease,
    view: View,
    live: Sequence[Trial],
    stop_grace_seconds: float,
) -> bool:
    """Start and stop what should be; true if something could not be started.

    Whoever dies in between, or after it, is followed by another that does it again: names are deterministic.
    """
    renewal = Renewal(database, lease)
    stop_told(launcher, view, live, stop_grace_seconds, renewal)
    due = [trial for trial in live if _is_to_start(current(trial))]
    refused: dict[int, LaunchFailed] = {}
    failures = _launch(launcher, [_spec(view, trial) for trial in due], renewal)
    for trial, failure in zip(due, failures, strict=True):
        if failure is not None:
            log.error("attempt not started", trial=trial.number, reason=str(failure))
            refused[trial.id] = failure
    if not refused:
        return False
    with database.write() as session:
        job = hold_lease(session, lease)
        for trial in live_trials(session, job.id):
            if trial.id in refused:
                tell_refused(trial, refused[trial.id])
    return True


def commands(view: View, trial: Trial) -> list[NewEntry]:
    """What the log says of the replicas of a trial that is about to be started."""
    spec = _spec(view, trial)
    command = f"Running command: {shlex.join(['python', '-m', spec.module, *spec.args])}"
    number = None if view.spec is None else trial.number
    return [NewEntry(replica.name, number, "INFO", command) for replica in spec.cluster.replicas]


def _launch(launcher: Launcher, specs: Sequence[AttemptSpec], renewal: Renewal) -> list[LaunchFailed | None]:
    """Start attempts, side by side if the platform can; why each of them was not."""

    def launch(spec: AttemptSpec) -> LaunchFailed | None:
        renewal.renew()
        try:
            launcher.launch(spec)
        except LaunchFailed as error:
            return error
        return None

    side_by_side = min(launcher.launches_at_once, len(specs))
    if side_by_side < 2:
        return [launch(spec) for spec in specs]
    with ThreadPoolExecutor(side_by_side, "launch") as pool:
        return list(pool.map(launch, specs))


def _is_to_start(attempt: Attempt) -> bool:
    return (
        attempt.stop_reason is None and attempt.state == AttemptState.LAUNCHING and attempt.not_before is None
    )


def _spec(view: View, trial: Trial) -> AttemptSpec:
    spec = attempt_spec(view.input, view.attempt_ref(trial), trial.values)
    return replace(spec, share=Share.from_json(current(trial).resources))
