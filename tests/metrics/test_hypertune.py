"""The file that the real cloudml-hypertune package writes, and what may be wrong with it."""

import json
import math
import threading
import warnings
from pathlib import Path

import pytest

from worker.metrics.hypertune import BYTES_LIMIT
from worker.metrics.watch import Cursor, Reading, read_new

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from hypertune import HyperTune


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "hypertune" / "output.metrics"
    monkeypatch.setenv("CLOUD_ML_HP_METRIC_FILE", str(path))
    monkeypatch.setenv("CLOUD_ML_TRIAL_ID", "7")
    return path


def look(file: Path, cursor: Cursor | None = None, tag: str = "accuracy", final: bool = False) -> Reading:
    return read_new([], file, tag, cursor or Cursor(), final)


def line(step: object, value: object, time: object = 1.5e9, tag: str = "accuracy") -> str:
    record = {"checkpoint_path": "", "global_step": step, "timestamp": time, "trial": "1", tag: value}
    return json.dumps(record, sort_keys=True) + "\n"


def pairs(reading: Reading) -> list[tuple[int, float]]:
    return [(m.step, m.value) for m in reading.measurements]


def test_each_report_is_read_once(file: Path) -> None:
    reporter = HyperTune()
    cursor = Cursor()
    for step in range(3):
        reporter.report_hyperparameter_tuning_metric("accuracy", step / 4, step)
        reading = look(file, Cursor.from_json(json.loads(json.dumps(cursor.to_json()))))
        cursor = reading.cursor
        assert pairs(reading) == [(step, step / 4)]
        assert reading.measurements[0].source == 0
        assert reading.measurements[0].wall_time > 1.5e9
    assert look(file, cursor).measurements == []


def test_of_250_reports_the_newest_hundred_are_read_and_the_last_is_the_250th(file: Path) -> None:
    reporter = HyperTune()
    for step in range(1, 251):
        reporter.report_hyperparameter_tuning_metric("accuracy", step, step)
    reading = look(file, final=True)
    assert pairs(reading) == [(step, step) for step in range(151, 251)]
    assert reading.problems == []


def test_no_report_is_lost_or_doubled_when_looks_come_every_ninety(file: Path) -> None:
    reporter = HyperTune()
    cursor, found = Cursor(), []
    for step in range(1, 501):
        reporter.report_hyperparameter_tuning_metric("accuracy", step, step)
        if step % 90 == 0 or step == 500:
            reading = look(file, cursor)
            cursor = reading.cursor
            found += pairs(reading)
    assert found == [(step, step) for step in range(1, 501)]
    assert len(cursor.hypertune_lines) == 200


def test_reports_without_a_step_or_tag(file: Path) -> None:
    reporter = HyperTune()
    reporter.report_hyperparameter_tuning_metric("", 0.5)
    reading = look(file, tag="training/hptuning/metric")
    assert pairs(reading) == [(0, 0.5)]
    assert reading.tags == {"training/hptuning/metric"}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_kept(file: Path, value: float) -> None:
    HyperTune().report_hyperparameter_tuning_metric("accuracy", value, 1)
    ((step, read),) = pairs(look(file))
    assert (step, repr(read)) == (1, repr(value))


@pytest.mark.parametrize("tag", ["trial", "timestamp"])
def test_a_tag_that_bears_a_name_of_the_package_is_found(file: Path, tag: str) -> None:
    HyperTune().report_hyperparameter_tuning_metric(tag, 0.5, 3)
    assert pairs(look(file, tag=tag)) == [(3, 0.5)]


@pytest.mark.parametrize("tag", ["trial", "timestamp", "global_step", "checkpoint_path"])
def test_the_fields_of_another_metric_are_not_taken_for_the_wanted_one(file: Path, tag: str) -> None:
    HyperTune().report_hyperparameter_tuning_metric("accuracy", 0.5, 3)
    assert look(file, tag=tag).measurements == []


def test_other_tags_are_named(file: Path) -> None:
    reporter = HyperTune()
    reporter.report_hyperparameter_tuning_metric("loss", 0.5, 1)
    reporter.report_hyperparameter_tuning_metric("accuracy", 0.25, 1)
    reading = look(file)
    assert pairs(reading) == [(1, 0.25)]
    assert reading.tags == {"accuracy", "loss"}


def test_a_rewrite_seen_at_any_point_loses_and_doubles_nothing(tmp_path: Path) -> None:
    path = tmp_path / "output.metrics"
    lines = [line(str(step), str(step / 2), 1.5e9 + step) for step in range(6)]
    path.write_text("".join(lines[:3]))
    before = look(path)
    content = "".join(lines[2:])  # the two oldest have gone
    for length in range(len(content) + 1):
        path.write_text(content[:length])
        partial = look(path, before.cursor)
        path.write_text(content)
        rest = look(path, partial.cursor)
        assert pairs(partial) + pairs(rest) == [(3, 1.5), (4, 2.0), (5, 2.5)]
        assert partial.problems == rest.problems == []


