"""What the end of an attempt means for its trial, and the end of a trial for its job."""

from collections.abc import Sequence

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api_schemas.hyperparameters import HyperparameterSpec
from api_schemas.values import format_value
from store.log_entries import NewEntry, add_log_entries, tell
from store.models import Attempt, Job, Trial
from store.states import AttemptState, State
from store.trials import finish_trial, new_attempt
from worker import failures
from worker.cluster import PRIMARY
from worker.launchers.protocol import AttemptPhase
from worker.observe import Sight
from worker.view import current

log = structlog.get_logger(__name__)

EARLY, CANCEL, JOB_ENDED, REFUSED = "EARLY", "CANCEL", "JOB_ENDED", "REFUSED"
"""Why an attempt was told to stop."""

ENDED_WELL = ("Module completed; cleaning up.", "Clean up finished.", "Task completed successfully.")
"""What the replica of a program that ended with 0 says last, as in the old service."""

TAGS_NAMED = 10


def tell_to_stop(trial: Trial, reason: str) -> None:
    """Write the intent to stop the trial's attempt, unless there is one."""
    attempt = current(trial)
    if attempt.stop_reason is None:
        attempt.stop_reason = reason


def tell_refused(trial: Trial, reason: str) -> None:
    """Write that the platform refused to start the trial's attempt.

    It is stopped like any other before it is closed: another worker may have started it meanwhile, or still
    mean to.
    """
    tell_to_stop(trial, REFUSED)
    current(trial).evidence = {"reason": reason}


def close(job: Job, trial: Trial, sight: Sight, tag: str | None, max_lost: int, now: float) -> None:
    """The trial's attempt has ended as it was seen; close it, and the trial unless it gets another attempt.

    Args:
        tag: of the metric; None for plain training.
        max_lost: how many lost attempts are followed by another.
    """
    attempt = current(trial)
    _end(attempt, sight.status.exit_code, now)
    # An attempt that ended before it could be told to stop has ended by itself: that counts.
    stopped = sight.status.told_to_stop or sight.status.phase is AttemptPhase.ABSENT
    if stopped and attempt.stop_reason == EARLY:
        trial.stopped_early = True
        finish_trial(job, trial, State.SUCCEEDED, now)
    elif stopped and attempt.stop_reason == REFUSED:
        _fail(job, trial, failures.not_launched((attempt.evidence or {})["reason"]), now)
    elif stopped and attempt.stop_reason is not None:
        finish_trial(job, trial, State.CANCELLED, now)
    elif sight.status.phase is AttemptPhase.LOST and job.verdict is not None:
        finish_trial(job, trial, State.CANCELLED, now)  # No point in trying again.
    elif sight.status.phase is AttemptPhase.LOST and attempt.number <= max_lost:
        _classify(attempt, failures.lost(attempt.number, sight.status.lost))
        trial.attempts.append(new_attempt(job, attempt.number + 1, now, attempt.resources))
    elif sight.status.phase is AttemptPhase.LOST:
        _fail(job, trial, failures.lost(attempt.number, sight.status.lost), now)
    elif sight.status.exceeded is not None:
        _fail(job, trial, failures.too_much(sight.status.exceeded), now)
    elif sight.status.exit_code == 0:
        message = missing_metric(trial, tag) if tag is not None and trial.final_value is None else None
        finish_trial(job, trial, State.SUCCEEDED, now, message)
    else:
        _fail(job, trial, failures.all_exited(sight.last_lines), now)
    log.info(
        "attempt ended",
        trial=trial.number,
        attempt=attempt.number,
        exit_code=attempt.exit_code,
        state=str(trial.state),
    )


def tell_end(session: Session, job: Job, trial: Trial, now: float) -> None:
    """Say in the job's log what the end of an attempt, which has been closed, meant for its trial.

    The end of plain training is that of its job, which says so itself.
    """
    tuning = job.hyperparameters is not None
    number = trial.number if tuning else None
    if trial.state == State.SUCCEEDED and not trial.stopped_early:
        said_last = [NewEntry(PRIMARY.name, number, "INFO", each) for each in ENDED_WELL]
        add_log_entries(session, job.project, job.id, said_last, now)
    if not tuning and trial.finish_order is not None:
        return
    severity, said = _how_it_ended(trial, f"Trial {trial.number}" if tuning else "The training program")
    tell(session, job, said, severity=severity, trial=number, now=now)


