"""Whole jobs on a running service: what their owner sees from submission to the end."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.jobs.conftest import Jobs
from tests.running_service import RunningService, wait_until


@pytest.mark.parametrize("goal", ["MAXIMIZE", "MINIMIZE"])
def test_the_best_trial_is_listed_first_and_the_one_without_the_metric_last(jobs: Jobs, goal: str) -> None:
    source = 'report(1, trial) if trial != 2 else report(7, 0.5, "other")'
    job_id = jobs.submit(source, {"goal": goal, "maxTrials": 4, "maxParallelTrials": 2})
    job = jobs.ended(job_id)
    trials = job["trainingOutput"]["trials"]
    assert job["state"] == "SUCCEEDED"
    assert "errorMessage" not in job
    assert [trial["trialId"] for trial in trials] == (
        ["4", "3", "1", "2"] if goal == "MAXIMIZE" else ["1", "3", "4", "2"]
    )
    assert "finalMetric" not in trials[-1]
    assert trials[-1]["state"] == "SUCCEEDED"
    assert "'score'" in trials[-1]["errorMessage"]
    assert "'other'" in trials[-1]["errorMessage"]
    assert job["trainingOutput"]["completedTrialCount"] == "4"


def test_a_plain_training_job_runs_once_in_its_own_job_dir(jobs: Jobs) -> None:
    source = """
from pathlib import Path
Path(sys.argv[-1], "seen.json").write_text(json.dumps({"argv": sys.argv[1:], "env": dict(os.environ)}))
"""
    job_id = jobs.submit(source, args=["--epochs", "3", "a b"])
    job = jobs.ended(job_id)
    assert job["state"] == "SUCCEEDED"
    assert "trainingOutput" not in job
    seen = _read(jobs.folder / job_id / "seen.json")
    assert seen["argv"] == ["--epochs", "3", "a b", "--job-dir", str(jobs.folder / job_id)]
    assert "CLOUD_ML_TRIAL_ID" not in seen["env"]
    assert "trial" not in json.loads(seen["env"]["TF_CONFIG"])["task"]


def test_a_failed_training_job_tells_the_traceback(jobs: Jobs) -> None:
    job = jobs.ended(jobs.submit('raise ValueError("the data is gone")'))
    assert job["state"] == "FAILED"
    assert job["errorMessage"].startswith("The replica master 0 exited with a non-zero status of 1.")
    assert "Traceback (most recent call last):" in job["errorMessage"]
    assert job["errorMessage"].rstrip().endswith("ValueError: the data is gone")


def test_one_failed_trial_does_not_fail_the_job(jobs: Jobs) -> None:
    source = "report(1, 1.0); time.sleep(0.1); sys.exit(3 if trial == 3 else 0)"
    job = jobs.ended(jobs.submit(source, {"maxTrials": 4}))
    assert job["state"] == "SUCCEEDED"
    states = {trial["trialId"]: trial["state"] for trial in job["trainingOutput"]["trials"]}
    assert states == {"1": "SUCCEEDED", "2": "SUCCEEDED", "3": "FAILED", "4": "SUCCEEDED"}
    assert job["trainingOutput"]["completedTrialCount"] == "3"


def test_a_job_whose_first_trials_all_fail_fails_and_says_why(jobs: Jobs) -> None:
    job = jobs.ended(jobs.submit('raise KeyError("no flag")', {"maxTrials": 50, "maxParallelTrials": 2}))
    assert job["state"] == "FAILED"
    assert "before any other successful trials" in job["errorMessage"]
    assert "KeyError: 'no flag'" in job["errorMessage"]
    assert len(job["trainingOutput"]["trials"]) <= 4


def test_max_failed_trials_ends_the_job_and_stops_the_others(jobs: Jobs) -> None:
    source = "report(1, 1.0)\nif trial in (2, 4): sys.exit(1)\nif trial > 4: time.sleep(120)"
    hyperparameters = {"maxTrials": 40, "maxParallelTrials": 3, "maxFailedTrials": 2}
    job = jobs.ended(jobs.submit(source, hyperparameters))
    assert job["state"] == "FAILED"
    assert "maxFailedTrials is 2" in job["errorMessage"]
    assert {trial["state"] for trial in job["trainingOutput"]["trials"]} <= {
        "SUCCEEDED",
        "FAILED",
        "CANCELLED",
    }


def test_cancelling_leaves_no_process_behind(jobs: Jobs) -> None:
    # A child in the group, one that left for a session of its own, and a trainer deaf to SIGTERM.
    source = """
