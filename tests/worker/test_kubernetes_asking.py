"""Replicas are asked for what they have printed beside whoever looks at them, and the silent ones seldom."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.running_service import wait_until
from worker.cluster import PRIMARY
from worker.launchers.kubernetes import asking
from worker.launchers.kubernetes.asking import THREADS, Asking, Which
from worker.launchers.protocol import AttemptRef, JobRef

JOB = JobRef("a-project", "a_job")


def replica(trial: int) -> Which:
    return AttemptRef(JOB, trial, 1), PRIMARY


class Node:
    """Notes who is asked; some of them have always printed something new, some never answer."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, Which]] = []
        self.prints: set[Which] = set()
        self.hangs: set[Which] = set()
        self.fails: set[Which] = set()
        self.may_answer = threading.Event()

    def __call__(self, which: Which) -> bool:
        self.asked.append((time.monotonic(), which))
        if which in self.hangs:
            self.may_answer.wait(60)
        if which in self.fails:
            raise RuntimeError("a defect")
        return which in self.prints

    def times(self, which: Which) -> int:
        return sum(each == which for _, each in self.asked)


@pytest.fixture
def node() -> Iterator[Node]:
    node = Node()
    yield node
    node.may_answer.set()


@pytest.fixture
def asking_every(node: Node) -> Iterator[Callable[[float], Asking]]:
    made: list[Asking] = []

    def make(seconds: float) -> Asking:
        made.append(Asking(node, seconds))
        return made[-1]

    yield make
    node.may_answer.set()
    for each in made:
        each.close(10.0)


Make = Callable[[float], Asking]


def test_it_is_asked_when_somebody_looks_and_not_again_before_somebody_does(
    node: Node, asking_every: Make
) -> None:
    asks = asking_every(0.01)
    node.prints.add(replica(1))
    for number in range(1, 4):
        asks.want(replica(1))
        wait_until(lambda number=number: node.times(replica(1)) == number)  # type: ignore[misc]
    time_to_ask_thrice = threading.Event()
    assert not time_to_ask_thrice.wait(0.1)
    assert node.times(replica(1)) == 3


def test_who_is_silent_is_asked_after_twice_as_long_each_time(node: Node, asking_every: Make) -> None:
    asks = asking_every(0.02)

    def asked(count: int) -> bool:
        asks.want(replica(1))
        return node.times(replica(1)) >= count

    wait_until(lambda: asked(6))
    moments = [moment for moment, _ in node.asked]
    pauses = [after - before for before, after in itertools.pairwise(moments)]
    assert all(pause >= 0.02 * 2**number for number, pause in enumerate(pauses))


def test_one_that_does_not_answer_keeps_neither_those_who_look_nor_the_others_waiting(
    node: Node, asking_every: Make
) -> None:
    asks = asking_every(0.01)
    stuck = [replica(number) for number in range(1, THREADS)]
    node.hangs.update(stuck)
    for which in stuck:
        asks.want(which)
    wait_until(lambda: all(node.times(which) for which in stuck))
    asks.want(replica(THREADS))
    wait_until(lambda: node.times(replica(THREADS)))
    for which in stuck:
        asks.want(which)
    assert [node.times(which) for which in stuck] == [1] * len(stuck), "one request of each at a time"


def test_a_failure_is_no_end(node: Node, asking_every: Make) -> None:
    asks = asking_every(0.01)
    node.fails.add(replica(1))
    for _ in range(THREADS + 1):
        before = node.times(replica(1))
        asks.want(replica(1))
        wait_until(lambda before=before: node.times(replica(1)) > before)  # type: ignore[misc]


def test_the_more_are_silent_the_more_seldom_each_is_asked(
    node: Node, asking_every: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NEW_REQUESTS_A_SECOND", "SILENT_REQUESTS_A_SECOND"):
        monkeypatch.setattr(asking, name, 200.0)
    monkeypatch.setattr(asking, "LONGEST_PAUSE_SECONDS", 0.01)
    asks = asking_every(0.001)
    many = [replica(number) for number in range(1, 101)]
    node.hangs.update(many)
    for which in many:
        asks.want(which)
    node.may_answer.set()  # Not before all of them are known.

    def asked(rounds: int) -> bool:
        for which in many:
            asks.want(which)
        return len(node.asked) >= rounds * len(many)

    wait_until(lambda: asked(3))
    seconds = node.asked[-1][0] - node.asked[0][0]
    assert max(Counter(which for _, which in node.asked).values()) <= 1 + seconds / 0.5


def test_what_was_forgotten_or_put_off_is_not_asked(node: Node, asking_every: Make) -> None:
    asks = asking_every(60.0)
    first, second, third = (replica(number) for number in (1, 2, 3))
    node.hangs.update(replica(100 + number) for number in range(THREADS))
    for which in node.hangs:
        asks.want(which)
    wait_until(lambda: len(node.asked) == THREADS)
    for which in (first, second, third):
        asks.want(which)
    asks.forget(first)
    asks.put_off(second, silent=True)
    assert (asks.knows(first), asks.knows(second)) == (False, True)
    node.may_answer.set()
    wait_until(lambda: node.times(third))
    assert (node.times(first), node.times(second)) == (0, 0)


def test_nobody_is_asked_once_it_is_closed(node: Node, asking_every: Make) -> None:
    asks = asking_every(0.01)
    asks.want(replica(1))
    wait_until(lambda: node.times(replica(1)))
    asks.close(10.0)
    assert not any(thread.is_alive() for thread in asks._threads)
    asks.want(replica(2))
    assert node.times(replica(2)) == 0
