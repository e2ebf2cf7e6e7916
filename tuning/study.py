"""A search from Python, with nothing else of Vernier: ask for a trial, run it, tell what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from tuning.search import Search
from tuning.space import Space, Value, Values
from tuning.stopping import FinishedCurves, Stopper
from tuning.stopping.curves import by_step
from tuning.trials import FinishedTrial, Goal, Outcome, PendingTrial, Point


@dataclass(eq=False)
class Asked:
    """A trial that has been asked for and not told.

    Attributes:
        number: from 0.
        values: what to try, by parameter.
        curve: what has been reported of it.
        is_stopped: whether the stopping rule has given it up.
    """

    number: int
    values: Mapping[str, Value]
    curve: list[Point] = field(default_factory=list)
    is_stopped: bool = False


class Study:
    """One search and its trials. Not for several threads at once.

    Trials may be under way side by side: ask for several before telling of the first. Keep `history` (with
    pickle, say) and give it to a new study of the same kind to go on another day.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal = Goal.MINIMIZE,
        algorithm: str = "DEFAULT",
        *,
        seed: int = 0,
        arguments: Mapping[str, Any] | None = None,
        initial: Sequence[Values] = (),
        stopping: Stopper | None = None,
        history: Sequence[FinishedTrial] = (),
    ) -> None:
        """Begin a study; see `make_suggester`.

        Args:
            space, goal, algorithm, seed, arguments, initial: as `make_suggester` has them.
            stopping: what says when to give up a trial; see `make_stopper`.
            history: trials of an earlier study.

        Raises:
            ValueError: as `make_suggester`.
        """
        self._goal = goal = Goal(goal)  # A name would be a goal that is neither.
        self._suggester = Search(algorithm, space, goal, seed, dict(arguments or {}), initial).make()
        self._stopping = stopping
        self._finished = FinishedCurves()
        self._running: dict[int, Asked] = {}
        self._next = 1 + max((trial.number for trial in history), default=-1)
        self.history: list[FinishedTrial] = []
        for trial in history:
            self._take(trial)

    def ask(self) -> Asked:
        """The next trial to run.

        Raises:
            StopIteration: a grid or a list of points has no more.
        """
        pending = [PendingTrial(trial.number, trial.values) for trial in self._running.values()]
        points = self._suggester.suggest(self.history, pending, 1)
        if not points:
            raise StopIteration("there is nothing left to try")
        trial = self._running[self._next] = Asked(self._next, points[0])
        self._next += 1
        return trial

    def report(self, trial: Asked, step: int, value: float) -> bool:
        """Keep the objective at a step of a running trial; true if the trial should be given up.

        A value that is not finite is left out. Of a step that is reported twice the later value counts.
        """
        if isfinite(value):
            trial.curve.append(Point(step, value))
        if self._stopping is not None and trial.curve and not trial.is_stopped:
            beside = [other.curve for other in self._running.values() if other is not trial]
            trial.is_stopped = self._stopping.decide(trial.curve, self._finished, beside) is not None
        return trial.is_stopped

    def tell(self, trial: Asked, objective: float | None = None, *, failed: bool = False) -> FinishedTrial:
        """Say how a trial ended.

        Args:
            trial: one that has been asked for and not told.
            objective: the final one; by default the last that was reported. One that is not finite is none.
            failed: whether the trial broke down, so that its point is no good.

        Raises:
            ValueError: it has been told already.
        """
        if self._running.get(trial.number) is not trial:
            raise ValueError(f"trial {trial.number} is not running")
        curve = tuple(by_step(trial.curve))
        if objective is None and curve:
            objective = curve[-1].value
        if objective is not None and not isfinite(objective):
            objective = None
        del self._running[trial.number]  # Not before what was told is known to be a number.
        outcome = Outcome.STOPPED_EARLY if trial.is_stopped else Outcome.COMPLETED
        outcome = Outcome.FAILED if failed else outcome
        finished = FinishedTrial(trial.number, trial.values, outcome, objective, curve)
        self._take(finished)
        return finished

    @property
    def best(self) -> FinishedTrial | None:
        """The trial with the best objective of those that did not fail; None before there is one."""
        sign = 1.0 if self._goal is Goal.MINIMIZE else -1.0
        good = [t for t in self.history if t.objective is not None and t.outcome is not Outcome.FAILED]
        return min(good, key=lambda trial: sign * (trial.objective or 0.0), default=None)

    def _take(self, trial: FinishedTrial) -> None:
        self.history.append(trial)
        if trial.outcome is not Outcome.FAILED:
            self._finished.add(trial.curve, completed=trial.outcome is Outcome.COMPLETED)
