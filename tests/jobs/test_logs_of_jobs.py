"""The logs of whole jobs on a running service: complete, each line once, in order, whatever happens."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.jobs.conftest import Jobs
from tests.running_service import RunningService, wait_until
from tests.trainer_packages import write_trainer

LINES = 50_000
"""More than one look takes in, by their number and by their bytes."""
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
MASTER = "master-replica-0"
WELL = ["Module completed; cleaning up.", "Clean up finished.", "Task completed successfully."]
"""What the replica of a program that ended with 0 says last."""

Entry = dict[str, Any]


def entries_of(
    http: httpx.Client, address: str, project: str, job_id: str, after: str = "", task: str = ""
) -> Iterator[Entry]:
    """What there is of a job's log, by pages."""
    where = f'resource.labels.job_id="{job_id}"{after}'
    if task:
        where += f' AND resource.labels.task_name="{task}"'
    body = {"resourceNames": [f"projects/{project}"], "filter": where, "pageSize": 1000}
    while True:
        answer = http.post(f"{address}/v2/entries:list", json=body).json()
        yield from answer.get("entries", [])
        if "nextPageToken" not in answer:
            return
        body["pageToken"] = answer["nextPageToken"]


def log_of(jobs: Jobs, service: RunningService, job_id: str, task: str = "") -> list[Entry]:
    project = jobs.client.base_url.path.rstrip("/").rpartition("/")[2]
    return list(entries_of(jobs.client, service.address, project, job_id, task=task))


def message(entry: Entry) -> str:
    return str(entry["jsonPayload"]["message"])


def test_a_job_tells_its_life_from_the_queue_to_the_end(jobs: Jobs, service: RunningService) -> None:
    job_id = jobs.submit('print("hello")', args=["--words", "a b"])
    jobs.ended(job_id)
    log = log_of(jobs, service, job_id)
    job_dir = jobs.folder / job_id
    assert [(entry["resource"]["labels"]["task_name"], message(entry)) for entry in log] == [
        ("service", "Validating job requirements..."),
        ("service", "Job creation request has been successfully validated."),
        ("service", f"Job {job_id} is queued."),
        ("service", "Waiting for job to be provisioned."),
        ("service", "Waiting for training program to start."),
        (MASTER, f"Running command: python -m trainer.task --words 'a b' --job-dir {job_dir}"),
        (MASTER, "hello"),
        *[(MASTER, said) for said in WELL],
        ("service", "Job completed successfully."),
    ]
    assert {entry["severity"] for entry in log} == {"INFO"}
    assert {entry["labels"]["ml.googleapis.com/trial_id"] for entry in log} == {""}
    assert [entry["timestamp"] for entry in log] == sorted(entry["timestamp"] for entry in log)


def test_a_failure_is_one_entry_with_the_whole_traceback_and_the_job_says_why(
    jobs: Jobs, service: RunningService
) -> None:
    source = """
import logging
logging.basicConfig()
logging.warning("careful")
print("between", flush=True)
try:
    {}["x"]
except KeyError as error:
    raise ValueError("first\\nsecond") from error
"""
    job_id = jobs.submit(source)
    job = jobs.ended(job_id)
    log = log_of(jobs, service, job_id)
    levels = {message(entry): entry["severity"] for entry in log}
    assert levels["WARNING:root:careful"] == "WARNING"
    assert levels["between"] == "INFO"
    (traceback,) = [message(entry) for entry in log if message(entry).startswith("Traceback")]
    assert levels[traceback] == "ERROR"
    assert "KeyError: 'x'\n\nThe above exception was the direct cause" in traceback
    assert traceback.endswith("ValueError: first\nsecond")
    assert message(log[-1]) == job["errorMessage"]
    assert log[-1]["severity"] == "ERROR"
    assert not set(WELL) & levels.keys()


def test_entries_tell_which_trial_they_are_of(jobs: Jobs, service: RunningService) -> None:
    source = """
for step in range(50):
    print(f"trial {trial} step {step}", flush=True)
    time.sleep(0.005)
report(1, trial)
if trial == 2: sys.exit(3)
"""
    job_id = jobs.submit(source, {"maxTrials": 3, "maxParallelTrials": 2})
    jobs.ended(job_id)
    log = log_of(jobs, service, job_id)
    for trial in ("1", "2", "3"):
        of_trial = [entry for entry in log if entry["labels"]["ml.googleapis.com/trial_id"] == trial]
        command, *lines, end = map(message, of_trial)
        assert command.startswith("Running command: python -m trainer.task --x=")
        assert lines == [
            *(f"trial {trial} step {step}" for step in range(50)),
            *([] if trial == "2" else WELL),
        ]
        said = f"Trial {trial} failed. The replica master 0 exited" if trial == "2" else f"Trial {trial} succ"
        assert end.startswith(said)
    assert message(log[-1]) == "Job completed successfully."


