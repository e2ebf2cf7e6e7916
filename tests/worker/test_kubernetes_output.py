"""What pods print is kept once, whatever the API repeats and wherever a worker ends."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from worker.launchers.kubernetes.api import ApiServer
from worker.launchers.kubernetes.output import keep, output_file


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
