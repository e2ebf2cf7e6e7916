"""What pods print is kept once, whatever the API repeats and wherever a worker ends."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from worker.launchers.kubernetes.api import ApiServer
from worker.launchers.kubernetes.lines import START
from worker.launchers.kubernetes.output import (
    GAP,
    Kept,
    Overtaken,
    append,
    keep,
    kept_bytes,
    output_file,
    taken,
)


class Logs:
    """The logs of pods, as the API gives them: from a full second on, each line with its time."""

    def __init__(self) -> None:
        self.printed: dict[str, list[tuple[float, bytes]]] = {"x": []}
        self.breaks_after = 10**9
        """How many lines come until the answer breaks off."""

    def log(self, pod: str, container: str, since: str | None) -> Iterator[bytes]:
        first = 0 if since is None else int(since[17:19])
        for number, (second, text) in enumerate(self.printed[pod]):
            if number == self.breaks_after:
                raise OSError("broke off")
            if second >= first:
                yield f"2026-11-21T10:00:{second:012.9f}Z ".encode() + text


def _pod(name: str = "x", created: int = 0) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "uid": f"u-{name}", "creationTimestamp": f"2026-11-21T10:00:0{created}Z"}
    }


@pytest.fixture
def logs() -> Logs:
    return Logs()


def _kept(logs: Logs, folder: Path, *pods: dict[str, Any]) -> bytes:
    keep(cast(ApiServer, logs), pods or (_pod(),), folder)
    return output_file(folder).read_bytes()


def test_each_line_comes_once_however_often_it_is_asked_for(logs: Logs, tmp_path: Path) -> None:
    lines = [(1.1, b"a\n"), (1.2, b"b\n"), (1.2, b"b\n"), (1.3, b"\n"), (2.5, b"c\n")]
    for count in range(1, len(lines) + 1):
        logs.printed["x"] = lines[:count]
        whole = b"".join(text for _, text in lines[:count])
        assert _kept(logs, tmp_path) == whole
        assert _kept(logs, tmp_path) == whole


def test_lines_of_one_moment_that_come_in_parts_are_told_apart(logs: Logs, tmp_path: Path) -> None:
    logs.printed["x"] = [(1.5, b"same\n"), (1.5, b"same\n")]
    assert _kept(logs, tmp_path) == b"same\n" * 2
    logs.printed["x"] += [(1.5, b"same\n"), (1.6, b"last\n")]
    assert _kept(logs, tmp_path) == b"same\n" * 3 + b"last\n"


def test_a_line_without_its_end_is_taken_when_it_has_one(logs: Logs, tmp_path: Path) -> None:
    logs.printed["x"] = [(1.0, b"whole\n"), (1.1, b"ha")]
    assert _kept(logs, tmp_path) == b"whole\n"
    logs.printed["x"][1] = (1.1, b"half\n")
    assert _kept(logs, tmp_path) == b"whole\nhalf\n"


def test_what_was_written_before_a_crash_is_written_again_the_same(logs: Logs, tmp_path: Path) -> None:
    logs.printed["x"] = [(1.0, b"a\n"), (2.0, b"b\n"), (3.0, b"c\n")]
    logs.breaks_after = 1
    with pytest.raises(OSError, match="broke off"):
        _kept(logs, tmp_path)
    assert output_file(tmp_path).read_bytes() == b"a\n"
    logs.breaks_after = 10
    assert _kept(logs, tmp_path) == b"a\nb\nc\n"
    cursor = tmp_path / "output.json"
    before = cursor.read_text()
    logs.printed["x"].append((4.0, b"d\n"))
    _kept(logs, tmp_path)
    cursor.write_text(before)  # As if the worker had ended between the two.
    assert _kept(logs, tmp_path) == b"a\nb\nc\nd\n"
    assert json.loads(cursor.read_text())["size"] == 8


def test_a_pod_that_takes_anothers_place_goes_on_in_the_same_file(logs: Logs, tmp_path: Path) -> None:
    logs.printed = {"x": [(5.0, b"first\n")], "y": [(1.0, b"second\n")]}
    assert _kept(logs, tmp_path, _pod()) == b"first\n"
    both = (_pod("y", created=7), _pod())
    assert _kept(logs, tmp_path, *both) == b"first\nsecond\n"
    logs.printed["y"].append((2.0, b"more\n"))
    assert _kept(logs, tmp_path, _pod("y", created=7)) == b"first\nsecond\nmore\n"


def test_bytes_stay_what_they_are(logs: Logs, tmp_path: Path) -> None:
    logs.printed["x"] = [(1.0, b"caf\xe9\0 \r\n"), (1.1, b"2026-11-21T10:00:09.000000000Z fake\n")]
    assert _kept(logs, tmp_path) == b"caf\xe9\0 \r\n2026-11-21T10:00:09.000000000Z fake\n"


def test_lines_of_two_streams_come_in_the_order_of_the_log_whatever_their_times(
    logs: Logs, tmp_path: Path
) -> None:
    lines = [(2.0, b"a\n"), (2.000003, b"b\n"), (2.000002, b"c\n"), (1.999999, b"d\n"), (2.1, b"e\n")]
    for count in range(1, len(lines) + 1):
        logs.printed["x"] = lines[:count]
        assert _kept(logs, tmp_path) == b"".join(text for _, text in lines[:count])


def test_the_last_line_of_all_needs_no_end(logs: Logs, tmp_path: Path) -> None:
    logs.printed["x"] = [(1.0, b"whole\n"), (1.1, b"last")]
    assert _kept(logs, tmp_path) == b"whole\n"
    for _ in range(2):
        keep(cast(ApiServer, logs), [_pod()], tmp_path, ended=True)
        assert output_file(tmp_path).read_bytes() == b"whole\nlast"


class TestGaps:
    """Where a node has begun a new log, and what was taken last is gone with the old one."""

    @pytest.fixture(autouse=True)
    def _begun_anew(self, logs: Logs, tmp_path: Path) -> None:
        logs.printed["x"] = [(1.0, b"a\n")]
        assert _kept(logs, tmp_path) == b"a\n"
        logs.printed["x"] = []

    @pytest.mark.parametrize("second", [1.2, 9.0], ids=["at once", "later"])
    def test_what_comes_after_one_is_kept_with_a_line_that_tells_of_it(
        self, logs: Logs, tmp_path: Path, second: float
    ) -> None:
        assert _kept(logs, tmp_path) == b"a\n", "it may be the last that there was"
        logs.printed["x"] = [(second, b"c\n"), (second + 0.1, b"d\n")]
        for _ in range(2):
            assert _kept(logs, tmp_path) == b"a\n" + GAP + b"c\nd\n"

    def test_one_can_be_left_open_for_who_has_heard_what_was_in_between(
        self, logs: Logs, tmp_path: Path
    ) -> None:
        logs.printed["x"] = [(3.0, b"c\n")]
        place = taken(tmp_path, "u-x")
        kept = keep(cast(ApiServer, logs), [_pod()], tmp_path, over_gaps=False)
        assert kept == Kept(waits=True)
        assert append(tmp_path, "u-x", place, [((2 * 10**9, 1), b"b\n")], 100).fits
        assert output_file(tmp_path).read_bytes() == b"a\nb\n"

    def test_at_the_end_there_is_one_also_where_nothing_follows(self, logs: Logs, tmp_path: Path) -> None:
        for _ in range(2):
            keep(cast(ApiServer, logs), [_pod()], tmp_path, ended=True)
            assert output_file(tmp_path).read_bytes() == b"a\n" + GAP, "said once"


class TestAppending:
    def test_what_two_have_heard_is_kept_once(self, logs: Logs, tmp_path: Path) -> None:
        lines = [((10**9, 1), b"a\n"), ((10**9, 2), b"b\n")]
        assert append(tmp_path, "u-x", START, lines, 100) == Kept()
        with pytest.raises(Overtaken):
            append(tmp_path, "u-x", START, lines, 100)
        assert append(tmp_path, "u-x", (10**9, 2), [((10**9, 3), b"c\n")], 100) == Kept()
        assert output_file(tmp_path).read_bytes() == b"a\nb\nc\n"
        assert kept_bytes(tmp_path) == 6

    def test_no_more_is_kept_than_may_be(self, logs: Logs, tmp_path: Path) -> None:
        lines = [((second, 1), b"12345\n") for second in range(5)]
        assert not append(tmp_path, "u-x", START, lines, 10).fits
        assert kept_bytes(tmp_path) == 12, "to the end of a line"
