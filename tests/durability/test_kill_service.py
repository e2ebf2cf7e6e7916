"""The service is killed, at any moment, again and again; the job does not notice."""

import json
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from store.database import Database
from store.models import Attempt, Job
from tests.running_service import RunningService, wait_until
from tests.trainer_packages import write_trainer

TRIALS, STEPS, KILLS = 30, 8, 10

# Odd trials report through event files, even ones through hypertune's file.
TRAINER = f"""
import argparse, json, os, time

parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
parser.add_argument("--job-dir")
flags = parser.parse_args()
trial = int(os.environ["CLOUD_ML_TRIAL_ID"])

def note(what):
    with open(os.path.join(flags.job_dir, "..", "notes.jsonl"), "a") as notes:
        notes.write(json.dumps({{"trial": trial, "what": what, "pid": os.getpid()}}) + "\\n")

if trial % 2:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter
    out = open(os.path.join(flags.job_dir, "events.out.tfevents.1.host"), "wb")
    records = RecordWriter(out)
    def report(step, value):
        scalar = Summary(value=[Summary.Value(tag="score", simple_value=value)])
        records.write(Event(wall_time=time.time(), step=step, summary=scalar).SerializeToString())
        out.flush()
else:
    out = open(os.environ["CLOUD_ML_HP_METRIC_FILE"], "a")
    def report(step, value):
        record = {{"timestamp": time.time(), "global_step": str(step), "score": str(value)}}
        out.write(json.dumps(record) + "\\n")
        out.flush()

note("start")
for step in range(1, {STEPS} + 1):
    report(step, trial + step / 16)
    time.sleep(0.2)
note("end")
"""


def job_body(package: str, job_dir: Path) -> dict[str, Any]:
    return {
        "jobId": "survivor",
        "trainingInput": {
            "packageUris": [package],
            "pythonModule": "trainer.task",
            "jobDir": str(job_dir),
            "hyperparameters": {
                "goal": "MAXIMIZE",
                "hyperparameterMetricTag": "score",
                "maxTrials": TRIALS,
                "maxParallelTrials": 4,
                "params": [{"parameterName": "x", "type": "DOUBLE", "minValue": 0, "maxValue": 1}],
            },
        },
    }


@pytest.mark.timeout(240)
def test_a_job_survives_ten_kills_of_the_service_at_random_moments(tmp_path: Path) -> None:
    # Leaving a RunningService that has not been stopped kills it.
    seed = int(os.environ.get("VERNIER_TEST_SEED", random.SystemRandom().randrange(10**6)))
    print(f"to replay: VERNIER_TEST_SEED={seed}")
    moments = random.Random(seed)
    package = write_trainer(tmp_path / "source", TRAINER)
    data_dir, job_dir = tmp_path / "data", tmp_path / "runs"

    with RunningService(data_dir, slots=4) as service, service.client() as client:
        assert client.post("/jobs", json=job_body(package, job_dir)).status_code == 200
        _sleep(moments.uniform(0.0, 1.0))
    for kill in range(1, KILLS):
        assert not _has_ended(data_dir), "a kill after the job's end would prove nothing"
        with RunningService(data_dir, slots=4):
            # Some moments fall before the new service has finished starting: those count too.
            _sleep(moments.uniform(0.0, 1.0) if kill % 3 else moments.uniform(1.0, 3.0))
    assert not _has_ended(data_dir), "a kill after the job's end would prove nothing"
    with RunningService(data_dir, slots=4) as service, service.client() as client:
        job = wait_until(lambda: _ended(client.get("/jobs/survivor").json()), 120)
        assert service.stop() == 0

    assert job["state"] == "SUCCEEDED", job.get("errorMessage")
    _check_trials(job["trainingOutput"])
    _check_each_ran_once(job_dir)
    _check_attempts(data_dir)


def _sleep(seconds: float) -> None:
    """The fault's moment is random by design; nothing is waited for."""
    from time import sleep

    sleep(seconds)


def _ended(job: dict[str, Any]) -> dict[str, Any] | None:
    return job if job["state"] in ("SUCCEEDED", "FAILED", "CANCELLED") else None


def _has_ended(data_dir: Path) -> bool:
    database = Database(f"sqlite:///{data_dir / 'vernier.sqlite3'}")
    with database.read() as session:
        ended = session.scalar(select(Job.end_time)) is not None
    database.close()
    return ended


def _check_trials(output: dict[str, Any]) -> None:
    assert output["completedTrialCount"] == str(TRIALS)
    numbers = [int(trial["trialId"]) for trial in output["trials"]]
    assert numbers == list(range(TRIALS, 0, -1)), "all there, the best first"
    for trial in output["trials"]:
        number = int(trial["trialId"])
        measured = [(int(point["trainingStep"]), point["objectiveValue"]) for point in trial["allMetrics"]]
        assert measured == [(step, number + step / 16) for step in range(1, STEPS + 1)], f"trial {number}"
        assert trial["finalMetric"] == trial["allMetrics"][-1]
        assert trial["state"] == "SUCCEEDED"


def _check_each_ran_once(job_dir: Path) -> None:
    notes = [json.loads(line) for line in (job_dir / "notes.jsonl").read_text().splitlines()]
    counted = Counter((note["trial"], note["what"]) for note in notes)
    assert counted == {(trial, what): 1 for trial in range(1, TRIALS + 1) for what in ("start", "end")}
    alive = 0
    for note in notes:
        alive += 1 if note["what"] == "start" else -1
        assert alive <= 4


def _check_attempts(data_dir: Path) -> None:
    database = Database(f"sqlite:///{data_dir / 'vernier.sqlite3'}")
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Attempt)) == TRIALS
    database.close()