def _how_it_ended(trial: Trial, name: str) -> tuple[str, str]:
    """A severity and a sentence."""
    # Of a failure's reason the first line: what it printed has been kept already.
    why = (trial.error_message or "").partition("\n")[0]
    match trial.state:
        case State.SUCCEEDED if trial.stopped_early:
            return "INFO", f"{name} was stopped early."
        case State.SUCCEEDED if why:
            return "WARNING", f"{name} ended without an objective. {why}"
        case State.SUCCEEDED if trial.final_value is not None:
            return "INFO", f"{name} succeeded with {trial.final_value:g} at step {trial.final_step}."
        case State.SUCCEEDED:
            return "INFO", f"{name} succeeded."
        case State.FAILED:
            return "ERROR", f"{name} failed. {why}"
        case State.CANCELLED:
            return "INFO", f"{name} was stopped."
        case _:
            return "WARNING", f"{name} vanished without an exit status, and is started again."


def missing_metric(trial: Trial, tag: str) -> str:
    """Why a trial that ended well has no objective."""
    tags = trial.tags or []
    if tag in tags:
        return f"The last value of '{tag}' that the trial reported is not a finite number."
    if not tags:
        return f"The trial reported no metric: neither '{tag}' nor any other scalar was found in its job dir."
    named = ", ".join(f"'{name}'" for name in tags[:TAGS_NAMED])
    more = f" and {len(tags) - TAGS_NAMED} more" if len(tags) > TAGS_NAMED else ""
    return f"The trial never reported '{tag}'. It did write {named}{more}."


def verdict(
    session: Session, job: Job, spec: HyperparameterSpec | None, ended: Sequence[Trial]
) -> tuple[State, str | None] | None:
    """How the job ends, with its errorMessage, if the trials that just ended settle that."""
    if spec is None:
        return (ended[0].state, ended[0].error_message) if ended else None
    failed = [trial for trial in ended if trial.state == State.FAILED]
    if not failed:
        return None
    session.flush()
    message = _too_many_failures(session, job, spec, failed[0])
    return None if message is None else (State.FAILED, message)


def _too_many_failures(session: Session, job: Job, spec: HyperparameterSpec, failed: Trial) -> str | None:
    query = select(Trial.state, func.count()).where(Trial.job_pk == job.id).group_by(Trial.state)
    counts = dict(session.execute(query).all())
    failures_so_far = counts.get(State.FAILED, 0)
    limit = spec.max_failed_trials or 0
    if limit > 0:
        if failures_so_far < limit:
            return None
        why = f"{failures_so_far} trials failed; maxFailedTrials is {limit}."
    else:
        # The service decides (docs/contract.md 3.3): it gives up when as many trials as run side by side have
        # failed before any went well.
        if counts.get(State.SUCCEEDED, 0) > 0 or failures_so_far < spec.effective_max_parallel_trials:
            return None
        why = (
            f"Hyperparameter Tuning Trial #{failed.number} Failed before any other successful trials were "
            "completed."
        )
    return f"{why} Trial #{failed.number} with {_values(failed)}: {failed.error_message}"


def _values(trial: Trial) -> str:
    return ", ".join(f"{name}={format_value(value)}" for name, value in trial.values.items())


def _end(attempt: Attempt, exit_code: int | None, now: float) -> None:
    attempt.state = AttemptState.ENDED
    attempt.end_time = now
    attempt.exit_code = exit_code


def _classify(attempt: Attempt, failure: failures.Failure) -> None:
    attempt.failure_class = failure.failure_class
    attempt.evidence = failure.evidence


def _fail(job: Job, trial: Trial, failure: failures.Failure, now: float) -> None:
    _classify(current(trial), failure)
    finish_trial(job, trial, State.FAILED, now, failure.message)
