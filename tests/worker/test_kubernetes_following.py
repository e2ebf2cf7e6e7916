"""A pod's log is listened to from where it has been taken to; whatever goes wrong, nothing is skipped."""

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from tests.running_service import wait_until
from worker.launchers.kubernetes import following
from worker.launchers.kubernetes.api import ApiServer, Unreachable
from worker.launchers.kubernetes.following import Follower
from worker.launchers.kubernetes.lines import START, Line
from worker.launchers.kubernetes.output import append, output_file, taken

POD = {"metadata": {"name": "x", "uid": "u", "creationTimestamp": "2026-11-21T10:00:00Z"}}
MOMENT = 1_795_255_200 * 10**9
"""2026-11-21T10:00:00Z."""


def _line(second: float, text: str) -> bytes:
    return f"2026-11-21T10:00:{second:012.9f}Z {text}\n".encode()


class Live:
    """The log of a pod that goes on, which is fed by the test."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._coming: queue.Queue[bytes | Exception | None] = queue.Queue()

    def follow(self, pod: str, container: str, since: str) -> "Live":
        self.asked.append(since)
        return self

    def say(self, *coming: bytes | Exception | None) -> None:
        """None ends it."""
        for each in coming:
            self._coming.put(each)

    def end(self) -> None:
        self._coming.put(None)

    def __iter__(self) -> Iterator[bytes]:
        while (each := self._coming.get()) is not None:
            if isinstance(each, Exception):
                raise each
            yield each


@pytest.fixture
def live() -> Live:
    return Live()


@pytest.fixture
def follower(live: Live, tmp_path: Path) -> Iterator[Follower]:
    """One that goes on after a line `a` of second 5."""
    first: Line = ((MOMENT + 5 * 10**9, 1), b"a\n")
    assert append(tmp_path, "u", START, [first], 1000).fits
    made = Follower(cast(ApiServer, live), POD, tmp_path, 1000, lambda: None)
    yield made
    made.end()
    made.join(10)


def _kept(follower: Follower, folder: Path, whole: bytes) -> bool:
    assert follower.keep().fits
    return output_file(folder).read_bytes() == whole


def test_what_comes_is_kept_when_it_is_asked_for(live: Live, follower: Follower, tmp_path: Path) -> None:
    live.say(_line(4.5, "before"), _line(5.0, "a"), _line(5.0, "b"), _line(4.9, "c"))
    wait_until(lambda: _kept(follower, tmp_path, b"a\nb\nc\n"), 10)
    live.say(_line(6.0, "d"), None)
    wait_until(lambda: not follower.is_open, 10)
    assert follower.is_complete
    assert _kept(follower, tmp_path, b"a\nb\nc\nd\n")
    assert live.asked == ["2026-11-21T10:00:04Z"]


def test_what_broke_off_is_had_again_from_what_is_kept(
    live: Live, follower: Follower, tmp_path: Path
) -> None:
    live.say(_line(5.0, "a"), _line(6.0, "b"), Unreachable("away"))
    wait_until(lambda: not follower.is_open, 10)
    assert not follower.is_complete
    assert _kept(follower, tmp_path, b"a\nb\n")
    assert taken(tmp_path, "u") == (MOMENT + 6 * 10**9, 1)


def test_who_has_been_overtaken_keeps_nothing_more(live: Live, follower: Follower, tmp_path: Path) -> None:
    other: Line = ((MOMENT + 6 * 10**9, 1), b"b\n")
    assert append(tmp_path, "u", taken(tmp_path, "u"), [other], 1000).fits
    live.say(_line(5.0, "a"), _line(6.0, "b"), _line(7.0, "c"))

    def ended() -> bool:
        follower.keep()
        return not follower.is_open

    wait_until(ended, 10)
    assert output_file(tmp_path).read_bytes() == b"a\nb\n"


def test_a_gap_is_left_to_who_asks(live: Live, follower: Follower, tmp_path: Path) -> None:
    live.say(_line(9.0, "much later"))
    wait_until(lambda: not follower.is_open, 10)
    assert _kept(follower, tmp_path, b"a\n")
    assert not follower.is_complete


def test_what_can_not_be_written_ends_it_so_that_nothing_is_skipped(
    live: Live, follower: Follower, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError("no space left on device")

    live.say(_line(5.0, "a"), _line(6.0, "b"))
    with monkeypatch.context() as patched:
        patched.setattr(following, "append", full)

        def fails() -> bool:
            try:
                follower.keep()
            except OSError:
                return True
            return False

        wait_until(fails, 10)
    assert not follower.is_open
    live.say(_line(7.0, "c"))
    assert _kept(follower, tmp_path, b"a\n")


def test_much_is_kept_though_nobody_asks_and_too_much_is_told(live: Live, tmp_path: Path) -> None:
    assert append(tmp_path, "u", START, [((MOMENT + 5 * 10**9, 1), b"a\n")], 10**6).fits
    told = threading.Event()
    follower = Follower(cast(ApiServer, live), POD, tmp_path, 300_000, told.set)
    live.say(_line(5.0, "a"), *(_line(6.0, "x" * 999) for _ in range(270)))
    wait_until(lambda: output_file(tmp_path).stat().st_size > 200_000, 10)
    assert not told.is_set()
    live.say(*(_line(7.0, "x" * 999) for _ in range(270)))
    assert told.wait(10)
    wait_until(lambda: not follower.is_open, 10)
    assert 300_000 < output_file(tmp_path).stat().st_size <= 301_000
