"""What is kept between histories saves work and never changes a result."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tuning.suggest.derived import Derived
from tuning.trials import FinishedTrial, Outcome, Point

HISTORY = [
    FinishedTrial(i, {"x": float(i)}, Outcome.COMPLETED, float(i), (Point(1, 0.0), Point(2, float(i))))
    for i in range(6)
]


def reading(position: int, trial: FinishedTrial) -> tuple[object, ...]:
    last = trial.curve[-1] if trial.curve else None
    return position, dict(trial.values), trial.outcome, trial.objective, last


def fresh(history: list[FinishedTrial]) -> list[tuple[object, ...]]:
    return [reading(position, trial) for position, trial in enumerate(history)]


def test_a_history_that_grows_is_read_once() -> None:
    read: list[int] = []

    def derive(position: int, trial: FinishedTrial) -> int:
        read.append(position)
        return trial.number

    derived = Derived(derive)
    copies = [replace(trial, values=dict(trial.values)) for trial in HISTORY]
    assert [list(derived(HISTORY[:n])) for n in (2, 3, 3)] == [[0, 1], [0, 1, 2], [0, 1, 2]]
    assert list(derived(copies)) == [0, 1, 2, 3, 4, 5]
    assert read == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "change",
    [
        lambda trial: replace(trial, values={"x": -1.0}),
        lambda trial: replace(trial, outcome=Outcome.FAILED),
        lambda trial: replace(trial, objective=-1.0),
        lambda trial: replace(trial, objective=None),
        lambda trial: replace(trial, curve=(Point(1, 0.0), Point(2, -1.0))),
        lambda trial: replace(trial, curve=()),
    ],
)
def test_a_trial_that_changed_is_read_again(change: Callable[[FinishedTrial], FinishedTrial]) -> None:
    derived = Derived(reading)
    derived(HISTORY)
    changed = [*HISTORY[:2], change(HISTORY[2]), *HISTORY[3:]]
    assert list(derived(changed)) == fresh(changed)


@pytest.mark.parametrize("history", [[], HISTORY[:3], HISTORY[::-1], HISTORY[1:], HISTORY + HISTORY])
def test_another_history_is_read_for_what_it_is(history: list[FinishedTrial]) -> None:
    derived = Derived(reading)
    derived(HISTORY)
    assert list(derived(history)) == fresh(history)
