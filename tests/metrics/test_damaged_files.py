"""Damage costs the records it hit and no other; a tail that is still being written costs nothing."""

import json
import struct
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.event_writing import checksum, event, look, record, scalar_records, steps, write
from worker.metrics.tfrecord import RECORD_LIMIT, SEEK_SPAN, WINDOW, Lengths, split
from worker.metrics.watch import Cursor

RECORDS = scalar_records(12)
WHOLE = b"".join(RECORDS)
STARTS = [0, *accumulate(len(each) for each in RECORDS)]


def padded_event(step: int, size: int) -> bytes:
    """Serialise a scalar event with a field that parsers skip, number 100, so that it has `size` bytes."""
    scalar = event(step, 0.5)
    padding = size - len(scalar) - 6
    length = bytes(padding >> shift & 0x7F | (0x80 if shift < 21 else 0) for shift in (0, 7, 14, 21))
    return scalar + b"\xa2\x06" + length + bytes(padding)


def read_steps(data: bytes) -> list[int]:
    """Read bytes to their end, as `follow` does, and give the steps of the records."""
    found = split(data, len(data), Lengths())
    return [int(struct.unpack("<d", each[1:9])[0] - 1.7e9) for each in found.records]


def untouched(low: int, high: int) -> set[int]:
    """The records that have no byte in [low, high)."""
    return {i for i in range(12) if STARTS[i + 1] <= low or STARTS[i] >= high}


def test_a_flipped_byte_costs_only_its_record() -> None:
    for place in range(len(WHOLE)):
        damaged = bytearray(WHOLE)
        damaged[place] ^= 0xFF
        assert set(read_steps(bytes(damaged))) == untouched(place, place + 1), f"byte {place}"


def test_a_truncated_file_gives_its_whole_records_and_waits() -> None:
    for length in range(len(WHOLE)):
        found = split(WHOLE[:length], length, Lengths())
        assert len(found.records) == sum(end <= length for end in STARTS[1:]), f"{length} bytes"
        assert found.consumed == max(start for start in STARTS if start <= length)
        assert found.damaged == 0


@given(st.integers(0, len(WHOLE)), st.integers(0, 300))
def test_zeros_cost_only_the_records_they_hit(start: int, length: int) -> None:
    end = min(len(WHOLE), start + length)
    damaged = WHOLE[:start] + bytes(end - start) + WHOLE[end:]
    hit = {i for i in range(12) if damaged[STARTS[i] : STARTS[i + 1]] != RECORDS[i]}
    assert set(read_steps(damaged)) == set(range(12)) - hit


@given(st.integers(0, len(WHOLE)), st.binary(min_size=1, max_size=200))
def test_inserted_bytes_cost_only_the_record_they_split(place: int, junk: bytes) -> None:
    assert set(read_steps(WHOLE[:place] + junk + WHOLE[place:])) >= untouched(place, place + 1)


@given(st.integers(0, len(WHOLE)), st.integers(1, 200))
def test_deleted_bytes_cost_only_the_records_they_hit(start: int, length: int) -> None:
    assert set(read_steps(WHOLE[:start] + WHOLE[start + length :])) >= untouched(start, start + length)


@given(st.binary(max_size=400), st.binary(max_size=400))
def test_any_bytes_are_read_without_an_error(before: bytes, after: bytes) -> None:
    assert set(read_steps(before + WHOLE + after)) >= set(range(11))


def test_a_tail_of_zeros_is_awaited_and_read_once_it_is_filled(tmp_path: Path) -> None:
    path = write(tmp_path, WHOLE[: STARTS[9]] + bytes(STARTS[12] - STARTS[9]))
    first = look(tmp_path)
    assert steps(first) == list(range(9))
    assert first.problems == []
    path.write_bytes(WHOLE)
    assert steps(look(tmp_path, first.cursor)) == [9, 10, 11]


def test_zeros_are_damage_once_a_valid_record_stands_behind_them(tmp_path: Path) -> None:
    path = write(tmp_path, WHOLE + bytes(50))
    first = look(tmp_path)
    with path.open("ab") as file:
        file.write(record(event(99, 1.0)))
    second = look(tmp_path, first.cursor)
    assert steps(second) == [99]
    assert len(second.problems) == 1
    assert "1 damaged record" in second.problems[0]


