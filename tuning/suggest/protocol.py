"""The one interface of all search algorithms."""

from collections.abc import Sequence
from typing import Protocol

from tuning.space import Value
from tuning.trials import FinishedTrial, PendingTrial


class Suggester(Protocol):
    """Suggests points of one space, for one goal, from one seed.

    Suggesting is pure: the same history, pending trials and count give the same answer, whatever was asked
    before and by whichever instance. An instance may remember what it derived from a history, to be quick
    when that history grows; this never changes an answer. One thread at a time uses an instance.

        suggest([], [], 2)            -> [a, b]
        suggest([], [a, b], 1)        -> [c]         told of what is under way, it does not suggest it again
        suggest([a], [b, c], 1)       -> [d]         a has ended; every answer may now build on it
        suggest([a], [b, c], 1)       -> [d]         asked again, it answers the same
    """

    @property
    def algorithm(self) -> str:
        """The algorithm's name, such as `TPE`."""

    @property
    def version(self) -> str:
        """Changes whenever the same question may get another answer; to be stored with each decision."""

    def suggest(
        self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], count: int
    ) -> list[dict[str, Value]]:
        """Suggest at most `count` points to try next.

        Args:
            history: the trials that have ended, in the order of their ends; it grows by appending. Trials
                of other spaces are allowed and teach nothing.
            pending: the trials under way, in any order that repeats.
            count: how many points are wanted, 0 or more.

        Returns:
            `count` points; fewer, or none, only when the algorithm ends with its finite space.
        """
