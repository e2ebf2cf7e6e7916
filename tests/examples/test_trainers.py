"""Each example is run as a trial, its job's parameters as flags; what is checked is what it wrote."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

EXAMPLES = Path(__file__).parents[2] / "examples"

# How many steps a trial of each example measures.
STEPS = {"digits": 16, "smallest": 10, "hypertune": 20}


@dataclass(frozen=True)
class Trial:
    """A started trainer, and the places it was told to write to."""

    tag: str
    job_dir: Path
    metric_file: Path
    process: subprocess.Popen[str]

    def scalars(self) -> dict[str, list[tuple[int, float]]]:
        """Every scalar under the job directory as (step, value), by tag, in the order written."""
        events = EventAccumulator(str(self.job_dir), size_guidance={"tensors": 0})
        events.Reload()
        return {
            tag: [(e.step, float(tensor_util.make_ndarray(e.tensor_proto))) for e in events.Tensors(tag)]
            for tag in events.Tags()["tensors"]
        }

    def lines(self) -> list[dict[str, Any]]:
        """The objects in the metric file, in the order written."""
        return [json.loads(line) for line in self.metric_file.read_text().splitlines()]

    def measurements(self) -> list[tuple[int, float]]:
        """The job's metric as (step, value), from whichever of the two places the trainer reports to."""
        if self.metric_file.exists():
            return [(int(line["global_step"]), float(line[self.tag])) for line in self.lines()]
        return self.scalars()[self.tag]


def middle_value(parameter: dict[str, Any]) -> str:
    """A value inside the parameter's range, as text; a whole number has no point."""
    match parameter["type"]:
        case "CATEGORICAL":
            return str(parameter["categoricalValues"][-1])
        case "DISCRETE":
            return f"{parameter['discreteValues'][-1]:.15g}"
    low, high = parameter["minValue"], parameter["maxValue"]
    middle = (low * high) ** 0.5 if parameter["scaleType"] == "UNIT_LOG_SCALE" else (low + high) / 2
    return str(round(middle)) if parameter["type"] == "INTEGER" else f"{middle:.15g}"


def start_trial(example: str, directory: Path) -> Trial:
    spec = yaml.safe_load((EXAMPLES / example / "job.yaml").read_text())["trainingInput"]["hyperparameters"]
    flags = [f"--{parameter['parameterName']}={middle_value(parameter)}" for parameter in spec["params"]]
    job_dir, metric_file = directory / "job" / "3", directory / "metrics" / "output.metrics"
    job_dir.mkdir(parents=True)
    metric_file.parent.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "trainer.task", *flags, "--job-dir", str(job_dir)],
        cwd=directory,
        env={
            **os.environ,
            "PYTHONPATH": str(EXAMPLES / example),
            "PYTHONDONTWRITEBYTECODE": "1",
            "CLOUD_ML_TRIAL_ID": "3",
            "CLOUD_ML_HP_METRIC_TAG": spec["hyperparameterMetricTag"],
            "CLOUD_ML_HP_METRIC_FILE": str(metric_file),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return Trial(spec["hyperparameterMetricTag"], job_dir, metric_file, process)


@dataclass(frozen=True)
class Finished:
    """A trial that ended well, and the lines it printed."""

    trial: Trial
    printed: list[str]


@cache
def finish(trial: Trial) -> Finished:
    output, errors = trial.process.communicate(timeout=120)
    assert trial.process.returncode == 0, errors
    return Finished(trial, output.splitlines())


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Trial]]:
    """One trial of each example, by its folder's name; they run side by side."""
    trials = {name: start_trial(name, tmp_path_factory.mktemp(name)) for name in STEPS}
    yield trials
    for trial in trials.values():
        trial.process.kill()
        trial.process.communicate()


@pytest.fixture
def digits(started: dict[str, Trial]) -> Trial:
    return finish(started["digits"]).trial


@pytest.fixture
def smallest(started: dict[str, Trial]) -> Trial:
    return finish(started["smallest"]).trial


@pytest.fixture
def hypertune(started: dict[str, Trial]) -> Trial:
    return finish(started["hypertune"]).trial


@pytest.mark.parametrize("example", STEPS)
def test_every_step_is_measured_once_and_printed_with_the_same_value(
    example: str, started: dict[str, Trial]
) -> None:
    finished = finish(started[example])
    tag, measured = finished.trial.tag, finished.trial.measurements()
    assert [step for step, _ in measured] == list(range(1, STEPS[example] + 1))
    expected = [f"{step}: {tag} {value:.4f}" for step, value in measured]
    assert [line.split(maxsplit=1)[1] for line in finished.printed] == expected


# cloudml-hypertune rewrites its file on every report, so a kill can leave that one empty.
@pytest.mark.parametrize("example", ["digits", "smallest"])
def test_a_trial_killed_after_its_first_step_has_left_that_measurement(example: str, tmp_path: Path) -> None:
    trial = start_trial(example, tmp_path)
    assert trial.process.stdout is not None
    first_line = trial.process.stdout.readline()
    trial.process.kill()
    _, errors = trial.process.communicate()
    assert first_line, errors
    steps = [step for step, _ in trial.measurements()]
    assert 1 <= len(steps) < STEPS[example]
    assert steps[0] == 1


def test_digits_writes_one_event_file_with_the_jobs_tag_alone(digits: Trial) -> None:
    assert list(digits.scalars()) == [digits.tag]
    assert [path.name.startswith("events.out.tfevents.") for path in digits.job_dir.iterdir()] == [True]


def test_digits_learns_when_its_parameters_are_reasonable(digits: Trial) -> None:
    accuracies = [value for _, value in digits.measurements()]
    assert all(0 <= accuracy <= 1 for accuracy in accuracies)
    assert accuracies[0] < accuracies[-1]
    assert accuracies[-1] > 0.85


def test_smallest_loss_falls_with_every_step(smallest: Trial) -> None:
    losses = [value for _, value in smallest.measurements()]
    assert losses == sorted(set(losses), reverse=True)


def test_smallest_writes_the_types_of_the_hypertune_file_format(smallest: Trial) -> None:
    for line in smallest.lines():
        assert isinstance(line["timestamp"], float)
        assert isinstance(line["global_step"], str)
        assert isinstance(line[smallest.tag], str)


def test_smallest_imports_the_standard_library_only() -> None:
    # -I and -S leave no installed package to import.
    shown = subprocess.run(
        [sys.executable, "-I", "-S", str(EXAMPLES / "smallest/trainer/task.py"), "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr


def test_hypertune_reports_for_its_own_trial(hypertune: Trial) -> None:
    assert {line["trial"] for line in hypertune.lines()} == {"3"}


def test_hypertune_brings_its_loss_down(hypertune: Trial) -> None:
    losses = [value for _, value in hypertune.measurements()]
    assert losses[-1] < losses[0]
    assert losses[-1] < 0.3
