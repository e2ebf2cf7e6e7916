"""How often stopping was wrong, and what it saved: some trials that a rule would stop are kept running.

Nothing else can tell: of a trial that was stopped nobody knows how it would have ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from sys import float_info

from tuning.stopping.curves import best_of, quantile
from tuning.trials import Goal


def is_kept(seed: int, number: int, share: float) -> bool:
    """Whether the trial of this number goes on where a rule would stop it; true of this share of them.

    The same for the same seed, number and share, whatever happens meanwhile.
    """
    drawn = int.from_bytes(sha256(f"{seed} {number}".encode()).digest()[:8], "big")
    return drawn < share * 2**64


class Fate(Enum):
    """What the rule did to a trial."""

    LET_RUN = "LET_RUN"
    STOPPED = "STOPPED"
    KEPT = "KEPT"
    """It would have been stopped, and was kept running."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A trial that has ended, and what its job's stopping rule made of it.

    Attributes:
        objective: the final value; None when it has none.
        last_step: the trainer's last step that reported; None when none did.
        seconds: how long it ran.
        whole: whether it ran to its own end: neither stopped, nor failed, nor cancelled.
    """

    fate: Fate
    objective: float | None
    last_step: int | None
    seconds: float
    whole: bool


@dataclass(frozen=True, slots=True)
class StoppingReport:
    """What early stopping did to a job.

    Attributes:
        stopped: how many trials were stopped.
        kept: how many would have been, were kept running, and ended with an objective.
        wrong: how many of those ended better than every trial that the rule let run: to stop them would have
            cost the job its best trial.
        lost: how much worse the best objective would have been without the kept ones, 0 or more.
        saved_steps: the share of training steps that were not run, from 0 to 1.
        saved_seconds: the time that they would have taken.
    """

    stopped: int
    kept: int
    wrong: int
    lost: float
    saved_steps: float
    saved_seconds: float


def report(goal: Goal, trials: Sequence[Judged]) -> StoppingReport:
    """The report over a job's ended trials.

    A stopped trial is taken to have saved what it lacked of the middle one of those that ran to their end.
    """
    whole = [trial for trial in trials if trial.whole]
    stopped = [trial for trial in trials if trial.fate is Fate.STOPPED]
    kept = [t.objective for t in whole if t.fate is Fate.KEPT and t.objective is not None]
    rest = [t.objective for t in trials if t.fate is not Fate.KEPT and t.objective is not None]
    wrong, lost = 0, 0.0
    if kept and rest:
        best = best_of(rest, goal)
        wrong = sum(goal.is_better(objective, best) for objective in kept)
        # The largest objectives have no difference that is a number.
        lost = min(abs(best_of(kept, goal) - best), float_info.max) if wrong else 0.0
    steps = [_steps(trial) for trial in whole if trial.last_step is not None]
    usual_step = quantile(steps, 0.5) if steps else 0.0
    usual_time = quantile([trial.seconds for trial in whole], 0.5) if whole else 0.0
    saved = sum(max(usual_step - _steps(trial), 0.0) for trial in stopped)
    used = sum(_steps(trial) for trial in trials)
    return StoppingReport(
        stopped=len(stopped),
        kept=len(kept),
        wrong=wrong,
        lost=lost,
        saved_steps=saved / (saved + used) if saved > 0.0 else 0.0,
        saved_seconds=sum(max(usual_time - trial.seconds, 0.0) for trial in stopped),
    )


def _steps(trial: Judged) -> float:
    """How many it ran. A trainer may count from below 0, which is a number of steps for nobody."""
    return max(float(trial.last_step or 0), 0.0)