@pytest.mark.parametrize("state", ["RUNNING", "PREPARING"])
def test_a_cancelled_job_says_so(jobs: Jobs, service: RunningService, state: str) -> None:
    job_id = jobs.submit('print("begun", flush=True); time.sleep(60)')
    jobs.wait(job_id, lambda job: job["state"] in (state, "RUNNING"))
    jobs.cancel(job_id)
    jobs.ended(job_id)
    log = log_of(jobs, service, job_id)
    assert message(log[-1]) == "The job was cancelled by its user."


def test_a_job_whose_packages_can_not_be_installed_says_why(jobs: Jobs, service: RunningService) -> None:
    broken = jobs.folder / "broken.tar.gz"
    broken.write_bytes(b"no archive")
    job_id = jobs.submit("", packageUris=[str(broken)])
    job = jobs.ended(job_id)
    last = log_of(jobs, service, job_id)[-1]
    assert (message(last), last["severity"]) == (job["errorMessage"], "ERROR")


def test_fifty_thousand_lines_are_listed_while_they_are_printed_each_once_and_in_order(
    jobs: Jobs, service: RunningService
) -> None:
    source = f"""
for number in range({LINES}):
    print(f"step {{number}} loss 0.123")
    if number % 5000 == 0: time.sleep(0.05)
"""
    job_id = jobs.submit(source)
    project = jobs.client.base_url.path.rstrip("/").rpartition("/")[2]
    found: list[str] = []
    after = ""
    ended = False
    while True:
        # The end is looked at before the log: what is listed after the end is all.
        last_time = ended
        for entry in entries_of(jobs.client, service.address, project, job_id, after, MASTER):
            found.append(message(entry))
            stamp, number = entry["timestamp"], entry["insertId"]
            after = f' AND ((timestamp="{stamp}" AND insertId>"{number}") OR timestamp>"{stamp}")'
        if last_time:
            break
        ended = "endTime" in jobs.get(job_id)
    assert found[1:] == [*(f"step {number} loss 0.123" for number in range(LINES)), *WELL]


def test_a_log_survives_a_kill_of_the_service(tmp_path: Path) -> None:
    source = """
import sys, time
for number in range(800):
    print("out", number)
    print("ERROR:root:err", number, file=sys.stderr)
    time.sleep(0.001)
"""
    package = write_trainer(tmp_path / "source", source)
    body = {"jobId": "j", "trainingInput": {"packageUris": [package], "pythonModule": "trainer.task"}}

    def log(service: RunningService, http: httpx.Client) -> list[str]:
        return [message(entry) for entry in entries_of(http, service.address, "p", "j", task=MASTER)]

    # Leaving a RunningService kills it.
    with RunningService(tmp_path / "data", poll_seconds=0.05) as service, service.client() as client:
        assert client.post("/jobs", json=body).status_code == 200
        wait_until(lambda: len(log(service, client)) > 100)
    with RunningService(tmp_path / "data") as service, service.client() as client:
        wait_until(lambda: client.get("/jobs/j").json().get("state") in ENDED)
        command, *kept = log(service, client)
        assert service.stop() == 0
    assert (command, kept[-3:]) == ("Running command: python -m trainer.task", WELL)
    del kept[-3:]
    assert [text for text in kept if text.startswith("out")] == [f"out {n}" for n in range(800)]
    assert [text for text in kept if not text.startswith("out")] == [
        f"ERROR:root:err {n}" for n in range(800)
    ]


def test_the_command_streams_a_job_to_its_end(jobs: Jobs, service: RunningService) -> None:
    job_id = jobs.submit("for step in range(5): print('step', step, flush=True); time.sleep(0.1)")
    project = jobs.client.base_url.path.rstrip("/").rpartition("/")[2]
    command = [sys.executable, "-m", "cli.main", "jobs", "stream-logs", job_id, "--project", project]
    streamed = subprocess.run(
        [*command, "--api", service.address, "--polling-interval", "0.2"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert streamed.returncode == 0, streamed.stderr
    rows = [line.split("\t") for line in streamed.stdout.splitlines()]
    assert [row[4] for row in rows] == [message(entry) for entry in log_of(jobs, service, job_id)]
    assert rows[-1][4] == "Job completed successfully."
