"""A job whose hyperparameterMetricTag is misspelt, or whose trials report nothing."""

from pathlib import Path

import pytest

from tests.jobs.conftest import Jobs
from tests.jobs.test_logs_of_jobs import log_of, message
from tests.running_service import RunningService

WAITS = """
report(1, 0.5, "score")
while not os.path.exists({file!r}):
    time.sleep(0.02)
"""


def test_the_first_trial_says_so_while_it_runs(jobs: Jobs, service: RunningService, tmp_path: Path) -> None:
    go_on = tmp_path / "go_on"
    source = WAITS.format(file=str(go_on))
    search = {"hyperparameterMetricTag": "Scores", "maxTrials": 2, "algorithm": "RANDOM_SEARCH"}
    job_id = jobs.submit(source, search)
    told = "So far the trial has written 'score', and not 'Scores', which the job looks for."

    def warnings() -> list[str]:
        return [message(each) for each in log_of(jobs, service, job_id) if each["severity"] == "WARNING"]

    job = jobs.wait(job_id, lambda _: warnings())
    assert job["state"] == "RUNNING"
    assert warnings() == [f"{told} Is 'score' what hyperparameterMetricTag should say?"]

    go_on.touch()
    job = jobs.ended(job_id)
    assert job["state"] == "SUCCEEDED"
    assert "errorMessage" not in job
    why = "The trial never reported 'Scores'. It did write 'score'."
    assert [trial["errorMessage"] for trial in job["trainingOutput"]["trials"]] == [why, why]
    assert warnings()[1:] == [
        f"Trial 1 ended without an objective. {why}",
        f"Trial 2 ended without an objective. {why}",
        f"No trial has an objective, so there is no best one. Trial 2: {why}",
    ]


@pytest.mark.parametrize(
    ("source", "hyperparameters"),
    [("if trial == 2: report(1, 0.5)", {"maxTrials": 2, "algorithm": "RANDOM_SEARCH"}), ("pass", None)],
    ids=["one has it", "plain training"],
)
def test_a_job_that_has_a_best_trial_or_needs_none_ends_without_a_word(
    jobs: Jobs, service: RunningService, source: str, hyperparameters: dict[str, object] | None
) -> None:
    job_id = jobs.submit(source, hyperparameters)
    assert jobs.ended(job_id)["state"] == "SUCCEEDED"
    assert not [each for each in log_of(jobs, service, job_id) if "no best one" in message(each)]