import signal, subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
subprocess.Popen(sleeper)
subprocess.Popen(sleeper, start_new_session=True)
report(1, 1.0)
time.sleep(600)
"""
    job_id = jobs.submit(source, {"maxTrials": 3, "maxParallelTrials": 2})
    jobs.wait(job_id, lambda job: len(_measured(job)) == 2)
    assert len(_processes_under(job_id)) >= 6
    jobs.cancel(job_id)
    assert jobs.get(job_id)["state"] in ("CANCELLING", "CANCELLED")
    job = jobs.ended(job_id)
    assert job["state"] == "CANCELLED"
    assert "cancelled by its user" in job["errorMessage"]
    assert {trial["state"] for trial in job["trainingOutput"]["trials"]} == {"CANCELLED"}
    assert _processes_under(job_id) == []
    jobs.cancel(job_id)
    assert jobs.get(job_id)["state"] == "CANCELLED"


def test_a_job_can_be_cancelled_while_its_packages_are_being_installed(jobs: Jobs, tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    slow.mkdir()
    (slow / "setup.py").write_text("import time; time.sleep(600)")
    answer = jobs.client.post(
        "/jobs",
        json={"jobId": "slow", "trainingInput": {"packageUris": [str(slow)], "pythonModule": "trainer.task"}},
    )
    assert answer.status_code == 200, answer.text
    jobs.wait("slow", lambda job: job["state"] == "PREPARING" and len(_processes_under("slow")) > 1)
    jobs.cancel("slow")
    job = jobs.ended("slow")
    assert job["state"] == "CANCELLED"
    assert _processes_under("slow") == []


def test_max_running_time_cancels_the_job(jobs: Jobs) -> None:
    source = "report(1, 1.0)\ntime.sleep(600)"
    job_id = jobs.submit(source, {"maxTrials": 2}, scheduling={"maxRunningTime": "1s"})
    job = jobs.ended(job_id)
    assert job["state"] == "CANCELLED"
    assert "maxRunningTime" in job["errorMessage"]
    assert _processes_under(job_id) == []


def test_a_package_that_can_not_be_installed_fails_the_job_with_the_reason(
    jobs: Jobs, tmp_path: Path
) -> None:
    broken = tmp_path / "broken-1.0.tar.gz"
    broken.write_bytes(b"no archive")
    body = {"packageUris": [str(broken)], "pythonModule": "trainer.task"}
    assert jobs.client.post("/jobs", json={"jobId": "broken", "trainingInput": body}).status_code == 200
    job = jobs.ended("broken")
    assert job["state"] == "FAILED"
    assert "broken-1.0.tar.gz" in job["errorMessage"]


def test_never_more_trials_live_than_asked_for_or_than_there_are_slots(jobs: Jobs) -> None:
    source = """
from pathlib import Path
live = Path(sys.argv[-1]).parent / "live"
live.mkdir(exist_ok=True)
mine = live / str(trial)
mine.touch()
report(1, len(list(live.iterdir())))
time.sleep(0.3)
mine.unlink()
"""
    narrow = jobs.submit(source, {"maxTrials": 6, "maxParallelTrials": 2})
    wide = jobs.submit(source, {"maxTrials": 8, "maxParallelTrials": 8})
    most = {
        job_id: max(trial["finalMetric"]["objectiveValue"] for trial in jobs.trials(job_id))
        for job_id in (narrow, wide)
    }
    assert most[narrow] <= 2
    assert most[wide] <= 4


def test_a_poor_trial_is_stopped_early_and_keeps_its_last_value(jobs: Jobs) -> None:
    # Trials 1 to 6 are good; the seventh is poor from its first step on and would run for minutes.
    source = """
good = trial != 7
for step in range(1, 7 if good else 3000):
    report(step, 10 + step if good else 0.1)
    time.sleep(0.02 if good else 0.1)
"""
    hyperparameters = {"maxTrials": 8, "maxParallelTrials": 2, "enableTrialEarlyStopping": True}
    trials = {trial["trialId"]: trial for trial in jobs.trials(jobs.submit(source, hyperparameters))}
    stopped = trials["7"]
    assert stopped["isTrialStoppedEarly"] is True
    assert stopped["state"] == "SUCCEEDED"
    assert stopped["finalMetric"]["objectiveValue"] == 0.1
    assert len(stopped["allMetrics"]) < 2000
    assert not any("isTrialStoppedEarly" in trial for number, trial in trials.items() if number != "7")
    # The reason stays, and is told at the end.
    assert stopped["earlyStop"]["rule"] == "MEDIAN"
    assert stopped["earlyStop"]["value"] == 0.1
    assert stopped["earlyStop"]["threshold"] > 10
    assert stopped["earlyStop"]["peerCount"] >= 5


def test_a_trial_that_would_be_stopped_is_kept_to_see_how_it_ends(jobs: Jobs) -> None:
    """The seventh begins badly, and ends best: to stop it would have been wrong, and the job says so."""
    source = """
