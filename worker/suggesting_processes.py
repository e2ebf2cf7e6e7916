"""Suggestions made in processes of their own, so that one that takes too long can be ended.

A thread can't be ended, and one that hangs in C code holds up all others. A process here answers one question
at a time, keeps the histories it has been told, and is sent what is new of them. One that does not answer in
time is killed, and the next question starts another. There are as many as questions were asked at once, at
most one for each thread that asks.

Should this process die first, an idle one sees the end of its pipe; one at work is ended by its own alarm.
"""

import os
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from multiprocessing import Pipe

from tuning.search import Search
from tuning.trials import FinishedTrial, PendingTrial
from worker.suggesting import Answer, NoAnswer, Question

HISTORIES_KEPT = 64
"""How many histories a process keeps; of another it is told all again."""
STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Message:
    """What a process is sent: a question, without what it has been told before."""

    forget: list[str]
    study: str
    search: Search | None
    """None: told before."""
    new: list[FinishedTrial]
    """The end of the history, from the first trial on that it has not been told."""
    pending: list[PendingTrial]
    count: int


class SuggestingProcesses:
    """Answers questions within a time, from any thread. To be closed.

    Args:
        seconds: from a question to its answer, the start of a process included.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._idle: list[_Process] = []
        self._closed = False

    def __call__(self, question: Question) -> Answer:
        """Answer a question.

        Raises:
            NoAnswer: it took too long, or the search raised something.
        """
        began = time.monotonic()
        try:
            process = self._take(question.study)
        except OSError as error:
            raise NoAnswer(f"no process can be started: {error.strerror}") from error
        try:
            return process.ask(question, began + self._seconds)
        except _Gone as error:
            raise NoAnswer(str(error)) from error
        finally:
            self._give_back(process)

    def close(self) -> None:
        """End all processes; those at work when they are done."""
        with self._lock:
            self._closed, idle, self._idle = True, self._idle, []
        for process in idle:
            process.end()

    def _take(self, study: str) -> "_Process":
        while True:
            with self._lock:
                if not self._idle:
                    break
                # One that knows the history; else the one that was used last, so that few are used at all.
                place = next((i for i, process in enumerate(self._idle) if process.knows(study)), -1)
                process = self._idle.pop(place)
            if process.lives():
                return process
            process.end()  # Something from outside has ended it meanwhile.
        return _Process(self._seconds)

    def _give_back(self, process: "_Process") -> None:
        with self._lock:
            keep = process.answered and not self._closed
            if keep:
                self._idle.append(process)
        if not keep:
            process.end()


class _Gone(Exception):
    """The process has ended, or has not answered in time."""


class _Process:
    """One process, and what it has been told."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._told: OrderedDict[str, int] = OrderedDict()
        self._connection, theirs = Pipe()
        # Its own session: Ctrl-C in a terminal is for the service, which ends it.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "worker.suggesting_child", str(theirs.fileno()), str(seconds)],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,
        )
        theirs.close()
        self.answered = False

    def lives(self) -> bool:
        return self._process.poll() is None

    def knows(self, study: str) -> bool:
        return study in self._told

    def ask(self, question: Question, deadline: float) -> Answer:
        self.answered = False
        message = self._message(question)
        try:
            self._connection.send(message)
            if not self._connection.poll(max(deadline - time.monotonic(), 0.0)):
                raise _Gone(f"no answer within {self._seconds:g} s")
            answer: Answer | str = self._connection.recv()
        except (EOFError, OSError) as error:
            raise _Gone(self._last_word()) from error
        self.answered = True
        if isinstance(answer, str):
            raise NoAnswer(answer)
        return answer

    def end(self) -> None:
        """Kill it; nothing is lost."""
        self._connection.close()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(STOP_SECONDS)

    def _message(self, question: Question) -> Message:
        told = self._told.get(question.study)
        start = 0 if told is None or told > len(question.history) else told
        again = told is None or start < told
        self._told[question.study] = len(question.history)
        self._told.move_to_end(question.study)
        forget = [question.study] if again and told is not None else []
        while len(self._told) > HISTORIES_KEPT:
            forget.append(self._told.popitem(last=False)[0])
        return Message(
            forget,
            question.study,
            question.search if again else None,
            list(question.history[start:]),
            list(question.pending),
            question.count,
        )

    def _last_word(self) -> str:
        try:
            code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            return "its process closed its pipe"
        return f"its process ended with {code}" if code >= 0 else f"its process was ended by signal {-code}"