def test_a_damaged_last_record_is_reported_when_the_trial_has_ended(tmp_path: Path) -> None:
    write(tmp_path, WHOLE[:-1] + b"\0")
    waiting = look(tmp_path)
    assert waiting.problems == []
    ended = look(tmp_path, waiting.cursor, final=True)
    assert ended.measurements == []
    assert len(ended.problems) == 1
    assert f"last {len(RECORDS[-1])} byte(s)" in ended.problems[0]


def test_each_damaged_place_is_counted(tmp_path: Path) -> None:
    damaged = bytearray(WHOLE)
    for index in (2, 5, 6):
        damaged[STARTS[index] + 20] ^= 1
    write(tmp_path, bytes(damaged))
    reading = look(tmp_path)
    assert steps(reading) == [0, 1, 3, 4, 7, 8, 9, 10, 11]
    assert "2 damaged record(s)" in reading.problems[0]


def test_a_record_that_is_no_event_is_passed_over_and_counted(tmp_path: Path) -> None:
    write(tmp_path, RECORDS[0] + record(b"accuracy\xff\xff") + RECORDS[1])
    reading = look(tmp_path)
    assert steps(reading) == [0, 1]
    assert "1 record(s) are no events" in reading.problems[0]


@pytest.mark.parametrize(
    ("byte", "size"),
    [(b"\0", SEEK_SPAN - 9), (b"\0", SEEK_SPAN + 9), (b"\1", SEEK_SPAN), (b"\0", WINDOW + 9)],
)
def test_the_reader_finds_its_way_over_any_stretch_of_junk(byte: bytes, size: int, tmp_path: Path) -> None:
    write(tmp_path, WHOLE + byte * size + WHOLE)
    assert steps(look(tmp_path)) == [*range(12), *range(12)]


@pytest.mark.parametrize(
    ("size", "read"),
    [(2**20, True), (RECORD_LIMIT, True), (RECORD_LIMIT + 1, False), (3 * RECORD_LIMIT, False)],
)
def test_a_long_record_is_awaited_and_read_up_to_a_limit(size: int, read: bool, tmp_path: Path) -> None:
    long = record(padded_event(99, size))
    path = write(tmp_path, RECORDS[0] + long[: size // 2])
    first = look(tmp_path)
    assert steps(first) == [0]
    with path.open("ab") as file:
        file.write(long[size // 2 : -1])
    second = look(tmp_path, first.cursor)
    assert (second.measurements, second.problems, second.more) == ([], [], False)
    with path.open("ab") as file:
        file.write(long[-1:] + RECORDS[1])
    last = look(tmp_path, second.cursor)
    assert steps(last) == ([99, 1] if read else [1])
    assert [problem.split(": ")[1] for problem in last.problems] == (
        [] if read else ["1 record(s) of 16 MiB or more passed over"]
    )


@pytest.mark.parametrize("behind", [b"", bytes(WINDOW)])
def test_a_length_beyond_all_reason_hides_nothing(behind: bytes, tmp_path: Path) -> None:
    length = struct.pack("<Q", 2**63)
    write(tmp_path, RECORDS[0] + length + checksum(length) + RECORDS[1] + behind)
    assert steps(look(tmp_path)) == [0, 1]


@given(st.data())
def test_a_damaged_file_read_as_it_grows_gives_what_one_read_gives(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    damaged = bytearray(WHOLE)
    for place in data.draw(st.lists(st.integers(0, len(WHOLE) - 1), max_size=6)):
        damaged[place] ^= 0x55
    cuts = sorted(data.draw(st.lists(st.integers(0, len(WHOLE)), max_size=8)))
    directory = tmp_path_factory.mktemp("growing")
    path = write(directory, b"")
    cursor, grown = Cursor(), []
    for start, end in pairwise([0, *cuts, len(WHOLE)]):
        with path.open("ab") as file:
            file.write(damaged[start:end])
        reading = look(directory, Cursor.from_json(json.loads(json.dumps(cursor.to_json()))))
        cursor = reading.cursor
        grown += reading.measurements
    assert grown == look(directory).measurements


def test_empty_files_hold_nothing(tmp_path: Path) -> None:
    write(tmp_path, b"")
    reading = look(tmp_path, final=True)
    assert (reading.measurements, reading.problems, reading.more) == ([], [], False)
