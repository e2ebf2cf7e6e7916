"""Trials that fail on a running service: what counts, what is tried again, and what their owner is told."""

import os
import sqlite3
from pathlib import Path
from typing import Any

from tests.jobs.conftest import Jobs
from tests.running_service import RunningService, wait_until

# Tells its group and attempt, and waits to be killed as often as the test says.
VANISHING = """
from pathlib import Path
tries = Path(sys.argv[-1], "tries")
with tries.open("a") as file:
    file.write(str(os.getpgid(0)) + "\\n")
count = len(tries.read_text().splitlines())
"""


def _kill_each_try(jobs: Jobs, job_id: str, trial: int, times: int) -> None:
    tries = jobs.folder / job_id / str(trial) / "tries"
    for count in range(1, times + 1):
        wait_until(lambda count=count: tries.exists() and len(tries.read_text().splitlines()) == count)
        os.killpg(int(tries.read_text().splitlines()[-1]), 9)


def _logged(jobs: Jobs, job_id: str) -> list[str]:
    url = str(jobs.client.base_url).partition("/v1/")[0] + "/v2/entries:list"
    project = str(jobs.client.base_url).rstrip("/").rpartition("/")[2]
    asked = {"resourceNames": [f"projects/{project}"], "filter": f'resource.labels.job_id="{job_id}"'}
    entries = jobs.client.post(url, json=asked).json()["entries"]
    return [entry["jsonPayload"]["message"] for entry in entries]


def test_a_job_survives_three_losses_of_a_trial_and_counts_none(jobs: Jobs) -> None:
    source = VANISHING + "if trial == 1 and count <= 3: time.sleep(600)\nreport(1, trial)"
    job_id = jobs.submit(source, {"maxTrials": 2, "maxFailedTrials": 1})
    _kill_each_try(jobs, job_id, 1, 3)
    job = jobs.ended(job_id)
    assert job["state"] == "SUCCEEDED"
    assert [trial["state"] for trial in job["trainingOutput"]["trials"]] == ["SUCCEEDED", "SUCCEEDED"]
    assert len((jobs.folder / job_id / "1" / "tries").read_text().splitlines()) == 4
    told = [message for message in _logged(jobs, job_id) if "is tried again" in message]
    assert len(told) == 3
    assert told[0].startswith(
        "Trial 1 is tried again in 0.1 s, as its attempt 2. The replica master 0 vanished"
    )
    assert told[2].startswith("Trial 1 is tried again in 0.4 s, as its attempt 4.")


def test_a_trial_that_is_lost_again_and_again_fails_and_does_not_count(jobs: Jobs) -> None:
    source = VANISHING + "if trial == 1: time.sleep(600)\nreport(1, trial)"
    job_id = jobs.submit(source, {"maxTrials": 3, "maxFailedTrials": 1})
    _kill_each_try(jobs, job_id, 1, 4)
    job = jobs.ended(job_id)
    assert job["state"] == "SUCCEEDED"
    *_, failed = job["trainingOutput"]["trials"]
    assert (failed["trialId"], failed["state"]) == ("1", "FAILED")
    assert failed["errorMessage"].endswith("killed from outside. It was tried 4 times.")


def test_what_a_later_attempt_measures_takes_the_place_of_what_an_earlier_one_did(jobs: Jobs) -> None:
    # The first attempt comes to step 5. The second goes on from step 3, as from a checkpoint, and ends at 4.
    source = (
        VANISHING
        + """
if count == 1:
    for step in range(1, 6): report(step, 0.1 * step)
    time.sleep(600)
report(3, 30); report(4, 40)
"""
    )
    job_id = jobs.submit(source, {"maxTrials": 1})
    jobs.wait(job_id, lambda job: _points(job) == [(1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4), (5, 0.5)])
    _kill_each_try(jobs, job_id, 1, 1)
    job = jobs.ended(job_id)
    assert _points(job) == [(1, 0.1), (2, 0.2), (3, 30), (4, 40)]
    final = job["trainingOutput"]["trials"][0]["finalMetric"]
    assert final == {"trainingStep": "4", "objectiveValue": 40}


