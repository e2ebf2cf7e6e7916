"""When each replica is asked for what it has printed, in threads of its own: no look waits for it."""

import heapq
import itertools
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from worker.cluster import Replica
from worker.launchers.protocol import AttemptRef

log = structlog.get_logger(__name__)

Which = tuple[AttemptRef, Replica]

LONGEST_PAUSE_SECONDS = 10.0
REQUESTS_A_SECOND, NEW_REQUESTS_A_SECOND, SILENT_REQUESTS_A_SECOND = 100.0, 20.0, 5.0
"""How many there are about at most: over all replicas that run, those that have begun and are silent, and
those that have been silent for long."""
FEW = 20
"""So many that begin at once are asked at once."""
FORGOTTEN_SECONDS = 600.0
"""A replica that nobody has looked at since it was due has ended, as another worker saw."""
THREADS = 4
"""A node that does not answer holds one of them up."""


@dataclass(slots=True)
class _Turn:
    due: float
    pause: float = 0.0
    """From when it was asked last until it is due."""
    is_wanted: bool = True
    """Whether somebody has looked at it since it was asked last: else it is not asked again."""
    is_in_line: bool = False
    """Or being asked."""


class Asking:
    """One that is silent is asked again after twice as long each time, up to ten seconds.

    Where there are many it takes longer: a hundred that print are asked once a second each, a thousand that
    have just begun within a minute, and every three minutes when they stay silent.

    Args:
        ask: asks a replica; whether it is to be asked again soon, as it is not silent.
        seconds: how often at most each of them is asked.
    """

    def __init__(self, ask: Callable[[Which], bool], seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._changed = threading.Condition()
        self._turns: dict[Which, _Turn] = {}
        self._line: list[tuple[float, int, Which, _Turn]] = []
        """(when it is due, …, which), the earliest first; some have been put off or forgotten since."""
        self._count = itertools.count()
        self._tidy_at = 0.0
        self._is_watched = False
        """Whether one of the threads waits for whoever is due first; the others wait for that one."""
        self._closed = False
        self._threads: list[threading.Thread] = []

    def want(self, which: Which) -> None:
        """Somebody looks at a replica, and wants to know what it has printed: it is asked when it is due."""
        with self._changed:
            if self._closed:
                return
            turn = self._turns.get(which)
            if turn is None:
                turn = self._turns[which] = _Turn(time.monotonic() + self._first_wait())
            turn.is_wanted = True
            if not turn.is_in_line:
                self._line_up(which, turn)

    def put_off(self, which: Which, silent: bool) -> None:
        """It has been listened to until now, and was silent or not."""
        with self._changed:
            turn = self._turns.setdefault(which, _Turn(0.0))
            self._pause(turn, silent)

    def forget(self, which: Which) -> None:
        """It has ended."""
        with self._changed:
            self._turns.pop(which, None)

    def knows(self, which: Which) -> bool:
        """Whether somebody has looked at it, and it has not been forgotten."""
        return which in self._turns

    def close(self, seconds: float) -> None:
        """Ask no more. What is under way is waited for so long."""
        with self._changed:
            self._closed = True
            self._turns.clear()
            self._changed.notify_all()
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _first_wait(self) -> float:
        """Of many that begin at once not all are asked at once."""
        return random.random() * (len(self._turns) // FEW * FEW) / NEW_REQUESTS_A_SECOND  # noqa: S311

    def _line_up(self, which: Which, turn: _Turn) -> None:
        turn.is_in_line = True
        heapq.heappush(self._line, (turn.due, next(self._count), which, turn))
        if not self._threads:
            self._threads = [
                threading.Thread(target=self._run, name="pod-output", daemon=True) for _ in range(THREADS)
            ]
            for thread in self._threads:
                thread.start()
        if self._line[0][3] is turn:
            self._changed.notify_all()

    def _pause(self, turn: _Turn, silent: bool) -> None:
        """Let it be due after this time, or after the least or the most with so many."""
        many = len(self._turns)
        least = max(self._seconds, many / (NEW_REQUESTS_A_SECOND if silent else REQUESTS_A_SECOND))
        most = max(LONGEST_PAUSE_SECONDS, many / SILENT_REQUESTS_A_SECOND)
        turn.pause = min(max(2 * turn.pause if silent else 0.0, least), most)
        turn.due = time.monotonic() + turn.pause

    # Its threads

    def _run(self) -> None:
        while (found := self._next()) is not None:
            which, turn = found
            silent = True
            try:
                silent = not self._ask(which)
            except Exception:
                log.exception("asking for a replica's output failed", attempt=which[0].name)
            with self._changed:
                if self._turns.get(which) is turn:
                    self._pause(turn, silent)
                    turn.is_in_line = False
                    if turn.is_wanted:
                        self._line_up(which, turn)

    def _next(self) -> tuple[Which, _Turn] | None:
        """Who is due, waited for; None: nobody will be."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                self._tidy(now)
                if not self._line or self._is_watched:
                    self._changed.wait()
                    continue
                due, _, which, turn = self._line[0]
                if self._turns.get(which) is not turn:
                    heapq.heappop(self._line)  # It was forgotten.
                elif due > now:
                    self._is_watched = True
                    self._changed.wait(due - now)
                    self._is_watched = False
                elif turn.due > now:
                    heapq.heapreplace(self._line, (turn.due, next(self._count), which, turn))
                else:
                    heapq.heappop(self._line)
                    turn.is_wanted = False
                    self._changed.notify()
                    return which, turn
        return None

    def _tidy(self, now: float) -> None:
        if now < self._tidy_at:
            return
        self._tidy_at = now + FORGOTTEN_SECONDS
        for which in [each for each, turn in self._turns.items() if turn.due < now - FORGOTTEN_SECONDS]:
            del self._turns[which]
