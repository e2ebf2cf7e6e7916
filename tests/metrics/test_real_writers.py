"""Files written by the real libraries give the values that went in."""

import json
import struct
import time
from math import isnan
from pathlib import Path

import pytest
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboardX import SummaryWriter

from tests.metrics.event_writing import look, steps
from worker.metrics.watch import Cursor, Reading

CORPUS = Path(__file__).parent / "corpus"
EXPECTED = json.loads((CORPUS / "expected.json").read_text(encoding="utf-8"))
CASES = [(name, tag) for name, file in EXPECTED.items() for tag in file["scalars"]]


def same(value: float, expected: float | str) -> bool:
    expected = float(expected)
    if isnan(expected):
        return isnan(value)
    return value in (expected, struct.unpack("<f", struct.pack("<f", expected))[0])


@pytest.mark.parametrize(("name", "tag"), CASES)
def test_reads_what_the_framework_wrote(name: str, tag: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes((CORPUS / name).read_bytes())
    reading = look(tmp_path, tag=tag, final=True)
    expected = EXPECTED[name]["scalars"][tag]
    assert steps(reading) == [step for step, _ in expected]
    for measurement, (_, value) in zip(reading.measurements, expected, strict=True):
        assert same(measurement.value, value)
        assert 1.5e9 < measurement.wall_time < 4e9
    assert reading.problems == []


@pytest.mark.parametrize("name", EXPECTED)
def test_names_every_scalar_tag_and_no_other(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes((CORPUS / name).read_bytes())
    reading = look(tmp_path, tag="none of these")
    assert reading.measurements == []
    assert reading.tags == frozenset(EXPECTED[name]["tags"])


def test_the_whole_corpus_is_expected_of() -> None:
    assert {path.name for path in CORPUS.glob("*tfevents*")} == set(EXPECTED)


@pytest.mark.parametrize("tag", ["acc", "val/accuracy", "Accuracy", "eval/accuracy ", "accuracy", ""])
def test_a_tag_must_match_exactly(tag: str, tmp_path: Path) -> None:
    (tmp_path / "pytorch.tfevents").write_bytes((CORPUS / "pytorch.tfevents").read_bytes())
    assert look(tmp_path, tag=tag).measurements == []


def test_tensorboardx_is_read_while_it_writes(tmp_path: Path) -> None:
    def until(count: int, cursor: Cursor) -> Reading:
        # Its flush() does not wait for its own thread, so the values come when they come.
        deadline = time.monotonic() + 60
        while len((reading := look(tmp_path, cursor)).measurements) < count and time.monotonic() < deadline:
            writer.flush()
        return reading

    with SummaryWriter(str(tmp_path / "run")) as writer:
        writer.add_scalar("loss", 0.5, 1)
        writer.add_scalar("accuracy", 0.25, 1)
        first = until(1, Cursor())
        writer.add_text("note", "accuracy")
        writer.add_scalar("accuracy", 0.75, 2)
        second = until(1, first.cursor)
    assert [(m.step, m.value) for m in first.measurements] == [(1, 0.25)]
    assert [(m.step, m.value) for m in second.measurements] == [(2, 0.75)]
    assert second.tags == {"accuracy", "loss"}


def test_tensorboards_own_writer_is_read_while_it_writes(tmp_path: Path) -> None:
    writer = EventFileWriter(str(tmp_path))
    for step in range(3):
        value = summary_pb2.Summary.Value(tag="accuracy", simple_value=step / 2)
        writer.add_event(
            event_pb2.Event(wall_time=1.7e9, step=step, summary=summary_pb2.Summary(value=[value]))
        )
    writer.flush()
    reading = look(tmp_path)
    writer.close()
    assert [(m.step, m.value) for m in reading.measurements] == [(0, 0.0), (1, 0.5), (2, 1.0)]
    assert look(tmp_path, reading.cursor, final=True).measurements == []
