"""What a suggester derives from each finished trial, kept while the history grows."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from tuning.trials import FinishedTrial

T = TypeVar("T")


class Derived(Generic[T]):
    """Applies a pure function to every trial of a history, and only to the new ones of a longer history.

    Calling it gives what `[derive(i, trial) for i, trial in enumerate(history)]` gives. Results are kept for
    the longest start that the new history shares with the last one, compared by content, not by identity or
    number; so another history costs time and never changes an answer.
    """

    def __init__(self, derive: Callable[[int, FinishedTrial], T]) -> None:
        """Keep `derive(position, trial)`, which may read all of a trial but its number and early curve."""
        self._derive = derive
        self._trials: list[FinishedTrial] = []
        self._results: list[T] = []

    def __call__(self, history: Sequence[FinishedTrial]) -> Sequence[T]:
        shared = 0
        for old, new in zip(self._trials, history, strict=False):
            if not (old is new or _says_the_same(old, new)):
                break
            shared += 1
        del self._trials[shared:], self._results[shared:]
        for position in range(shared, len(history)):
            self._results.append(self._derive(position, history[position]))
            self._trials.append(history[position])
        return self._results


def _says_the_same(left: FinishedTrial, right: FinishedTrial) -> bool:
    # Comparing whole curves would cost more than what is derived from them.
    return (
        left.values == right.values
        and left.outcome is right.outcome
        and left.objective == right.objective
        and left.curve[-1:] == right.curve[-1:]
    )
