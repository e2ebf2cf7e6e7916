"""Reading what is new: cursors, several files, replaced files, limits, and what may stand in a directory."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.event_writing import event, look, record, scalar_records, steps, write
from worker.metrics import watch
from worker.metrics.watch import Cursor, read_new

RECORDS = scalar_records(10)


def through_json(cursor: Cursor) -> Cursor:
    return Cursor.from_json(json.loads(json.dumps(cursor.to_json(), allow_nan=False)))


@given(st.lists(st.integers(0, sum(map(len, RECORDS))), max_size=10))
def test_a_growing_file_gives_each_measurement_once(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    directory = tmp_path_factory.mktemp("growing")
    whole = b"".join(RECORDS)
    cursor, found = Cursor(), []
    for cut in [*sorted(cuts), len(whole)]:
        write(directory, whole[:cut])
        reading = look(directory, cursor)
        found += reading.measurements
        cursor = through_json(reading.cursor)
        assert reading.problems == []
    assert found == look(directory).measurements
    assert [m.step for m in found] == list(range(10))


def test_the_old_cursor_gives_the_same_measurements_again(tmp_path: Path) -> None:
    path = write(tmp_path, b"".join(RECORDS[:4]))
    first = look(tmp_path)
    with path.open("ab") as file:
        file.write(b"".join(RECORDS[4:]))
    second, again = look(tmp_path, first.cursor), look(tmp_path, first.cursor)
    assert steps(second) == [4, 5, 6, 7, 8, 9]
    assert second == again


def test_an_unchanged_file_is_not_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, b"".join(RECORDS))
    cursor = look(tmp_path).cursor

    def refuse(*_: object) -> int:
        raise AssertionError("opened")

    monkeypatch.setattr(os, "open", refuse)
    assert look(tmp_path, cursor).measurements == []


def test_two_writers_in_one_directory_keep_their_own_sources(tmp_path: Path) -> None:
    first = write(tmp_path, RECORDS[0], "events.out.tfevents.1")
    second = write(tmp_path, RECORDS[1], "events.out.tfevents.2")
    reading = look(tmp_path)
    with second.open("ab") as file:
        file.write(RECORDS[2])
    with first.open("ab") as file:
        file.write(RECORDS[3])
    later = look(tmp_path, reading.cursor)
    assert [(m.step, m.source) for m in reading.measurements] == [(0, 1), (1, 2)]
    assert [(m.step, m.source) for m in later.measurements] == [(3, 1), (2, 2)]


def test_a_new_file_never_takes_the_number_of_another(tmp_path: Path) -> None:
    write(tmp_path, RECORDS[0], "b.tfevents")
    first = look(tmp_path)
    write(tmp_path, RECORDS[1], "a.tfevents")
    second = look(tmp_path, first.cursor)
    write(tmp_path, RECORDS[2], "c.tfevents")
    third = look(tmp_path, second.cursor)
    assert [(m.step, m.source) for m in second.measurements + third.measurements] == [(1, 2), (2, 3)]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(RECORDS[5], id="shrunk"),
        pytest.param(b"".join(RECORDS[3:6]), id="same size"),
        pytest.param(b"".join(RECORDS[3:]), id="longer"),
        pytest.param(RECORDS[0] + b"".join(RECORDS[4:]), id="same start"),
    ],
)
@pytest.mark.parametrize("in_place", [True, False])
def test_a_replaced_file_is_read_anew_as_another_source(
    content: bytes, in_place: bool, tmp_path: Path
) -> None:
    path = write(tmp_path, b"".join(RECORDS[:3]))
    first = look(tmp_path)
    if in_place:
        path.write_bytes(content)
    else:
        (tmp_path / "new").write_bytes(content)
        (tmp_path / "new").rename(path)
    os.utime(path, ns=(1, 1))
    second = look(tmp_path, first.cursor)
    assert steps(second) == steps(look(tmp_path))
    assert {m.source for m in second.measurements} == {2}
    assert second.cursor.next_source == 3


def test_a_copy_that_has_grown_is_the_same_file(tmp_path: Path) -> None:
    """A synchronising program replaces the file by a longer copy, with another inode."""
    path = write(tmp_path, b"".join(RECORDS[:3]))
    first = look(tmp_path)
    (tmp_path / "copy").write_bytes(b"".join(RECORDS[:5]))
    (tmp_path / "copy").rename(path)
    second = look(tmp_path, first.cursor)
    assert [(m.step, m.source) for m in second.measurements] == [(3, 1), (4, 1)]


def test_a_file_that_vanishes_and_returns_is_not_read_twice(tmp_path: Path) -> None:
    path = write(tmp_path, RECORDS[0])
    first = look(tmp_path)
    path.rename(tmp_path / "away")
    second = look(tmp_path, first.cursor)
    (tmp_path / "away").rename(path)
    third = look(tmp_path, second.cursor)
    assert (second.measurements, third.measurements) == ([], [])


def test_files_are_found_in_any_subdirectory_and_under_several_roots(tmp_path: Path) -> None:
    write(tmp_path / "a" / "eval" / "deep", RECORDS[0])
    write(tmp_path / "b", RECORDS[1])
    write(tmp_path / "b" / "not an event file", RECORDS[2], "events.txt")
    reading = read_new([tmp_path / "a", tmp_path / "b", tmp_path / "missing"], None, "accuracy", Cursor())
    assert steps(reading) == [0, 1]
    assert reading.problems == []


def test_roots_that_overlap_are_read_once(tmp_path: Path) -> None:
    write(tmp_path / "a" / "b", RECORDS[0])
    roots = [tmp_path / "a" / "b", tmp_path / "a", tmp_path / "a", tmp_path / "a" / "b" / ".."]
    assert steps(read_new(roots, None, "accuracy", Cursor())) == [0]


def test_links_pipes_and_hidden_copies_are_not_read(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", RECORDS[0])
    root = tmp_path / "root"
    write(root, RECORDS[1], ".events.out.tfevents.1.Xy3z")
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "tfevents.link").symlink_to(tmp_path / "elsewhere" / "events.out.tfevents.1")
    os.mkfifo(root / "tfevents.pipe")
    reading = look(root, final=True)
    assert reading.measurements == []
    assert len(reading.problems) == 2
    assert all("link or no plain file" in problem for problem in reading.problems)


def test_a_hypertune_file_that_is_a_pipe_or_a_link_is_a_problem(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    (tmp_path / "secret").write_text('{"accuracy": "1.0", "timestamp": 1.0, "global_step": "1"}\n')
    link.symlink_to(tmp_path / "secret")
    for path in (pipe, link, tmp_path):
        reading = read_new([], path, "accuracy", Cursor())
        assert reading.measurements == []
        assert len(reading.problems) == 1


def test_what_cannot_be_read_is_a_problem_and_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, RECORDS[0], "1.tfevents")
    write(tmp_path, RECORDS[1], "2.tfevents")
    real = os.open

    def refuse(path: Path, *arguments: int) -> int:
        if str(path).endswith("1.tfevents"):
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments)

    monkeypatch.setattr(os, "open", refuse)
    reading = look(tmp_path)
    assert steps(reading) == [1]
    assert reading.problems == [f"{tmp_path}/1.tfevents: Permission denied"]
    monkeypatch.undo()
    assert steps(look(tmp_path, reading.cursor)) == [0]


def test_a_file_that_vanishes_between_listing_and_opening_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, RECORDS[0], "1.tfevents")
    write(tmp_path, RECORDS[1], "2.tfevents")
    real = os.open

    def vanish(path: Path, *arguments: int) -> int:
        if str(path).endswith("1.tfevents"):
            os.unlink(path)
        return real(path, *arguments)

    monkeypatch.setattr(os, "open", vanish)
    reading = look(tmp_path)
    assert (steps(reading), reading.problems) == ([1], [])


def test_a_look_is_bounded_and_says_that_there_is_more(tmp_path: Path) -> None:
    # Each file is longer than what is read at a time, each record shorter.
    filler = record(b"\x22" + b"x" * 2**19)
    for name in ("1.tfevents", "2.tfevents"):
        write(tmp_path, filler * 3 + RECORDS[0] + RECORDS[1], name)
    cursor, found, looks = Cursor(), [], 0
    while True:
        reading = look(tmp_path, cursor, limit=1)
        cursor = through_json(reading.cursor)
        found += reading.measurements
        looks += 1
        if not reading.more:
            break
    assert sorted((m.source, m.step) for m in found) == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert looks > 3
    assert look(tmp_path, cursor) == watch.Reading([], cursor, frozenset({"accuracy"}))


def test_the_last_look_reads_everything(tmp_path: Path) -> None:
    filler = record(b"\x22" + b"x" * (2**20 + 1))
    write(tmp_path, filler + filler + RECORDS[0])
    reading = look(tmp_path, final=True, limit=1)
    assert (steps(reading), reading.more) == ([0], False)


def test_the_number_of_files_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "FILES_LIMIT", 3)
    for name in "12345":
        write(tmp_path, RECORDS[int(name)], f"{name}.tfevents")
    reading = look(tmp_path)
    assert steps(reading) == [1, 2, 3]
    assert reading.problems == ["only the first 3 of 5 event files are read"]
    for name in "12":
        (tmp_path / f"{name}.tfevents").unlink()
    later = look(tmp_path, reading.cursor)
    assert steps(later) == [4, 5]
    assert len(later.cursor.files) == 3


def test_problems_are_bounded(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"{number}.tfevents").symlink_to(tmp_path)
    problems = look(tmp_path).problems
    assert len(problems) == watch.PROBLEMS_LIMIT + 1
    assert problems[-1] == "and 30 more problems"


def test_tags_are_remembered_by_the_cursor(tmp_path: Path) -> None:
    path = write(tmp_path, record(event(1, 0.5, "loss")))
    first = look(tmp_path)
    with path.open("ab") as file:
        file.write(record(event(2, 0.5, "val_loss")))
    assert look(tmp_path, through_json(first.cursor)).tags == {"loss", "val_loss"}


def test_file_names_that_are_no_text_are_read_and_stored(tmp_path: Path) -> None:
    name = os.fsdecode(b"tfevents.\xff\xfe")
    write(tmp_path, RECORDS[0] + b"\1" * 20, name)
    first = look(tmp_path)
    assert steps(first) == [0]
    last = look(tmp_path, through_json(first.cursor), final=True)
    assert last.measurements == []
    last.problems[0].encode()


def test_an_empty_object_is_the_first_cursor() -> None:
    assert Cursor.from_json({}) == Cursor()


@pytest.mark.parametrize("data", [[], {"files": [{"path": "x"}]}, {"files": 3}, {"next_source": "x"}, None])
def test_what_is_no_cursor_is_refused(data: object) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        Cursor.from_json(data)  # type: ignore[arg-type]