for step in range(1, 13):
    report(step, 10 + step if trial != 7 else 0.1 if step < 12 else 50)
    time.sleep(0.02 if trial != 7 else 0.15)
"""
    hyperparameters = {
        "maxTrials": 8,
        "maxParallelTrials": 2,
        "enableTrialEarlyStopping": True,
        "earlyStopping": {"rule": "MEDIAN", "minFinishedTrials": 3, "auditShare": 1},
    }
    job_id = jobs.submit(source, hyperparameters)
    best = jobs.trials(job_id)[0]
    assert best["trialId"] == "7"
    assert "isTrialStoppedEarly" not in best
    assert best["earlyStop"]["isTrialKept"] is True
    assert jobs.get(job_id)["trainingOutput"]["earlyStopping"] == {
        "keptTrialCount": 1,
        "wrongStopCount": 1,
        "objectiveLost": 28.0,
    }


def test_values_that_are_not_finite_never_reach_the_ranking(jobs: Jobs) -> None:
    source = 'report(1, 0.5); report(2, {1: "nan", 2: "inf"}.get(trial, 0.7))'
    trials = jobs.trials(jobs.submit(source, {"maxTrials": 3}))
    assert [trial["trialId"] for trial in trials] == ["3", "1", "2"]
    assert trials[0]["finalMetric"] == {"trainingStep": "2", "objectiveValue": 0.7}
    for trial in trials[1:]:
        assert "finalMetric" not in trial
        assert "not a finite number" in trial["errorMessage"]
        assert trial["allMetrics"] == [{"trainingStep": "1", "objectiveValue": 0.5}]


def test_metrics_are_seen_while_the_trial_runs(jobs: Jobs) -> None:
    job_id = jobs.submit("report(1, 0.25)\ntime.sleep(600)", {"maxTrials": 1})
    job = jobs.wait(job_id, _measured)
    assert job["state"] == "RUNNING"
    assert job["trainingOutput"]["trials"][0]["finalMetric"] == {"trainingStep": "1", "objectiveValue": 0.25}
    jobs.cancel(job_id)
    jobs.ended(job_id)


def test_grid_search_tries_every_point_once_and_ends(jobs: Jobs) -> None:
    hyperparameters = {
        "algorithm": "GRID_SEARCH",
        "maxTrials": 50,
        "maxParallelTrials": 4,
        "params": [
            {"parameterName": "n", "type": "INTEGER", "minValue": 1, "maxValue": 2},
            {"parameterName": "c", "type": "CATEGORICAL", "categoricalValues": ["a b", "c"]},
            {"parameterName": "d", "type": "DISCRETE", "discreteValues": [0.5, 8]},
        ],
    }
    trials = jobs.trials(jobs.submit("report(1, 1.0)", hyperparameters))
    points = {tuple(trial["hyperparameters"].values()) for trial in trials}
    assert len(trials) == 8
    assert points == {(n, c, d) for n in "12" for c in ("a b", "c") for d in ("0.5", "8")}


def test_a_trial_is_given_its_values_after_the_users_own_flags(jobs: Jobs) -> None:
    source = """
