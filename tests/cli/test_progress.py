"""The live picture of a job, and the plain lines in its place."""

import io
from typing import Any

import pytest
from rich.console import Console

from cli import cells
from cli.job_view import JobView
from cli.progress import SHOWN_TRIALS, _ended_line, render, watch
from client import VernierClient
from tests.cli.jobs_for_show import curve, trial, tuning_job
from tests.client.fake_service import FakeService

NOW = 1583143590.0  # 2020-03-02T10:06:30Z, six and a half minutes into the job


def picture(job: dict[str, object], width: int = 120) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(render(job, NOW))  # type: ignore[arg-type]
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_a_running_job_shows_where_it_stands() -> None:
    lines = picture(
        tuning_job(
            trial(3, "SUCCEEDED", 0.9731, allMetrics=curve(0.1, 0.5, 0.9731)),
            trial(1, "SUCCEEDED", 0.91),
            trial(2, "SUCCEEDED", 0.2, isTrialStoppedEarly=True),
            trial(4, "FAILED"),
            trial(5, "RUNNING", allMetrics=curve(0.3, "NaN", 0.6)),
        )
    )
    assert lines[0] == "census_hp_1  RUNNING  6m 30s"
    assert lines[1].endswith("4/20 trials  about 26m 00s left")  # 16 to go, at four in 6.5 minutes
    assert lines[2] == "1 failed  1 running  1 stopped early  2 succeeded"
    assert lines[3] == "best  0.9731 accuracy at step 1000, trial 3   lr=0.0316228  opt=adam"
    assert lines[5].split()[:6] == ["5", "RUNNING", "1m", "30s", "0.6", "▁·█"]
    assert [line.split()[0] for line in lines[5:]] == ["5", "4", "3", "2", "1"]
    assert lines[8].split()[1:3] == ["STOPPED", "EARLY"]


def test_the_picture_does_not_grow_with_the_trials() -> None:
    jobs = (tuning_job(*(trial(n % 58, "SUCCEEDED", 0.5) for n in range(count))) for count in (8, 500))
    heights = [len(picture(job)) for job in jobs]
    assert heights == [5 + SHOWN_TRIALS] * 2


def test_eighty_columns_show_all_that_is_watched() -> None:
    values = {"hidden-units": "104", "learning-rate": "0.00808662866637677", "batch-size": "32"}
    running = trial(17, "SUCCEEDED", 0.973574, isTrialStoppedEarly=True, hyperparameters=values)
    lines = picture(tuning_job(running), 80)
    assert lines[-2].split() == ["TRIAL", "STATE", "TIME", "OBJECTIVE", "CURVE"]
    assert lines[-1].split()[:3] == ["17", "STOPPED", "EARLY"]
    assert "0.973574" in lines[-1]


def test_a_long_curve_is_drawn_to_its_end() -> None:
    points = curve(*(epoch / 100 for epoch in range(100)))
    lines = picture(tuning_job(trial(1, "RUNNING", allMetrics=points)))
    drawn = next(word for word in lines[-1].split() if word.startswith("▁"))
    assert drawn.endswith("█")


def test_the_best_trial_of_many_parameters_keeps_to_its_column() -> None:
    values = {f"a-long-name-{number}": "0.123456" for number in range(6)}
    lines = picture(tuning_job(trial(1, "SUCCEEDED", 0.75, hyperparameters=values)), 80)
    best = next(index for index, line in enumerate(lines) if line.startswith("best"))
    header = next(index for index, line in enumerate(lines) if line.startswith("TRIAL"))
    assert header > best + 1
    assert all(line.startswith("      a-long") for line in lines[best + 1 : header])


def test_plain_lines_say_why_a_trial_failed() -> None:
    failed = trial(4, "FAILED", errorMessage="exited with 1.\nTraceback …\nValueError: the data is gone")
    view = JobView.of(tuning_job(failed))  # type: ignore[arg-type]
    assert _ended_line(view, view.trials[0]).plain.endswith("ValueError: the data is gone")


NEVER = "The trial never reported 'accuracy'. It did write 'acc'."


