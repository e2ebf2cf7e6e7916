"""What the end of an attempt means for its trial."""

from dataclasses import dataclass

import structlog
from sqlalchemy.orm import Session

from store.log_entries import NewEntry, add_log_entries, tell
from store.models import Attempt, Job, Trial
from store.states import AttemptState, State
from store.trials import finish_trial, new_attempt
from worker import failures
from worker.cluster import PRIMARY
from worker.failure_classes import POLICIES
from worker.launchers.protocol import AttemptPhase, AttemptStatus, LaunchFailed, Limit
from worker.metrics.watch import Cursor
from worker.missing_metric import why_missing
from worker.observe import Sight
from worker.view import current

log = structlog.get_logger(__name__)

EARLY, CANCEL, JOB_ENDED, TIMEOUT, REFUSED = "EARLY", "CANCEL", "JOB_ENDED", "TIMEOUT", "REFUSED"
"""Why an attempt was told to stop."""

ENDED_WELL = ("Module completed; cleaning up.", "Clean up finished.", "Task completed successfully.")
"""What the replica of a program that ended with 0 says last, as in the old service."""

BACKOFF_LIMIT_SECONDS = 300.0
"""The longest wait before another attempt."""


def tell_to_stop(trial: Trial, reason: str) -> None:
    """Write the intent to stop the trial's attempt, unless there is one."""
    attempt = current(trial)
    if attempt.stop_reason is None:
        attempt.stop_reason = reason


def tell_refused(trial: Trial, refused: LaunchFailed) -> None:
    """Write that the platform refused to start the trial's attempt.

    It is stopped like any other before it is closed: another worker may have started it meanwhile, or still
    mean to.
    """
    tell_to_stop(trial, REFUSED)
    current(trial).evidence = {"refused": str(refused), "for_now": refused.for_now}


@dataclass(frozen=True, slots=True)
class Retries:
    """What is done about failures that are the platform's."""

    limit: int
    """How many attempts of a trial are followed by another."""
    backoff_seconds: float
    """Before the first of those; each next one waits twice as long, up to BACKOFF_LIMIT_SECONDS."""

    def seconds_after(self, attempt: int) -> float:
        """How long to wait after this attempt, counted from 1."""
        return float(min(self.backoff_seconds * 2 ** min(attempt - 1, 30), BACKOFF_LIMIT_SECONDS))


def is_due(attempt: Attempt, now: float) -> bool:
    """Whether an attempt that follows a failed one has waited long enough."""
    wait = None if attempt.not_before is None else attempt.not_before - now
    # More than the longest wait is left when the clock has been set back; not by a mere rounding.
    return wait is not None and not 0 < wait < BACKOFF_LIMIT_SECONDS + 1


def close(job: Job, trial: Trial, sight: Sight, tag: str | None, retries: Retries, now: float) -> None:
    """The trial's attempt has ended as it was seen; close it, and the trial unless it gets another attempt.

    Args:
        tag: of the metric; None for plain training.
    """
    attempt, status = current(trial), sight.status
    refusal = attempt.evidence or {}
    _end(attempt, status, now)
    # An attempt that ended before it could be told to stop has ended by itself: that counts, but for a loss.
    stopped = status.told_to_stop or status.phase in (AttemptPhase.ABSENT, AttemptPhase.LOST)
    if stopped and attempt.stop_reason == EARLY:
        trial.stopped_early = True
        finish_trial(job, trial, State.SUCCEEDED, now)
    elif stopped and attempt.stop_reason == REFUSED:
        _fail(job, trial, failures.not_launched(**refusal), retries, now)
    elif stopped and attempt.stop_reason is not None:
        if attempt.stop_reason == TIMEOUT:
            _classify(attempt, failures.out_of_time())
        finish_trial(job, trial, State.CANCELLED, now)
    elif status.exceeded is not None and status.exceeded.limit is Limit.TIME:
        # The platform kept the limit, while nobody looked or by a clock that is ahead.
        _classify(attempt, failures.too_much(status.exceeded))
        state = State.FAILED if job.verdict is None else State.CANCELLED
        finish_trial(job, trial, state, now, status.exceeded.sentence)
    elif (failure := failures.failure_of(status, sight.last_lines)) is not None:
        _fail(job, trial, failure, retries, now)
    else:
        message = why_missing(trial, tag) if tag is not None and trial.final_value is None else None
        if message is not None:
            _classify(attempt, failures.no_metric(message))
        finish_trial(job, trial, State.SUCCEEDED, now, message)
    log.info(
        "attempt ended",
        trial=trial.number,
        attempt=attempt.number,
        exit_code=attempt.exit_code,
        failure=attempt.failure_class,
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
            *_, failed, again = trial.attempts
            wait = (again.not_before or 0.0) - (failed.end_time or 0.0)
            reason = (failed.evidence or {}).get("why", "")
            return (
                "WARNING",
                f"{name} is tried again in {round(wait, 1):g} s, as its attempt {again.number}. {reason}",
            )


def _end(attempt: Attempt, status: AttemptStatus, now: float) -> None:
    attempt.state = AttemptState.ENDED
    attempt.end_time = now
    attempt.exit_code = status.exit_code
    if status.memory.peak_bytes is not None:
        attempt.evidence = {"peak_memory_bytes": status.memory.peak_bytes}


def _classify(attempt: Attempt, failure: failures.Failure) -> None:
    attempt.failure_class = failure.failure_class
    why = failure.message.partition("\n")[0]
    attempt.evidence = {**(attempt.evidence or {}), "why": why, **failure.evidence}


def _fail(job: Job, trial: Trial, failure: failures.Failure, retries: Retries, now: float) -> None:
    """Close the trial, or let it have another attempt if the platform failed it and may do so again."""
    attempt = current(trial)
    _classify(attempt, failure)
    if not POLICIES[failure.failure_class].retried:
        finish_trial(job, trial, State.FAILED, now, failure.message)
    elif job.verdict is not None:
        finish_trial(job, trial, State.CANCELLED, now)  # No point in trying again.
    elif attempt.number <= retries.limit:
        again = new_attempt(job, attempt.number + 1, now)
        again.not_before = now + retries.seconds_after(attempt.number)
        trial.attempts.append(again)
        trial.cursor = Cursor.from_json(trial.cursor or {}).for_next_attempt().to_json()
    else:
        tried = f" It was tried {attempt.number} times." if attempt.number > 1 else ""
        finish_trial(job, trial, State.FAILED, now, _with(tried, failure.message))


def _with(sentence: str, message: str) -> str:
    """The message with a sentence at the end of its first line, which logs tell."""
    first, newline, rest = message.partition("\n")
    end = "" if not sentence or first.endswith(".") else "."
    return f"{first}{end}{sentence}{newline}{rest}"
