"""Searches asked in processes of their own: the answers are those of here, and one that hangs is ended."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.running_service import wait_until
from tuning.search import Search
from tuning.space import Double, Integer, Space
from tuning.trials import FinishedTrial, Goal, Outcome, PendingTrial
from worker.suggesting import AskHere, NoAnswer, Question, answer_in_any_case
from worker.suggesting_processes import HISTORIES_KEPT, SuggestingProcesses, _Process

SPACE = Space((Double("x", 0.0, 1.0), Integer("n", 1, 8)))
SEARCH = Search("RANDOM_SEARCH", SPACE, Goal.MINIMIZE, 3)
HANGS = ["time.sleep(1e6)", "ctypes.PyDLL(None).sleep(1000000)"]
"""The second holds the interpreter's lock meanwhile: no thread of its process could end it."""


def history(length: int) -> list[FinishedTrial]:
    return [FinishedTrial(n, {"x": n / 100, "n": 1 + n % 8}, Outcome.COMPLETED, n / 7) for n in range(length)]


def question(study: str = "a", length: int = 0, count: int = 1, search: Search = SEARCH) -> Question:
    return Question(study, search, history(length), [PendingTrial(99, {"x": 0.5, "n": 3})], count)


@pytest.fixture
def ask() -> Iterator[SuggestingProcesses]:
    processes = SuggestingProcesses(60.0)
    yield processes
    processes.close()


def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> Search:
    """A search whose making runs this."""
    (tmp_path / "its_own.py").write_text(
        "import ctypes, os, time\n"
        "from tuning.search import Search\n"
        "class Its(Search):\n"
        "    def make(self):\n"
        "        if self.algorithm != 'ITS_OWN':\n"
        "            return super().make()\n"
        f"        {body}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "its_own", raising=False)
    import its_own  # type: ignore[import-not-found]

    return its_own.Its("ITS_OWN", SPACE, Goal.MINIMIZE, 3)  # type: ignore[no-any-return]


def children() -> set[str]:
    """The processes that this one started and that have not been waited for."""
    found: list[str] = []
    for task in os.listdir("/proc/self/task"):
        with suppress(FileNotFoundError):  # A thread that has ended meanwhile.
            found += Path(f"/proc/self/task/{task}/children").read_text().split()
    return set(found)


def test_answers_are_those_of_this_process(ask: SuggestingProcesses) -> None:
    here = AskHere()
    for study, length in [("a", 0), ("a", 3), ("b", 12), ("a", 3), ("a", 9), ("b", 2), ("a", 12)]:
        for algorithm in ("RANDOM_SEARCH", "GAUSSIAN_PROCESS"):
            search = Search(algorithm, SPACE, Goal.MINIMIZE, 3)
            asked = question(f"{study} {algorithm}", length, 2, search)
            assert ask(asked) == here(asked)


def test_many_studies_are_forgotten_and_told_again(ask: SuggestingProcesses) -> None:
    for _ in range(2):
        for number in range(HISTORIES_KEPT + 3):
            search = Search("RANDOM_SEARCH", SPACE, Goal.MINIMIZE, number)
            asked = question(str(number), 4, 1, search)
            assert ask(asked) == AskHere()(asked)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("raise LookupError('none left')", "LookupError: none left"),
        ("raise MemoryError", "MemoryError"),
        ("return type('S', (), {'suggest': lambda *_: [{'x': 2.0, 'n': 1}]})()", "no point of the space"),
        ("return type('S', (), {'suggest': lambda *_: [{'x': 0.0, 'n': 1}] * 2})()", "2 points for"),
        ("return None", "AttributeError"),
    ],
)
def test_what_fails_says_why_and_the_process_goes_on(
    ask: SuggestingProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, why: str
) -> None:
    search = plug_in(tmp_path, monkeypatch, body)
    with pytest.raises(NoAnswer, match=why):
        ask(question(search=search))
    process = ask._idle[0]
    assert ask(question("another")).values
    assert ask._idle == [process]


@pytest.mark.parametrize(
    ("body", "why"), [("os._exit(3)", "ended with 3"), ("os.kill(os.getpid(), 11)", "signal 11")]
)
def test_one_that_ends_its_process_is_answered_by_the_next(
    ask: SuggestingProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, why: str
) -> None:
    with pytest.raises(NoAnswer, match=why):
        ask(question(search=plug_in(tmp_path, monkeypatch, body)))
    assert ask(question("another")).values


@pytest.mark.parametrize("body", HANGS)
def test_one_that_hangs_is_ended_and_no_thread_and_no_process_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    ask = SuggestingProcesses(1.0)
    search = plug_in(tmp_path, monkeypatch, body)
    threads, before = threading.active_count(), children()
    for _ in range(2):
        answer = answer_in_any_case(ask, question(search=search))
        assert (answer.algorithm, answer.instead_of) == ("QUASI_RANDOM", "ITS_OWN")
        assert answer.because == "no answer within 1 s"
        assert [SPACE.contains(point) for point in answer.values] == [True]
    assert threading.active_count() == threads
    assert children() == before
    ask.close()


def test_one_that_hangs_ends_by_itself_when_nobody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = plug_in(tmp_path, monkeypatch, HANGS[1])
    process = _Process(0.5)
    process._connection.send(process._message(question(search=search)))
    assert process._process.wait(60) == -signal.SIGALRM
    process.end()


def test_idle_processes_end_with_who_asked() -> None:
    ask = SuggestingProcesses(60.0)
    ask(question())
    process = ask._idle[0]
    process._connection.close()
    assert process._process.wait(60) == 0


def test_one_that_died_while_it_had_nothing_to_do_costs_no_suggestion(ask: SuggestingProcesses) -> None:
    asked = question()
    expected = ask(asked)
    process = ask._idle[0]._process
    process.kill()
    process.wait()
    assert ask(asked) == expected


def test_several_threads_are_answered_side_by_side_and_closing_ends_all() -> None:
    ask, before = SuggestingProcesses(60.0), children()
    answers: dict[int, Any] = {}

    def go(number: int) -> None:
        answers[number] = [ask(question(str(number), length, 2)) for length in range(4)]

    threads = [threading.Thread(target=go, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    here = [AskHere()(question("", length, 2)) for length in range(4)]
    assert answers == dict.fromkeys(range(3), here)
    assert 1 <= len(children() - before) <= 3
    ask.close()
    wait_until(lambda: children() == before)


class NumPysNumbers(Search):
    """Gives points in another order, and of types that are those of the space and more."""

    algorithm, version = "ITS_OWN", "1"

    def make(self) -> Any:
        return self

    def suggest(self, *_: object) -> list[dict[str, Any]]:
        return [{"n": 4, "x": np.float64(0.5)}]


def test_a_point_has_the_plain_types_of_the_space() -> None:
    answer = AskHere()(question(search=NumPysNumbers("ITS_OWN", SPACE, Goal.MINIMIZE, 0)))
    assert list(answer.values[0].items()) == [("x", 0.5), ("n", 4)]
    assert type(answer.values[0]["x"]) is float