@pytest.mark.parametrize(
    ("later", "shown"),
    [
        ([], f"best  no trial has a final accuracy yet. Trial 2: {NEVER}"),
        ([trial(3, "RUNNING")], f"best  no trial has a final accuracy yet. Trial 2: {NEVER}"),
        (
            [trial(3, "FAILED", errorMessage="no")],
            f"best  no trial has a final accuracy yet. Trial 2: {NEVER}",
        ),
        ([trial(3, "SUCCEEDED", 0.5)], "best  0.5 accuracy at step 1000, trial 3   lr=0.0316228  opt=adam"),
    ],
)
def test_as_long_as_no_trial_has_the_metric_the_picture_says_why(
    later: list[dict[str, Any]], shown: str
) -> None:
    without = (trial(1, "SUCCEEDED", errorMessage="Nothing."), trial(2, "SUCCEEDED", errorMessage=NEVER))
    assert shown in picture(tuning_job(*later, *without))


def test_a_job_without_any_metric_says_so_in_the_end(service: FakeService) -> None:
    without = trial(2, "SUCCEEDED", errorMessage=NEVER)
    service.add("census_hp_1")
    service.stories["census_hp_1"] = [
        tuning_job(without, state="SUCCEEDED", endTime="2020-03-02T10:04:00Z"),
    ]
    lines = watched(service, Console(file=io.StringIO(), width=40)).splitlines()
    assert lines[-1] == f"no trial has a final accuracy. Trial 2: {NEVER}"


def test_what_a_trial_says_does_not_steer_the_terminal() -> None:
    view = JobView.of(
        tuning_job(trial(1, "SUCCEEDED", errorMessage="wrote '\x1b[2J\x9b'"), errorMessage="\x1b")
    )  # type: ignore[arg-type]
    assert (view.trials[0].reason, view.error) == ("wrote '�[2J�'", "�")


def test_of_a_line_that_was_written_over_the_last_is_the_reason() -> None:
    """As progress bars do; the reason is one line."""
    failed = trial(1, "FAILED", errorMessage="It exited with 1.\n 10%|#  |\r 20%|## |\rThe loss is NaN.\r\n")
    [shown] = JobView.of(tuning_job(failed)).trials  # type: ignore[arg-type]
    assert shown.reason == "The loss is NaN."


def test_what_a_job_asks_for_and_waits_for_does_not_either() -> None:
    job = tuning_job(jobPosition="1", waitReason="The image is \x1b[2J.")
    job["trainingInput"]["hyperparameters"]["hyperparameterMetricTag"] = "\x1b[2Jloss"
    del job["trainingOutput"]["hyperparameterMetricTag"]
    asked = JobView.of(job)  # type: ignore[arg-type]
    assert (asked.wait, asked.metric_tag) == ("1st in line. The image is �[2J.", "�[2Jloss")
    job["trainingOutput"]["hyperparameterMetricTag"] = "\x9bloss"
    assert JobView.of(job).metric_tag == "�loss"  # type: ignore[arg-type]


@pytest.mark.parametrize(("place", "said"), [("1", "1st"), ("3", "3rd"), ("12", "12th"), ("22", "22nd")])
def test_a_job_that_waits_shows_its_place_and_what_for(place: str, said: str) -> None:
    job = tuning_job(jobPosition=place, waitReason="A trial needs 1 GPU; free are 0 of 2 GPUs.")
    told = f"{said} in line. A trial needs 1 GPU; free are 0 of 2 GPUs."
    assert JobView.of(job).wait == told  # type: ignore[arg-type]
    assert JobView.of(tuning_job(jobPosition=place)).wait == "", "in the queue"  # type: ignore[arg-type]


def test_no_line_is_wider_than_the_terminal() -> None:
    long = {"layers": "512 " * 40, "lr": "0.1", "[bold]": "\x1b[2J"}
    lines = picture(tuning_job(trial(1, "RUNNING", hyperparameters=long, allMetrics=curve(*range(99)))), 60)
    assert max(map(len, lines)) <= 60
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize("objective", [None, "NaN", "Infinity"])
def test_what_cannot_be_ranked_is_not_called_best(objective: str | None) -> None:
    assert "best  no trial has a final accuracy yet" in picture(tuning_job(trial(1, "SUCCEEDED", objective)))


