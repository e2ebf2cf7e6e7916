"""When the model's points no longer better the best trial, and it is asked for more.

Expected improvement is content with ever smaller gains. On a plateau it looks for what may be left in each
of its corners before it looks for a way down elsewhere, of which the model is surer than it ought to be that
there is none. So while a search stands still, every other point is the one that promises most over the best
*less a margin*. It lies far from what was tried, where little is expected and much is possible.

Jones 2001, "A taxonomy of global optimization methods based on response surfaces": with a target just below
the best objective a search is local, with one far below it global.
"""

from collections.abc import Sequence
from statistics import median

from tuning.trials import FinishedTrial, Goal, Outcome

_EACH, _LEAST = 2, 5
"""Trials that the model has for each parameter, and in any case, to find a better point."""
_MARGIN = 0.5
"""In units of the standardised objective: half the spread of the better half of all trials."""
_FIRST = 5
"""What the search has gained is counted from the median of so many objectives."""
_SHARE = 1e-3
"""Of that, less is no gain."""


def trials_since_better(trials: Sequence[FinishedTrial], goal: Goal) -> int:
    """How many trials have ended since the last one that was better than all before it.

    Only completed trials with an objective are better than others; any trial counts that has ended since.
    """
    sign = 1.0 if goal is Goal.MINIMIZE else -1.0
    # The largest doubles have no difference; their halves do.
    measured = [
        (place, sign * trial.objective / 2.0)
        for place, trial in enumerate(trials)
        if trial.outcome is Outcome.COMPLETED and trial.objective is not None
    ]
    if not measured:
        return len(trials)
    objectives = [objective for _, objective in measured]
    gained = median(objectives[:_FIRST]) - min(objectives)
    since, best = measured[0]
    for place, objective in measured:
        if best - objective > _SHARE * gained:
            since, best = place, objective
    return len(trials) - 1 - since


def margin(idle: int, parameters: int) -> float:
    """How much better than the best the next point has to be, after so many trials without a better one."""
    waited = idle - max(_LEAST, _EACH * parameters)
    return _MARGIN if waited >= 0 and waited % 2 == 0 else 0.0
