"""Being told at once when a process ends."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.running_service import wait_until
from worker.launchers.waiting import EndOfProcess

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux has pidfds")

UNTIL_STDIN_CLOSES = [sys.executable, "-S", "-c", "import sys; sys.stdin.read()"]


class Child:
    """A process that runs until it is told to end, and is reaped by nobody but who watches it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(UNTIL_STDIN_CLOSES, stdin=subprocess.PIPE)
        self.pid = self._process.pid

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def is_reaped(self) -> bool:
        return not Path(f"/proc/{self.pid}").exists()

    def forget(self) -> None:
        self.end()
        self._process.kill()
        self._process.wait()


@pytest.fixture
def child() -> Iterator[Child]:
    child = Child()
    yield child
    child.forget()


@pytest.fixture
def ends() -> Iterator[EndOfProcess]:
    ends = EndOfProcess()
    yield ends
    ends.close()


def test_the_end_is_told_once_and_the_child_is_reaped(ends: EndOfProcess, child: Child) -> None:
    told: list[str] = []
    ended = threading.Event()
    ends.watch(child.pid, lambda: (told.append("end"), ended.set()))  # type: ignore[func-returns-value, arg-type]
    assert not told
    child.end()
    assert ended.wait(60)
    wait_until(child.is_reaped)
    assert told == ["end"]


def test_watching_twice_is_watching_once(ends: EndOfProcess, child: Child) -> None:
    told: list[str] = []
    second = Child()
    for _ in range(3):
        ends.watch(child.pid, lambda: told.append("child"))
    child.end()
    wait_until(child.is_reaped)
    # Told of another process after it: nothing of the first is still to come.
    ends.watch(second.pid, lambda: told.append("second"))
    second.end()
    wait_until(lambda: "second" in told)
    assert told == ["child", "second"]
    second.forget()


def test_what_has_ended_unreaped_is_told_at_once(ends: EndOfProcess, child: Child) -> None:
    child.end()
    wait_until(lambda: f"{child.pid} (python" in _stat(child.pid) and ") Z" in _stat(child.pid))
    ended = threading.Event()
    ends.watch(child.pid, ended.set)
    assert ended.wait(60)


def _stat(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text()


def test_what_is_long_gone_is_not_told(ends: EndOfProcess, child: Child) -> None:
    """Who looks again whenever told, and finds it gone again, would never rest."""
    child.forget()
    told: list[str] = []
    ends.watch(child.pid, lambda: told.append("gone"))
    last = Child()
    ends.watch(last.pid, lambda: told.append("last"))
    last.end()
    wait_until(lambda: "last" in told)
    assert told == ["last"]
    last.forget()


def test_the_end_of_somebody_elses_child_is_told(ends: EndOfProcess) -> None:
    """As after a restart: the trial was started by the service before."""
    script = (
        "import subprocess, sys; "
        f"print(subprocess.Popen({UNTIL_STDIN_CLOSES!r}, stdin=0, stdout=subprocess.DEVNULL).pid, flush=True)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdin is not None
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.stdout.close()
    # Only wait: communicate() would close the orphan's standard input.
    os.waitpid(parent.pid, 0)
    parent.returncode = 0
    ended = threading.Event()
    ends.watch(pid, ended.set)
    assert not ended.is_set()
    parent.stdin.close()
    assert ended.wait(60)


def test_a_listener_that_fails_does_not_deafen_the_others(ends: EndOfProcess, child: Child) -> None:
    other = Child()
    ended = threading.Event()

    def fail() -> None:
        raise RuntimeError("database away")

    with capture_logs() as logs:
        ends.watch(child.pid, fail)
        child.end()
        wait_until(child.is_reaped)
        ends.watch(other.pid, ended.set)
        other.end()
        assert ended.wait(60)
    assert [line["pid"] for line in logs] == [child.pid]
    other.forget()


def test_closing_leaves_the_processes_alone_and_gives_back_what_it_held(child: Child) -> None:
    before = set(os.listdir("/proc/self/fd"))
    ends = EndOfProcess()
    told: list[str] = []
    ends.watch(child.pid, lambda: told.append("end"))
    ends.close()
    ends.close()
    # Others of this process may have given back theirs meanwhile.
    assert set(os.listdir("/proc/self/fd")) <= before
    ends.watch(child.pid, lambda: told.append("end"))
    child.end()
    wait_until(lambda: ") Z" in _stat(child.pid))
    assert told == []
