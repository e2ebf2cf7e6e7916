"""What becomes of the bytes that a process prints: which entries, of what severity."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.logs.entries import Cut, Printed, cut

SMALL = 40
"""Bytes of an entry, where the limit itself is looked at."""

TRACEBACK = """\
Traceback (most recent call last):
  File "task.py", line 3, in <module>
    raise ValueError("no data")
ValueError: no data"""
CHAINED = f"""\
{TRACEBACK}

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "task.py", line 5, in <module>
    raise KeyError("x") from None
KeyError: 'x'"""
CAUSED = CHAINED.replace(
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "task.py", line 1, in <module>
  |     raise ExceptionGroup("several", [ValueError("a"), TypeError("b")])
  | ExceptionGroup: several (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ValueError: a
    +---------------- 2 ----------------
    | Traceback (most recent call last):
    |   File "task.py", line 9, in f
    | TypeError: b
    +------------------------------------"""
SYNTAX = """\
  File "task.py", line 3
    print(
         ^
SyntaxError: '(' was never closed"""
SYNTAX_ON_IMPORT = f"""\
Traceback (most recent call last):
  File "<frozen runpy>", line 198, in _run_module_as_main
{SYNTAX}"""
LONG_MESSAGE = """\
Traceback (most recent call last):
  File "task.py", line 7, in <module>
    step()
RuntimeError: CUDA error: device-side assert triggered
CUDA kernel errors might be reported later.

For debugging pass CUDA_LAUNCH_BLOCKING=1
\tat layer 3"""
OF_ANOTHER_PROCESS = f"""\
{TRACEBACK.replace("no data", "Caught OSError in worker 0.")}
Original Traceback (most recent call last):
  File "loader.py", line 1, in _loop
    fetch()
OSError: gone"""
IN_A_THREAD = f"Exception in thread Thread-1 (work):\n{TRACEBACK}"
TRACEBACKS = [
    TRACEBACK,
    CHAINED,
    CAUSED,
    GROUP,
    SYNTAX,
    SYNTAX_ON_IMPORT,
    LONG_MESSAGE,
    OF_ANOTHER_PROCESS,
    IN_A_THREAD,
]


def printed(text: str | bytes, **how: bool) -> list[tuple[str, str]]:
    """(severity, message) of each entry that output which has ended becomes."""
    data = text.encode() if isinstance(text, str) else text
    done = cut(data, **{"end": True, **how})  # type: ignore[arg-type]
    return [(entry.severity, entry.message) for entry in done.entries]


@pytest.mark.parametrize(
    ("severity", "line"),
    [
        ("INFO", "step 3 loss 0.5"),
        ("WARNING", "WARNING:root:careful"),
        ("ERROR", "ERROR:my.module:bad"),
        ("CRITICAL", "CRITICAL:root:worse"),
        ("CRITICAL", "FATAL: worse"),
        ("DEBUG", "DEBUG:absl:detail"),
        ("ERROR", "2019-06-24 10:06:29,600 - trainer.model - ERROR - no data"),
        ("WARNING", "2019-06-24 10:06:29,600 WARNING no data"),
        ("WARNING", "2019-06-24 10:06:29,600 root WARNING no data"),
        ("INFO", "2019-06-24 10:06:29,600 there was no ERROR in it"),
        ("ERROR", "2024-01-02 10:00:00.123 | ERROR    | trainer.task:main:12 - bad"),
        ("INFO", "2024-01-02 10:00:00.123 | SUCCESS  | trainer.task:main:12 - good"),
        ("WARNING", "[2024-01-02 10:00:00,123][root][WARNING] - hm"),
        ("ERROR", "2024-01-02T10:00:00.000000Z [error    ] bad    [trainer]"),
        ("INFO", "I0624 10:06:29.600425 140123 file.py:12] saving"),
        ("WARNING", "W0624 10:06:29.600425 140123 file.py:12] slow"),
        ("ERROR", "E20240624 10:06:29.600425     7 file.cc:12] bad"),
        ("CRITICAL", "F0624 10:06:29.600425 140123 file.cc:12] Check failed"),
        ("WARNING", "2019-06-24 10:06:29.600425: W tensorflow/core/common.cc:12] no GPU"),
        ("ERROR", "2019-06-24 10:06:29.600425: E external/xla/dnn.cc:9] bad"),
        ("DEBUG", "[DEBUG] detail"),
        ("WARNING", "[LightGBM] [Warning] no further splits"),
        ("NOTICE", "<NOTICE> so it is"),
        ("ERROR", "\x1b[31mERROR\x1b[0m: bad"),
        ("WARNING", "/usr/lib/python3/site.py:12: DeprecationWarning: old"),
        ("ERROR", '{"level": "error", "loss": 0.5}'),
        ("WARNING", '{"level": 30, "step": 7}'),
        # Words that only look like a level.
        ("INFO", "Error rate 0.25"),
        ("INFO", "INFORMATION: none"),
        ("INFO", "I am at step 7: 12] of"),
        ("INFO", "[1, 2] ERROR"),
        ("INFO", "12345"),
        ("INFO", '{"loss": 0.5}'),
        ("INFO", '{"level": "high"}'),
        ("INFO", '{"level": true}'),
        ("INFO", '{"not": json}'),
        ("INFO", "{}"),
        ("INFO", "[" * 200),
    ],
)
def test_a_line_has_the_severity_that_it_names(severity: str, line: str) -> None:
    assert printed(f"{line}\n") == [(severity, line)]


