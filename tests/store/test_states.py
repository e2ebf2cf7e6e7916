"""Which state may follow which (docs/contract.md 3)."""

from itertools import product

import pytest

from store.states import (
    FINISHED,
    JOB_TRANSITIONS,
    TRIAL_TRANSITIONS,
    IllegalTransition,
    State,
    check_transition,
)

JOB_MOVES = {
    ("QUEUED", "PREPARING"),
    ("QUEUED", "CANCELLING"),
    ("PREPARING", "RUNNING"),
    ("PREPARING", "FAILED"),
    ("PREPARING", "CANCELLING"),
    ("RUNNING", "SUCCEEDED"),
    ("RUNNING", "FAILED"),
    ("RUNNING", "CANCELLING"),
    ("CANCELLING", "CANCELLED"),
}
TRIAL_MOVES = {
    ("PREPARING", "RUNNING"),
    ("PREPARING", "SUCCEEDED"),
    ("PREPARING", "FAILED"),
    ("PREPARING", "CANCELLED"),
    ("RUNNING", "SUCCEEDED"),
    ("RUNNING", "FAILED"),
    ("RUNNING", "CANCELLED"),
}


def _is_allowed(table: dict[State, frozenset[State]], old: State, new: State) -> bool:
    try:
        check_transition(table, old, new)
    except IllegalTransition:
        return False
    return True


@pytest.mark.parametrize(
    ("table", "moves"), [(JOB_TRANSITIONS, JOB_MOVES), (TRIAL_TRANSITIONS, TRIAL_MOVES)], ids=["job", "trial"]
)
def test_only_the_contracts_moves_are_allowed(
    table: dict[State, frozenset[State]], moves: set[tuple[str, str]]
) -> None:
    allowed = {(old, new) for old, new in product(table, State) if _is_allowed(table, old, new)}
    assert allowed == moves | {(state, state) for state in table}


@pytest.mark.parametrize("table", [JOB_TRANSITIONS, TRIAL_TRANSITIONS], ids=["job", "trial"])
@pytest.mark.parametrize("state", sorted(FINISHED))
def test_nothing_follows_an_end(table: dict[State, frozenset[State]], state: State) -> None:
    assert table[state] == frozenset()


def test_every_job_can_be_cancelled_until_it_has_ended() -> None:
    for state in State:
        if state not in FINISHED:
            assert _is_allowed(JOB_TRANSITIONS, state, State.CANCELLING)


def test_a_refused_move_says_what_would_be_right() -> None:
    with pytest.raises(IllegalTransition, match=r"QUEUED may be followed by .*PREPARING.*, not by SUCCEEDED"):
        check_transition(JOB_TRANSITIONS, State.QUEUED, State.SUCCEEDED)