def test_a_file_rewritten_all_the_time_is_read_whole_in_the_end(file: Path) -> None:
    reporter = HyperTune()

    def report() -> None:
        for step in range(1, 301):
            reporter.report_hyperparameter_tuning_metric("accuracy", step, step)

    writer = threading.Thread(target=report)
    cursor, found = Cursor(), []
    writer.start()
    while writer.is_alive():
        reading = look(file, cursor)
        cursor = reading.cursor
        found += pairs(reading)
        assert reading.problems == []
    writer.join()
    found += pairs(look(file, cursor, final=True))
    assert len(found) == len(set(found))
    assert set(found) >= {(step, float(step)) for step in range(201, 301)}


def test_a_clock_that_is_set_back_hides_nothing(tmp_path: Path) -> None:
    path = tmp_path / "output.metrics"
    path.write_text(line("1", "0.5", 2e9))
    first = look(path)
    path.write_text(line("1", "0.5", 2e9) + line("2", "0.75", 1e9))
    assert pairs(look(path, first.cursor)) == [(2, 0.75)]


@pytest.mark.parametrize(
    ("step", "read"),
    [
        ("-5", -5),
        (12, 12),
        ("1e3", 1000),
        (2.0, 2),
        (None, 0),
        (10**30, 2**63 - 1),
        (str(-(10**30)), -(2**63)),
    ],
)
def test_steps_of_any_size_and_form(tmp_path: Path, step: object, read: int) -> None:
    path = tmp_path / "output.metrics"
    path.write_text(line(step, "0.5"))
    assert pairs(look(path)) == [(read, 0.5)]


@pytest.mark.parametrize("time", [None, "yesterday", "nan", True, [], "1e999"])
def test_a_timestamp_that_is_no_time_becomes_zero(tmp_path: Path, time: object) -> None:
    path = tmp_path / "output.metrics"
    path.write_text(line("1", "0.5", time))
    assert [m.wall_time for m in look(path).measurements] == [0.0]


@pytest.mark.parametrize(
    "bad",
    [
        line("1", "high"),
        line("1", None),
        line("1", True),
        line("1", 10**400),
        line("x", "0.5"),
        line("nan", "0.5"),
        "[" * 100_000 + "\n",
        "not json\n",
        "[1, 2]\n",
        '{"accuracy": "1.0"\n',
        "\udcff\n",
    ],
)
def test_a_bad_line_is_one_problem_once_and_the_others_are_read(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "output.metrics"
    path.write_bytes((line("0", "0.5") + bad + line("2", "1e400")).encode(errors="surrogateescape"))
    reading = look(path)
    assert pairs(reading) == [(0, 0.5), (2, math.inf)]
    assert len(reading.problems) == 1
    assert look(path, reading.cursor).problems == []


def test_a_last_line_that_stays_cut_off_is_a_problem_when_the_trial_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "output.metrics"
    path.write_text(line("1", "0.5") + line("2", "0.75")[:-9])
    reading = look(path, final=True)
    assert pairs(reading) == [(1, 0.5)]
    assert len(reading.problems) == 1


def test_a_whole_last_line_needs_no_newline(tmp_path: Path) -> None:
    path = tmp_path / "output.metrics"
    path.write_text(line("1", "0.5").rstrip())
    first = look(path)
    path.write_text(line("1", "0.5"))
    assert pairs(first) == [(1, 0.5)]
    assert look(path, first.cursor).measurements == []


def test_a_file_beyond_all_reason_gives_its_newest_lines(tmp_path: Path) -> None:
    path = tmp_path / "output.metrics"
    one = line("1", "0.5")
    path.write_text(one * (BYTES_LIMIT // len(one) + 9) + line("2", "0.75"))
    reading = look(path)
    assert pairs(reading) == [(1, 0.5), (2, 0.75)]
    assert "only the newest 100" in reading.problems[0]


def test_both_channels_are_read_together(tmp_path: Path) -> None:
    from tests.metrics.event_writing import scalar_records, write

    write(tmp_path, scalar_records(1)[0])
    path = tmp_path / "output.metrics"
    path.write_text(line("1", "0.5"))
    reading = read_new([tmp_path], path, "accuracy", Cursor())
    assert [(m.step, m.source) for m in reading.measurements] == [(0, 1), (1, 0)]


def test_a_file_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    reading = look(tmp_path / "none" / "output.metrics", final=True)
    assert (reading.measurements, reading.problems) == ([], [])


def test_the_next_attempts_file_is_a_source_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "output.metrics"
    path.write_text(line("1", "0.5"))
    first = look(path)
    second = look(path, Cursor.from_json(first.cursor.for_next_attempt().to_json()))
    assert pairs(second) == pairs(first), "the same words of another attempt are not the same measurement"
    assert [m.source for m in second.measurements] == [second.cursor.hypertune_source]
    assert second.cursor.hypertune_source == first.cursor.next_source < second.cursor.next_source
