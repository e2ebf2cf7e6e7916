"""Any algorithm over a space with rules: it sees whole points, and who asks sees their active parts."""

from collections.abc import Sequence
from dataclasses import replace

from tuning.rules import RuledSpace
from tuning.space import Value, Values
from tuning.suggest.derived import Derived
from tuning.suggest.protocol import Suggester
from tuning.suggest.randomness import stream
from tuning.suggest.untried import draw_untried
from tuning.trials import FinishedTrial, PendingTrial


class ActiveParts:
    """Translates; and what an algorithm suggests against the rules is replaced by a random point.

    Where no point is found that the rules allow, there are fewer suggestions than asked for, or none.
    """

    def __init__(self, inner: Suggester, space: RuledSpace, seed: int) -> None:
        """`inner` searches the whole of `space`."""
        self._inner = inner
        self._space = space
        self._seed = seed
        self._whole: Derived[FinishedTrial] = Derived(
            lambda _, trial: replace(trial, values=self._filled(trial.values))
        )

    @property
    def algorithm(self) -> str:
        return self._inner.algorithm

    @property
    def version(self) -> str:
        return self._inner.version

    def suggest(
        self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], count: int
    ) -> list[dict[str, Value]]:
        """See `Suggester.suggest`."""
        whole, before = self._space.whole, len(history) + len(pending)
        ended = self._whole(history)
        running = [replace(trial, values=self._filled(trial.values)) for trial in pending]
        told = [*(trial.values for trial in ended), *(trial.values for trial in running)]
        tried = {whole.key(values) for values in told if whole.contains(values)}
        points = []
        for position, given in enumerate(self._inner.suggest(ended, running, count), start=before):
            point = whole.settled(given)
            if not whole.contains(point):
                point = draw_untried(whole, stream(self._seed, position, 100), tried)
            if whole.contains(point):
                tried.add(whole.key(point))
                points.append(self._space.active(point))
        return points

    def _filled(self, values: Values) -> Values:
        """The whole point; of what is none of the space, something else that is none."""
        return self._space.filled(values) if self._space.contains(values) else values
