"""What algorithms share that make up one point after the other from the better trials so far."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from tuning.space import Space, Value, Values
from tuning.suggest.derived import Derived
from tuning.suggest.randomness import stream
from tuning.suggest.untried import draw_untried, is_exhausted
from tuning.trials import FinishedTrial, Goal, Outcome, PendingTrial

_ATTEMPTS = 8
"""How often a point that has been tried may be proposed before a random one is taken."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A point and its objective; smaller is better."""

    values: Values
    loss: float


@dataclass(frozen=True, slots=True)
class _Known:
    key: Hashable
    scored: Scored | None
    completed: bool


class OneByOne(ABC):
    """Draws no point twice while a finite space has untried ones; then points repeat.

    Subclasses say what to try next. Completed trials count by their objective; those that were stopped early
    only while there is no other, since their last values are no final ones; failed ones just as tried.
    """

    algorithm: str
    version: str

    def __init__(self, space: Space, goal: Goal, seed: int) -> None:
        self._space = space
        self._sign = 1.0 if goal is Goal.MINIMIZE else -1.0
        self._seed = seed
        self._known = Derived(self._read)

    def suggest(
        self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], count: int
    ) -> list[dict[str, Value]]:
        """See `Suggester.suggest`; always `count` points."""
        space, before = self._space, len(history) + len(pending)
        known = [trial for trial in self._known(history) if trial is not None]
        tried = {trial.key for trial in known}
        tried |= {space.key(trial.values) for trial in pending if space.contains(trial.values)}
        completed = [trial.scored for trial in known if trial.scored is not None and trial.completed]
        scored = completed or [trial.scored for trial in known if trial.scored is not None]
        points: list[dict[str, Value]] = []
        for position in range(before, before + count):
            may_repeat = is_exhausted(space, tried)
            for attempt in range(1, _ATTEMPTS + 1):
                random = np.random.default_rng(stream(self._seed, position, attempt))
                point = self._propose(scored, position, random)
                if point is None:
                    break
                point = dict(space.settled(point))
                if not space.forbids(point) and (may_repeat or space.key(point) not in tried):
                    break
            else:
                point = None
            if point is None:
                point = draw_untried(space, stream(self._seed, position), tried)
            tried.add(space.key(point))
            points.append(point)
        return points

    @abstractmethod
    def _propose(
        self, scored: Sequence[Scored], position: int, random: np.random.Generator
    ) -> dict[str, Value] | None:
        """A point to try, drawn from `random`; None: one drawn evenly from the space will do.

        Args:
            scored: the trials that have an objective, in the order of their ends.
            position: how many trials came before, those that run and failed ones included.
        """

    def _changed(self, values: Values, name: str, random: np.random.Generator) -> dict[str, Value]:
        """The point with one parameter drawn anew, to another value if it has one."""
        point = dict(values)
        for parameter in self._space.parameters:
            if parameter.name == name:
                # Another value is met soon enough, where there is one.
                for _ in range(_ATTEMPTS):
                    point[name] = parameter.draw(float(random.random()))
                    if point[name] != values[name]:
                        break
        return point

    def _some_name(self, random: np.random.Generator) -> str:
        """A parameter's name, drawn evenly from those that can change."""
        names = [p.name for p in self._space.parameters if p.size != 1] or list(self._space.names)
        return names[int(random.integers(len(names)))]

    def _read(self, _: int, trial: FinishedTrial) -> _Known | None:
        if not self._space.contains(trial.values):
            return None
        scored = None
        if trial.outcome is not Outcome.FAILED and trial.objective is not None:
            scored = Scored(trial.values, self._sign * trial.objective)
        return _Known(self._space.key(trial.values), scored, trial.outcome is Outcome.COMPLETED)