def test_a_trial_that_waits_to_be_tried_again_can_be_cancelled(tmp_path: Path) -> None:
    with (
        RunningService(tmp_path / "data", slots=1, retry_backoff_seconds=600) as service,
        service.client() as client,
    ):
        jobs = Jobs(client, tmp_path)
        lost = jobs.submit(VANISHING + "time.sleep(600)", {"maxTrials": 1})
        _kill_each_try(jobs, lost, 1, 1)
        wait_until(lambda: _classes(service.data_dir) == [("LOST", 1)])
        # The only slot is free for another job meanwhile.
        assert jobs.ended(jobs.submit("report(1, 1.0)", {"maxTrials": 1}))["state"] == "SUCCEEDED"
        assert jobs.get(lost)["state"] == "RUNNING"
        jobs.cancel(lost)
        job = jobs.ended(lost)
        assert job["state"] == "CANCELLED"
        assert len((jobs.folder / lost / "1" / "tries").read_text().splitlines()) == 1
        assert service.stop() == 0


def test_trials_that_can_not_be_started_fail_the_job_after_as_many_as_run_side_by_side(jobs: Jobs) -> None:
    (jobs.folder / "file").touch()
    hyperparameters = {"maxTrials": 50, "maxParallelTrials": 3, "maxFailedTrials": 40}
    job = jobs.ended(jobs.submit("report(1, 1.0)", hyperparameters, jobDir=str(jobs.folder / "file" / "out")))
    assert job["state"] == "FAILED"
    assert job["errorMessage"].startswith("3 trials in a row failed through no fault of the program. Trial #")
    assert "could not be started: Not a directory" in job["errorMessage"]
    assert len(job["trainingOutput"]["trials"]) <= 5


ENDS = {
    "USER_ERROR": ("sys.exit(3)", "exited with a non-zero status of 3."),
    "USER_ERROR of a signal": ("os.kill(os.getpid(), 11)", "exited with a non-zero status of 11(SIGSEGV)."),
    "OOM_HOST": (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30)); x = bytearray(2**31)",
        "It ran out of the machine's memory",
    ),
    "OOM_GPU": (
        "raise RuntimeError('CUDA out of memory. Tried to allocate 2.00 GiB')",
        "It ran out of the GPU's memory",
    ),
    "HW_FAULT": (
        "raise RuntimeError('CUDA error: uncorrectable ECC error encountered')",
        "A GPU of the machine failed",
    ),
    "NO_METRIC": ("report(1, 1.0, 'other')", "never reported 'score'"),
}


def test_each_end_is_told_and_kept_with_its_class(tmp_path: Path) -> None:
    sources = [source for source, _ in ENDS.values()]
    with (
        RunningService(tmp_path / "data", slots=2, max_lost_attempts=0) as service,
        service.client() as client,
    ):
        jobs = Jobs(client, tmp_path)
        hyperparameters = {"maxTrials": len(ENDS), "maxParallelTrials": 2, "maxFailedTrials": 50}
        trials = jobs.trials(jobs.submit(f"exec({sources!r}[trial - 1])", hyperparameters))
        assert service.stop() == 0
    found = {int(trial["trialId"]): trial for trial in trials}
    for number, (kind, (_, told)) in enumerate(ENDS.items(), start=1):
        assert told in found[number]["errorMessage"]
        assert found[number]["state"] == ("SUCCEEDED" if kind == "NO_METRIC" else "FAILED")
    assert _classes(tmp_path / "data") == [(kind.split()[0], 1) for kind in ENDS]


def _classes(data_dir: Path) -> list[tuple[str, int]]:
    """(class of failure, number) of the attempts that failed, in the order in which they were begun."""
    with sqlite3.connect(f"file:{data_dir / 'vernier.sqlite3'}?mode=ro", uri=True) as database:
        query = "SELECT failure_class, number FROM attempts WHERE failure_class IS NOT NULL ORDER BY id"
        return database.execute(query).fetchall()


def _points(job: dict[str, Any]) -> list[tuple[int, float]]:
    trials = job.get("trainingOutput", {}).get("trials", [{}])
    return [
        (int(point["trainingStep"]), round(point["objectiveValue"], 6))
        for point in trials[0].get("allMetrics", [])
    ]
