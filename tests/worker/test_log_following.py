"""Following what an attempt prints: from a cursor, in bounded looks, and waiting for what is not finished."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.launchers.protocol import Stream
from worker.logs import following
from worker.logs.following import HELD_SECONDS, READ_BYTES, LogCursor, Output, read_new

NOW = 1.7e9


class Printing:
    """An attempt whose output grows as a test says, and a reader of it that keeps its cursor as JSON."""

    def __init__(self) -> None:
        self.printed = {Stream.OUT: b"", Stream.ERR: b""}
        self.kept: dict[str, Any] = {}
        self.now = NOW

    def print(self, text: str, stream: Stream = Stream.OUT) -> None:
        self.printed[stream] += text.encode()

    def look(self, *, ended: bool = False) -> Output:
        def read(stream: Stream, offset: int, limit: int) -> bytes:
            return self.printed[stream][offset : offset + limit]

        output = read_new(read, LogCursor.from_json(self.kept), self.now, ended=ended)
        self.kept = output.cursor.to_json()
        return output

    def messages(self, *, ended: bool = False) -> list[str]:
        return [entry.message for entry in self.look(ended=ended).entries]


@pytest.fixture
def attempt() -> Printing:
    return Printing()


def test_each_line_is_taken_once_from_both_streams(attempt: Printing) -> None:
    attempt.print("a\nb\n")
    attempt.print("c\n", Stream.ERR)
    assert attempt.messages() == ["a", "b", "c"]
    assert attempt.messages() == []
    attempt.print("d\n")
    assert attempt.messages() == ["d"]


def test_an_attempt_that_prints_nothing_new_leaves_the_cursor_as_it_is(attempt: Printing) -> None:
    attempt.print("a\nunfinished")
    attempt.look()
    before = attempt.kept
    attempt.now += 1
    assert attempt.messages() == []
    assert attempt.kept == before


def test_an_unfinished_line_is_waited_for_a_while(attempt: Printing) -> None:
    attempt.print("loss ")
    assert attempt.messages() == []
    attempt.now += HELD_SECONDS - 0.1
    assert attempt.messages() == []
    attempt.print("0.5")
    attempt.now += 0.2
    assert attempt.messages() == ["loss 0.5"]
    attempt.print("\n")
    assert attempt.messages() == []


def test_a_progress_bar_tells_its_state_now_and_then(attempt: Printing) -> None:
    told = []
    for percent in range(100):
        attempt.print(f"\r{percent}%", Stream.ERR)
        told += attempt.messages()
        attempt.now += 0.1
    assert 2 <= len(told) <= 10 / HELD_SECONDS + 1
    attempt.print("\r100%\n", Stream.ERR)
    assert attempt.messages() == ["100%"]


def test_a_clock_that_was_set_back_holds_nothing_for_ever(attempt: Printing) -> None:
    attempt.print("a")
    attempt.look()
    attempt.now -= 3600
    assert attempt.messages() == ["a"]


def test_a_traceback_in_parts_is_one_entry_though_the_output_goes_on(attempt: Printing) -> None:
    attempt.print("Traceback (most recent call last):\n  File", Stream.ERR)
    attempt.print("step 1\n")
    assert attempt.messages() == ["step 1"]
    attempt.now += HELD_SECONDS / 2
    attempt.print(' "task.py", line 1, in f\n    1 / 0\nZeroDivisionError: division by zero\n', Stream.ERR)
    attempt.print("step 2\n")
    assert attempt.messages() == ["step 2"]
    attempt.print("INFO:root:goes on\n", Stream.ERR)
    traceback, line = attempt.look().entries
    assert traceback.severity == "ERROR"
    assert traceback.message.splitlines()[0] == "Traceback (most recent call last):"
    assert traceback.message.splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert line.message == "INFO:root:goes on"


def test_at_the_end_nothing_is_waited_for(attempt: Printing) -> None:
    attempt.print("a\nlast words")
    attempt.print("Traceback (most recent call last):\n  File", Stream.ERR)
    output = attempt.look(ended=True)
    assert [entry.message for entry in output.entries] == [
        "a",
        "last words",
        "Traceback (most recent call last):\n  File",
    ]
    assert not output.more
    assert attempt.messages(ended=True) == []


def test_a_look_is_bounded_and_says_that_there_is_more(
    attempt: Printing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "ENTRIES", 3)
    attempt.print("a\nb\nc\nd\ne\nf\ng")
    looks = [attempt.look(ended=True) for _ in range(3)]
    assert [len(look.entries) for look in looks] == [3, 3, 1]
    assert [look.more for look in looks] == [True, True, False]


def test_a_line_across_the_end_of_what_is_read_at_once_is_one_entry(
    attempt: Printing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "READ_BYTES", 10)
    attempt.print("aaaa\nbbbbbbbb\ncc")
    assert [message for _ in range(3) for message in attempt.messages(ended=True)] == [
        "aaaa",
        "bbbbbbbb",
        "cc",
    ]


def test_more_than_is_read_at_once_is_read_in_several_looks(attempt: Printing) -> None:
    attempt.printed[Stream.OUT] = b"x" * 1000 * 1024 + b"\n" + b"y" * READ_BYTES
    taken = b""
    for _ in range(20):
        output = attempt.look(ended=True)
        taken += b"".join(entry.message.encode() for entry in output.entries)
        if not output.more:
            break
    assert taken == attempt.printed[Stream.OUT].replace(b"\n", b"")


@settings(max_examples=100)
@given(
    parts=st.lists(
        st.tuples(st.text("ab\n\r é", max_size=8), st.sampled_from(list(Stream)), st.floats(0, 5)),
        max_size=20,
    )
)
def test_however_slowly_it_is_printed_no_word_is_lost_or_doubled(
    parts: list[tuple[str, Stream, float]],
) -> None:
    attempt = Printing()
    taken = ""
    for number, (text, stream, seconds) in enumerate(parts):
        attempt.print(f"{text.replace(chr(13), '')}<{number}>", stream)
        attempt.now += seconds
        taken += "".join(attempt.messages())
    taken += "".join(attempt.messages(ended=True))
    assert sorted(taken.replace(" ", "")) == sorted(
        b"".join(attempt.printed.values()).decode().replace("\n", "").replace(" ", "")
    )