@pytest.mark.parametrize(
    ("others", "why"), [([], ""), ([trial(2, "SUCCEEDED", errorMessage=NEVER)], f". Trial 2: {NEVER}")]
)
def test_a_trial_that_failed_is_not_called_best_whatever_it_reached(
    others: list[dict[str, Any]], why: str
) -> None:
    lines = picture(tuning_job(trial(1, "FAILED", 0.9), *others))
    assert f"best  only trials that failed have a final accuracy{why}" in lines


def test_no_time_left_is_told_before_a_first_round_has_ended() -> None:
    assert "left" not in picture(tuning_job(trial(1, "SUCCEEDED", 0.9), trial(2, "RUNNING")))[1]


def test_a_job_that_has_just_been_made_can_be_shown() -> None:
    assert picture({"jobId": "j", "state": "QUEUED"}) == ["j  QUEUED  0s"]


def story(service: FakeService) -> None:
    ended = (trial(2, "FAILED"), trial(1, "SUCCEEDED", 0.5, isTrialStoppedEarly=True))
    service.add("census_hp_1")
    service.stories["census_hp_1"] = [
        tuning_job(state="QUEUED"),
        tuning_job(trial(1, "RUNNING")),
        tuning_job(*reversed(ended)),
        tuning_job(trial(3, "SUCCEEDED", 0.75), *reversed(ended)),
        tuning_job(
            trial(3, "SUCCEEDED", 0.75), *reversed(ended), state="SUCCEEDED", endTime="2020-03-02T10:04:00Z"
        ),
    ]


def watched(service: FakeService, console: Console) -> str:
    with VernierClient(service.address, sleep=lambda seconds: None) as client:
        assert watch(client, "census_hp_1", console)["state"] == "SUCCEEDED"
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_without_a_terminal_each_end_of_a_trial_is_one_line(service: FakeService) -> None:
    story(service)
    service.faults = [503] * 7  # one look in vain, and part of another

    told = watched(service, Console(file=io.StringIO(), width=40))

    lines = told.splitlines()
    assert lines.pop(0).endswith("scripted 503; trying again")
    assert lines == [
        "job census_hp_1 QUEUED",
        "job census_hp_1 RUNNING",
        "trial 1 STOPPED EARLY  0.5 at step 1000 (best so far)  lr=0.0116228  opt=adam",
        "trial 2 FAILED  –  lr=0.0216228  opt=adam",
        "trial 3 SUCCEEDED  0.75 at step 1000 (best so far)  lr=0.0316228  opt=adam",
        "job census_hp_1 SUCCEEDED after 4m 00s",
    ]


def test_on_a_terminal_the_last_picture_stays(service: FakeService) -> None:
    story(service)
    screen = watched(service, Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None))

    last = screen.rpartition("census_hp_1")[2]
    assert "SUCCEEDED  4m 00s" in last
    assert "best  0.75 accuracy" in last


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""),
        ([1.0], "▅"),
        ([2.0, 2.0], "▅▅"),
        ([0.0, 1.0], "▁█"),
        ([1.0, float("nan"), 0.0, float("inf")], "█·▁·"),
        ([-1e308, 1e308], "▁█"),
        (list(range(8)), "▁▂▃▄▅▆▇█"),
        ([value / 10 for value in range(800)], "▁▁▂▂▃▃▄▄▅▅▆▆▇▇██"),
    ],
)
def test_a_curve_is_drawn_in_blocks(values: list[float], line: str) -> None:
    assert cells.sparkline(values) == line


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("adam", "adam"),
        ("32", "32"),
        ("0.031622776601683791", "0.0316228"),
        ("123456789012", "1.23457e+11"),
        ("256 128 64 32 16 8 4 2 1 0.5", "256 128 64 32 16 8 4 2 …"),
        ("a\x1b[2J\n", "a�[2J�"),
    ],
)
def test_a_hyperparameter_is_shown_short_and_harmless(value: str, shown: str) -> None:
    assert cells.hyperparameter(value) == shown


@pytest.mark.parametrize(
    ("length", "shown"),
    [(0, "0s"), (59.9, "59s"), (60, "1m 00s"), (3599, "59m 59s"), (3660, "1h 01m"), (183_600, "2d 03h")],
)
def test_a_duration_is_shown_in_its_two_largest_units(length: float, shown: str) -> None:
    assert cells.duration(length) == shown
