"""What each trial teaches the model: one number, smaller is better, and how much it is to be doubted.

Objectives may span any range, and the worst of them say little about where the best lie. They are counted in
units of the spread of the better half around the median; beyond one such unit on the bad side, distances
grow as logarithms only. The model so fits where it matters, and one diverged trial doesn't flatten the rest.

* completed: by its objective.
* stopped early: by the objective that its rank at its last step stands for: a trial better than a quarter of
  the completed ones at that step counts as one better than a quarter of them in the end. Without completed
  curves that reach the step, as its last value or the median of completed trials, whichever is worse.
* failed: as the worst of all. Where many fail the model stays away; one that failed by chance is outvoted by
  good neighbours, since both kinds of guesses are doubted.
* completed without an objective: nothing.
"""

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from tuning.suggest.bayesian.features import Array
from tuning.trials import FinishedTrial, Goal, Outcome

_DOUBT = 100.0
"""How many times the usual noise a guessed objective has."""
_ENOUGH_CURVES = 3
"""So many completed curves must reach a step to give a rank there."""


def objectives(trials: Sequence[FinishedTrial], goal: Goal) -> tuple[list[FinishedTrial], Array, Array]:
    """The trials that teach something, their objectives for the model, and how doubtful each is."""
    sign = 1.0 if goal is Goal.MINIMIZE else -1.0
    measured = [t for t in trials if t.outcome is Outcome.COMPLETED and t.objective is not None]
    if not measured:
        # Nothing to rank by: what stopped trials showed last is all there is.
        measured = [t for t in trials if t.outcome is Outcome.STOPPED_EARLY and t.objective is not None]
    told, values, guessed = list(measured), [sign * (t.objective or 0.0) for t in measured], []
    final = sorted(values)
    if any(t.outcome is Outcome.COMPLETED for t in measured):
        for trial in trials:
            if trial.outcome is Outcome.STOPPED_EARLY and trial.objective is not None:
                told.append(trial)
                guessed.append(_in_the_end(trial, sign, measured, final))
    failed = [t for t in trials if t.outcome is Outcome.FAILED]
    warped = standardised(np.array(values + guessed))
    worst = float(warped.max()) if warped.size else 0.0
    doubts = np.array([1.0] * len(values) + [_DOUBT] * (len(guessed) + len(failed)))
    return told + failed, np.append(warped, [worst] * len(failed)), doubts


def standardised(values: Array) -> Array:
    """The values in units of the better half's spread around their median, the worse half dampened.

    Values that are all the same, or none, give zeros. Any finite values are allowed.
    """
    if not values.size:
        return values
    # The largest doubles have no difference; their halves do.
    halved = values / 2.0
    largest = float(np.abs(halved).max())
    shifted = halved / largest if largest > 0.0 else halved
    shifted = shifted - np.median(shifted)
    better = shifted[shifted <= 0.0]
    spread = float(np.sqrt((better**2).mean()))
    if spread <= 1e-12:
        spread = float(shifted.max())
        if spread <= 1e-12:
            return np.zeros_like(shifted)
    units = shifted / spread
    return np.where(units > 1.0, 1.0 + np.log(np.maximum(units, 1.0)), units)


def _in_the_end(
    trial: FinishedTrial, sign: float, completed: Sequence[FinishedTrial], final: Sequence[float]
) -> float:
    """The objective that a stopped trial would have ended with, had it kept its rank."""
    own = sign * (trial.objective or 0.0)
    step = trial.curve[-1].step if trial.curve else 0
    reached = []
    for other in completed:
        there = bisect_right(other.curve, step, key=lambda point: point.step)
        if there and other.curve[-1].step >= step:
            reached.append(sign * other.curve[there - 1].value)
    if len(reached) < _ENOUGH_CURVES:
        return max(own, float(np.median(np.array(final) / 2.0) * 2.0))
    rank = sum(value < own for value in reached) / len(reached)
    return final[min(int(rank * len(final)), len(final) - 1)]
