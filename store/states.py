"""The states of jobs, trials and attempts, and which may follow which.

Jobs and trials share the names that the wire uses (docs/contract.md 3). An attempt is one try at running a
trial; it is ours alone and never shown.
"""

from enum import StrEnum


class State(StrEnum):
    """Of a job, and of a trial."""

    QUEUED = "QUEUED"
    PREPARING = "PREPARING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"


class AttemptState(StrEnum):
    """LAUNCHING is the intent, written before the launcher is asked; RUNNING was seen; ENDED is closed."""

    LAUNCHING = "LAUNCHING"
    RUNNING = "RUNNING"
    ENDED = "ENDED"


FINISHED = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})
LIVE_ATTEMPT = frozenset({AttemptState.LAUNCHING, AttemptState.RUNNING})

JOB_TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.PREPARING, State.CANCELLING}),
    State.PREPARING: frozenset({State.RUNNING, State.FAILED, State.CANCELLING}),
    State.RUNNING: frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLING}),
    State.CANCELLING: frozenset({State.CANCELLED}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
}

TRIAL_TRANSITIONS: dict[State, frozenset[State]] = {
    State.PREPARING: frozenset({State.RUNNING, *FINISHED}),
    State.RUNNING: FINISHED,
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
}


class IllegalTransition(Exception):
    """A state was asked to change to one that may not follow it."""


def check_transition(table: dict[State, frozenset[State]], old: State, new: State) -> None:
    """Raise `IllegalTransition` unless `new` may follow `old`; staying where it is is always allowed."""
    if new != old and new not in table[old]:
        raise IllegalTransition(f"{old} may be followed by {sorted(table[old])}, not by {new}")
