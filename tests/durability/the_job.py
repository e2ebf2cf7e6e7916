"""The job that tests of faults disturb, and what must be so at its end as if they had not.

A trial waits at one of its steps until it may go on, so that what is disturbed is the middle of the job.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from tests.running_service import wait_until
from tests.trainer_packages import write_trainer

TRIALS, AT_ONCE, STEPS = 6, 3, 5
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")

TRAINER = f"""
import json, os, sys, time

trial = int(os.environ["CLOUD_ML_TRIAL_ID"])
folder = os.path.dirname(sys.argv[-1])

def note(what):
    with open(os.path.join(folder, "notes.jsonl"), "a") as file:
        file.write(json.dumps({{"trial": trial, "what": what}}) + "\\n")

note("start")
for step in range(1, {STEPS} + 1):
    record = {{"timestamp": time.time(), "global_step": str(step), "score": str(trial + step / 16)}}
    with open(os.environ["CLOUD_ML_HP_METRIC_FILE"], "a") as out:
        out.write(json.dumps(record) + "\\n")
    while step == HOLD and not os.path.exists(os.path.join(folder, "go")):
        time.sleep(0.02)
note("end")
"""


class TheJob:
    """One such job of a service, in a folder of its own."""

    def __init__(self, http: httpx.Client, folder: Path, name: str) -> None:
        self._http = http
        self._folder = folder
        self._name = name
        (folder / "runs").mkdir(exist_ok=True)

    def over(self, http: httpx.Client) -> "TheJob":
        """The same job, of a service that came later."""
        return TheJob(http, self._folder, self._name)

    def submit(self, hold_at: int = 3, package_bytes: int = 0) -> None:
        """
        Args:
            hold_at: the step that each trial reports before it waits.
            package_bytes: how large its package is to be at least.
        """
        package = write_trainer(self._folder / "package", f"HOLD = {hold_at}\n{TRAINER}")
        # What stands before a zip archive is not looked at.
        Path(package).write_bytes(bytes(package_bytes) + Path(package).read_bytes())
        training = {
            "packageUris": [package],
            "pythonModule": "trainer.task",
            "jobDir": str(self._folder / "runs"),
            "hyperparameters": {
                "goal": "MAXIMIZE",
                "hyperparameterMetricTag": "score",
                "maxTrials": TRIALS,
                "maxParallelTrials": AT_ONCE,
                "params": [{"parameterName": "x", "type": "DOUBLE", "minValue": 0, "maxValue": 1}],
            },
        }
        answer = self._http.post("/jobs", json={"jobId": self._name, "trainingInput": training})
        assert answer.status_code == 200, answer.text

    def get(self) -> dict[str, Any]:
        job: dict[str, Any] = self._http.get(f"/jobs/{self._name}").json()
        return job

    def notes(self) -> list[dict[str, Any]]:
        file = self._folder / "runs" / "notes.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def reach_the_middle(self) -> None:
        wait_until(lambda: len(self.notes()) == AT_ONCE)

    def go_on(self) -> None:
        (self._folder / "runs" / "go").touch()

    def ends_as_ever(self) -> None:
        self.go_on()
        job = wait_until(lambda: job if (job := self.get()).get("state") in ENDED else None)
        assert job is not None
        assert job["state"] == "SUCCEEDED", job.get("errorMessage")
        trials = job["trainingOutput"]["trials"]
        assert [int(trial["trialId"]) for trial in trials] == list(range(TRIALS, 0, -1))
        for trial in trials:
            number = int(trial["trialId"])
            steps = [(int(point["trainingStep"]), point["objectiveValue"]) for point in trial["allMetrics"]]
            assert steps == [(step, number + step / 16) for step in range(1, STEPS + 1)]
        counted = Counter((note["trial"], note["what"]) for note in self.notes())
        assert counted == {(trial, what): 1 for trial in range(1, TRIALS + 1) for what in ("start", "end")}
        live = most = 0
        for note in self.notes():
            live += 1 if note["what"] == "start" else -1
            most = max(most, live)
        assert most <= AT_ONCE
