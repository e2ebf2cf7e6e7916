"""The program of a process that makes suggestions; `worker/suggesting_processes.py` talks to it."""

import signal
import sys
from multiprocessing.connection import Connection

from tuning.suggest import Suggester
from tuning.trials import FinishedTrial
from worker.suggesting import Answer, Question, answer_of, reason_of
from worker.suggesting_processes import Message

GRACE_SECONDS = 1.0
"""So much after its time it ends by itself; who asked, if still there, has ended it before."""


class Histories:
    """What has been told, and the suggesters made for it."""

    def __init__(self) -> None:
        self._suggesters: dict[str, Suggester] = {}
        self._told: dict[str, tuple[Message, list[FinishedTrial]]] = {}

    def answer(self, message: Message) -> Answer:
        """Take in a message and answer it.

        Raises:
            Exception: whatever the search raises.
        """
        for study in message.forget:
            self._told.pop(study, None)
            self._suggesters.pop(study, None)
        # Told first, whatever comes of it: the next message builds on this one.
        first, history = self._told.setdefault(message.study, (message, []))
        history.extend(message.new)
        search = first.search
        assert search is not None  # The first message of a study has it.
        suggester = self._suggesters.get(message.study)
        if suggester is None:
            suggester = self._suggesters[message.study] = search.make()
        return answer_of(suggester, Question(message.study, search, history, message.pending, message.count))


def main(descriptor: int, seconds: float) -> None:
    """Answer until nobody asks."""
    connection: Connection = Connection(descriptor)
    # The default action is the system's own, so that no code of a search can be in its way.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    histories = Histories()
    while True:
        try:
            message = connection.recv()
        except (EOFError, OSError):
            return
        signal.setitimer(signal.ITIMER_REAL, seconds + GRACE_SECONDS)
        try:
            answer: Answer | str = histories.answer(message)
        except Exception as error:
            answer = reason_of(error)
        signal.setitimer(signal.ITIMER_REAL, 0)
        try:
            connection.send(answer)
        except OSError:
            return


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