@pytest.mark.parametrize(
    "line",
    [
        '{"severity": "WARNING", "message": "careful"}',
        '{"levelname": "WARNING", "msg": "careful", "name": "root", "asctime": "2024"}',
        '{"level": "warn", "message": "careful", "timestamp": 17}',
    ],
)
def test_a_structured_line_is_its_message_if_that_is_all_it_says(line: str) -> None:
    assert printed(line) == [("WARNING", "careful")]


@pytest.mark.parametrize("text", TRACEBACKS)
@pytest.mark.parametrize("after", ["", "\n", "\nINFO:root:goes on\n", f"\n{TRACEBACK}\n"])
def test_a_traceback_is_one_entry(text: str, after: str) -> None:
    rest = printed(after) if after.strip() else []
    assert printed(f"INFO:root:begins\n{text}{after}") == [
        ("INFO", "INFO:root:begins"),
        ("ERROR", text),
        *rest,
    ]


def test_a_progress_bar_ends_a_traceback() -> None:
    assert printed(f"{TRACEBACK}\n  5%|# \r 10%|##\n") == [("ERROR", TRACEBACK), ("INFO", " 10%|##")]


def test_what_comes_long_after_a_traceback_is_no_part_of_it() -> None:
    lines = [f"line {number}" for number in range(200)]
    first, *others = printed("\n".join([TRACEBACK, *lines]))
    assert first[0] == "ERROR"
    assert first[1].startswith(TRACEBACK)
    assert "\n".join([TRACEBACK, *lines]) == "\n".join([first[1], *(message for _, message in others)])
    assert len(others) == 100


def test_blank_lines_are_dropped_and_so_is_what_a_carriage_return_overwrites() -> None:
    text = "a\r\n\n   \nb\n\r 10%\r 20%\r      \rdone\n 50%\r     \n"
    assert [message for _, message in printed(text)] == ["a", "b", "done", " 50%"]


def test_bytes_that_are_no_text_are_replaced_and_nuls_removed() -> None:
    assert printed(b"a\xff\xfeb\nc\x00d\n") == [("INFO", "a\ufffd\ufffdb"), ("INFO", "cd")]
    assert printed('{"level":"info","message":"a\\u0000b"}') == [
        ("INFO", '{"level":"info","message":"a\\u0000b"}')
    ]


def test_a_line_that_is_too_long_is_cut_between_characters() -> None:
    line = "é€🎉x" * 30
    pieces = cut(line.encode(), end=True, max_bytes=SMALL).entries
    assert "".join(piece.message for piece in pieces) == line
    assert all(SMALL - 4 < len(piece.message.encode()) <= SMALL for piece in pieces[:-1])


def test_a_traceback_that_is_too_long_is_cut_between_lines() -> None:
    entries = cut(CHAINED.encode(), end=True, max_bytes=100).entries
    assert "\n".join(entry.message for entry in entries) == CHAINED.replace("\n\n", "\n")
    assert all(len(entry.message.encode()) <= 100 for entry in entries)


def test_an_unfinished_line_is_left_until_it_has_been_waited_for() -> None:
    data = b"done\nloss 0."
    assert cut(data) == Cut([Printed("INFO", "done")], 5, full=False)
    assert cut(data, stale=True) == cut(data), "it is not what has been waited for"
    assert cut(data[5:], stale=True) == Cut([Printed("INFO", "loss 0.")], 7, full=False)
    assert cut("né".encode()[:2], stale=True) == Cut([Printed("INFO", "n")], 1, full=False)


def test_of_a_progress_bar_that_has_been_waited_for_the_last_whole_state_is_taken() -> None:
    data = b"\r 10%\r 20%\r 3"
    assert cut(data) == Cut([], 0, full=False)
    assert cut(data, stale=True) == Cut([Printed("INFO", " 20%")], 11, full=False)


def test_a_traceback_is_left_until_it_has_been_waited_for_or_something_else_is_printed() -> None:
    data = f"{TRACEBACK}\n".encode()
    assert cut(data) == Cut([], 0, full=False)
    assert cut(data, stale=True) == Cut([Printed("ERROR", TRACEBACK)], len(data), full=False)
    assert cut(data + b"INFO:root:x") == Cut([], 0, full=False), "the line is not finished"
    assert len(cut(data + b"INFO:root:x\n").entries) == 2


def test_no_more_entries_are_made_than_were_asked_for() -> None:
    assert cut(b"a\nb\nc\n", limit=2) == Cut([Printed("INFO", "a"), Printed("INFO", "b")], 4, full=True)


LINES = st.sampled_from(
    [*TRACEBACKS, "", "  indented", "plain", "INFO:root:x", "é€🎉" * 9, "a\rb", "x\r", "\0", "  File", *"ab"]
)
OUTPUTS = st.lists(LINES | st.text(max_size=9), max_size=12).map(lambda lines: "\n".join(lines).encode())


@settings(max_examples=300)
@given(
    data=OUTPUTS | st.binary(max_size=60), cuts=st.lists(st.integers(0, 900), max_size=8), small=st.booleans()
)
def test_whatever_pieces_the_output_comes_in_the_entries_are_the_same(
    data: bytes, cuts: list[int], small: bool
) -> None:
    max_bytes = SMALL if small else 10**6
    used, entries = 0, []
    for size in sorted({min(size, len(data)) for size in cuts}):
        if size >= used:
            done = cut(data[used:size], max_bytes=max_bytes)
            used += done.used
            entries += done.entries
    entries += cut(data[used:], end=True, max_bytes=max_bytes).entries
    assert entries == cut(data, end=True, max_bytes=max_bytes).entries


@settings(max_examples=200)
@given(words=st.lists(st.text("abxyz0189 ", min_size=1, max_size=9).filter(str.strip), max_size=20))
def test_every_plain_line_is_an_entry(words: list[str]) -> None:
    assert [message for _, message in printed("\n".join(words))] == words