from pathlib import Path
Path(sys.argv[-1], "seen.json").write_text(json.dumps({"argv": sys.argv[1:], "env": dict(os.environ)}))
report(1, 1.0)
"""
    job_id = jobs.submit(source, {"maxTrials": 1}, args=["--x=7", "--flag"])
    [trial] = jobs.trials(job_id)
    seen = _read(jobs.folder / job_id / "1" / "seen.json")
    value = trial["hyperparameters"]["x"]
    job_dir = str(jobs.folder / job_id / "1")
    assert seen["argv"] == ["--x=7", "--flag", f"--x={value}", "--job-dir", job_dir]
    assert seen["env"]["CLOUD_ML_TRIAL_ID"] == "1"
    assert not [name for name in seen["env"] if name.startswith("VERNIER_") and "GROUP" not in name]


def test_a_resumed_job_continues_the_study(jobs: Jobs) -> None:
    # A finite space of six points: what the first job tried, the second does not try again.
    params = [{"parameterName": "x", "type": "INTEGER", "minValue": 1, "maxValue": 6}]
    source = 'report(1, flags["x"])'
    first = jobs.submit(source, {"maxTrials": 3, "params": params, "algorithm": "RANDOM_SEARCH"})
    tried = {trial["hyperparameters"]["x"] for trial in jobs.trials(first)}
    body: dict[str, Any] = {
        "packageUris": [jobs.package(source)],
        "pythonModule": "trainer.task",
        "hyperparameters": {"resumePreviousJobId": first, "maxTrials": 3},
    }
    assert jobs.client.post("/jobs", json={"jobId": "second", "trainingInput": body}).status_code == 200
    job = jobs.ended("second")
    assert job["trainingInput"]["hyperparameters"] == body["hyperparameters"]
    assert job["trainingOutput"]["hyperparameterMetricTag"] == "score"
    trials = job["trainingOutput"]["trials"]
    assert sorted(trial["trialId"] for trial in trials) == ["1", "2", "3"]
    assert {trial["hyperparameters"]["x"] for trial in trials} | tried == set("123456")


def test_a_trial_killed_from_outside_is_tried_again(jobs: Jobs) -> None:
    source = """
from pathlib import Path
tries = Path(sys.argv[-1], "tries")
with tries.open("a") as file:
    file.write(str(os.getpgid(0)) + "\\n")
if len(tries.read_text().splitlines()) == 1:
    time.sleep(600)
report(1, 0.5)
"""
    job_id = jobs.submit(source, {"maxTrials": 1})
    tries = jobs.folder / job_id / "1" / "tries"
    group = int(wait_until(lambda: tries.exists() and tries.read_text().strip()))
    os.killpg(group, 9)
    [trial] = jobs.trials(job_id)
    assert trial["state"] == "SUCCEEDED"
    assert trial["finalMetric"]["objectiveValue"] == 0.5
    assert len(tries.read_text().splitlines()) == 2


def test_times_and_states_are_in_order(jobs: Jobs) -> None:
    job = jobs.ended(jobs.submit("report(1, 1.0)", {"maxTrials": 2}))
    for time_ in (job["createTime"], job["startTime"], job["endTime"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", time_)
    assert job["createTime"] <= job["startTime"] <= job["endTime"]
    assert all(
        job["startTime"] <= trial["startTime"] <= trial["endTime"] <= job["endTime"]
        for trial in job["trainingOutput"]["trials"]
    )


def test_a_stopped_service_leaves_its_trials_running_and_finds_them_again(tmp_path: Path) -> None:
    source = """
report(1, 0.5)
while not os.path.exists(sys.argv[-1] + "/go"):
    time.sleep(0.02)
report(2, 0.75)
"""
    with RunningService(tmp_path / "data", slots=2) as service, service.client() as client:
        jobs = Jobs(client, tmp_path)
        job_id = jobs.submit(source, {"maxTrials": 1})
        jobs.wait(job_id, _measured)
        # The trial would go on for ever: a service that waited for it would not stop in time.
        assert service.stop() == 0
    assert len(_processes_under(job_id)) >= 1
    (tmp_path / job_id / "1" / "go").touch()
    wait_until(lambda: not _processes_under(job_id))
    with RunningService(tmp_path / "data", slots=2) as service, service.client() as client:
        [trial] = Jobs(client, tmp_path).trials(job_id)
        assert service.stop() == 0
    assert trial["state"] == "SUCCEEDED"
    assert [point["objectiveValue"] for point in trial["allMetrics"]] == [0.5, 0.75]


def test_a_second_service_on_the_same_folder_is_refused(service: RunningService) -> None:
    assert service.address
    command = [sys.executable, "-m", "cli.main", "serve", "--port", "0", "--data-dir", str(service.data_dir)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 1
    assert "Another service is using the data folder" in ran.stderr


def test_anything_but_loopback_is_refused_while_there_is_no_authentication(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cli.main", "serve", "--host", "0.0.0.0", "--data-dir", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 1
    assert "no authentication" in ran.stderr


def _measured(job: dict[str, Any]) -> list[dict[str, Any]]:
    trials = job.get("trainingOutput", {}).get("trials", [])
    return [trial for trial in trials if "finalMetric" in trial]


def _processes_under(job_id: str) -> list[int]:
    """Live processes that were started for the job, however far they have gone from it."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            environment = Path("/proc", entry, "environ").read_bytes()
        except OSError:
            continue
        if f"/{job_id}/".encode() in environment and b"VERNIER_PROCESS_GROUP=" in environment:
            found.append(int(entry))
    return found


def _read(path: Path) -> Any:
    return json.loads(path.read_text())
