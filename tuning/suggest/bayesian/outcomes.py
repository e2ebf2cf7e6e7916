"""What each trial teaches the model: one number, smaller is better, and how much it is to be doubted.

Objectives may span any range, and the worst of them say little about where the best lie. They are counted in
units of the spread of the better half around the median; beyond one such unit on the bad side, distances
grow as logarithms only. The model so fits where it matters, and one diverged trial doesn't flatten the rest.

* completed: by its objective.
* stopped early: by where its curve would have ended, learned from the curves of completed trials, with the
  doubt that those leave. Without completed curves that reach its last step, as its last value or the median
  of completed trials, whichever is worse.
* failed: as the worst of all. Where many fail the model stays away; one that failed by chance is outvoted by
  good neighbours, since guesses are doubted.
* completed without an objective: nothing.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tuning.endings import Endings, Reports
from tuning.suggest.bayesian.features import Array
from tuning.trials import FinishedTrial, Goal, Outcome

_DOUBT = 100.0
"""How many times the usual noise a guessed objective has."""
_ENOUGH_CURVES = 3
"""So many completed curves must reach a step to predict from there."""


class Lessons(NamedTuple):
    """The trials that teach something, and what: see `model.Data`."""

    trials: list[FinishedTrial]
    objectives: Array
    doubts: Array
    variances: Array


class _Guess(NamedTuple):
    """An objective, smaller is better; those a deviation below and above it; how doubtful it is besides."""

    objective: float
    low: float
    high: float
    doubt: float


def objectives(trials: Sequence[FinishedTrial], goal: Goal) -> Lessons:
    """What these trials teach."""
    sign = 1.0 if goal is Goal.MINIMIZE else -1.0
    measured = [t for t in trials if t.outcome is Outcome.COMPLETED and t.objective is not None]
    stopped = [t for t in trials if t.outcome is Outcome.STOPPED_EARLY and t.objective is not None]
    if not measured:
        # Nothing to learn their ends from: what stopped trials showed last is all there is.
        measured, stopped = stopped, []
    values = np.array([sign * (t.objective or 0.0) for t in measured])
    guesses = _guesses(stopped, measured, values, goal) if stopped else []
    failed = [t for t in trials if t.outcome is Outcome.FAILED]
    all_of_them = np.append(values, [guess.objective for guess in guesses])
    warp = _Warp(all_of_them)
    known = warp.units(all_of_them)
    worst = float(known.max()) if known.size else 0.0
    doubts = [1.0] * len(values) + [guess.doubt for guess in guesses] + [_DOUBT] * len(failed)
    apart = warp.units(np.array([g.high for g in guesses])) - warp.units(np.array([g.low for g in guesses]))
    variances = np.zeros(len(doubts))
    variances[len(values) : len(known)] = (0.5 * apart) ** 2
    return Lessons(
        [*measured, *stopped, *failed], np.append(known, [worst] * len(failed)), np.array(doubts), variances
    )


def standardised(values: Array) -> Array:
    """The values in units of the better half's spread around their median, the worse half dampened.

    Values that are all the same, or none, give zeros. Any finite values are allowed.
    """
    return _Warp(values).units(values)


class _Warp:
    """The units of some values."""

    def __init__(self, values: Array) -> None:
        self._middle, self._spread, self._largest = 0.0, 0.0, 0.0
        if not values.size:
            return
        # The largest doubles have no difference; their halves do.
        self._largest = float(np.abs(values / 2.0).max())
        shares = self._shares(values)
        self._middle = float(np.median(shares))
        shifted = shares - self._middle
        better = shifted[shifted <= 0.0]
        self._spread = float(np.sqrt((better**2).mean()))
        if self._spread <= 1e-12:
            self._spread = float(shifted.max())

    def units(self, values: Array) -> Array:
        """The values in these units."""
        shifted = self._shares(values) - self._middle
        if self._spread <= 1e-12:
            return np.zeros_like(shifted)
        units = shifted / self._spread
        return np.where(units > 1.0, 1.0 + np.log(np.maximum(units, 1.0)), units)

    def _shares(self, values: Array) -> Array:
        halved = values / 2.0
        return halved / self._largest if self._largest > 0.0 else halved


def _guesses(
    stopped: Sequence[FinishedTrial], completed: Sequence[FinishedTrial], final: Array, goal: Goal
) -> list[_Guess]:
    """Where stopped trials would have ended."""
    sign = 1.0 if goal is Goal.MINIMIZE else -1.0
    curves = [_reports(trial, sign) for trial in completed if trial.curve]
    endings = Endings(curves, Goal.MINIMIZE) if curves else None
    middle = float(np.median(final / 2.0) * 2.0)
    guesses = []
    for trial in stopped:
        own = sign * (trial.objective or 0.0)
        ending = None
        if endings is not None and len(endings.peers) >= _ENOUGH_CURVES and trial.curve:
            ending = endings.of(trial.curve[-1].step, sign * trial.curve[-1].value)
        if endings is None or ending is None:
            guess = max(own, middle)
            guesses.append(_Guess(guess, guess, guess, _DOUBT))
            continue
        units = (ending.mean, ending.mean - ending.deviation, ending.mean + ending.deviation)
        mean, low, high = map(endings.spread.objective, units)
        guesses.append(_Guess(mean, low, high, 1.0))
    return guesses


def _reports(trial: FinishedTrial, sign: float) -> Reports:
    return Reports([p.step for p in trial.curve], [sign * p.value for p in trial.curve])
