"""Jobs that need more of the machine than is free have their turn; those that take more than they may end."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jobs.conftest import Jobs
from tests.jobs.test_logs_of_jobs import log_of, message
from tests.running_service import RunningService

GPU = {"scaleTier": "BASIC_GPU"}
# Tells when it began and ended, on which devices; holds them until there is a file `go` beside the packages.
HOLDING = """
from pathlib import Path
out = Path(sys.argv[-1])
(out / "devices").write_text(os.environ["CUDA_VISIBLE_DEVICES"])
while not (out.parent / "go").exists() and not (out.parent.parent / "go").exists():
    time.sleep(0.01)
report(1, 1.0)
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    with RunningService(
        folder, slots=3, gpus="4,7", memory_mb=1000, max_output_bytes=500_000, stop_grace_seconds=2
    ) as service:
        yield service
        assert service.stop() == 0


def _devices(folder: Path) -> list[str]:
    return sorted(file.read_text() for file in folder.rglob("devices"))


def test_trials_take_devices_of_their_own_and_shares_of_them_together(
    jobs: Jobs, service: RunningService
) -> None:
    whole = jobs.submit(HOLDING, **GPU)
    jobs.wait(whole, lambda _: _devices(jobs.folder) == ["4"])
    halves = {"labels": {"vernier-gpu-percent": "50"}}
    body = {
        "jobId": "halves",
        **halves,
        "trainingInput": {
            **jobs.get(whole)["trainingInput"],
            "jobDir": str(jobs.folder / "halves"),
            "hyperparameters": {
                "hyperparameterMetricTag": "score",
                "maxTrials": 3,
                "maxParallelTrials": 3,
                "params": [{"parameterName": "x", "type": "DOUBLE", "minValue": 0.0, "maxValue": 1.0}],
            },
        },
    }
    assert jobs.client.post("/jobs", json=body).status_code == 200
    jobs.wait("halves", lambda _: _devices(jobs.folder) == ["4", "7", "7"])
    waiting = jobs.submit(HOLDING, **GPU)
    jobs.wait(
        waiting, lambda _: any("Waiting for room" in message(e) for e in log_of(jobs, service, waiting))
    )
    assert jobs.get(waiting)["state"] == "PREPARING", "it has not begun, so maxRunningTime does not count"
    assert _devices(jobs.folder) == ["4", "7", "7"], "a third half waits, and so does a whole one"
    last = jobs.submit(HOLDING, **GPU)
    jobs.wait(last, lambda job: job.get("jobPosition") == "2" and job["state"] == "PREPARING")
    shown = jobs.wait(waiting, lambda job: "waitReason" in job)
    assert shown["jobPosition"] == "1"
    assert shown["waitReason"] == (
        "A trial needs 1 CPU slot and 1 GPU; free are 0 of 3 CPU slots and 0 of 2 GPUs."
    )
    jobs.cancel(waiting)
    jobs.wait(last, lambda job: job.get("jobPosition") == "1")
    waiting = last
    (jobs.folder / "go").touch()
    for job_id in (whole, "halves", waiting):
        assert jobs.ended(job_id)["state"] == "SUCCEEDED"
    said = [message(entry) for entry in log_of(jobs, service, waiting)]
    assert said.count("Waiting for room on this machine: a trial needs 1 CPU slot and 1 GPU.") == 1


def test_trials_get_memory_in_turns(jobs: Jobs, service: RunningService) -> None:
    def submit(job_id: str, memory: str) -> str:
        training = {"packageUris": [jobs.package(HOLDING)], "pythonModule": "trainer.task"}
        training["jobDir"] = str(jobs.folder / job_id / "out")
        (jobs.folder / job_id).mkdir()
        body = {"jobId": job_id, "labels": {"vernier-memory-mb": memory}, "trainingInput": training}
        assert jobs.client.post("/jobs", json=body).status_code == 200
        return job_id

    large = submit("large", "600")
    jobs.wait(large, lambda _: (jobs.folder / large / "out" / "devices").exists())
    next_, small = submit("next", "500"), submit("small", "450")
    shown = jobs.wait(next_, lambda job: "waitReason" in job)
    assert "free are 2 of 3 CPU slots and 400 of 1000 MB of memory" in shown["waitReason"]
    jobs.wait(small, lambda job: "waitReason" in job)
    jobs.cancel(next_)
    (jobs.folder / large / "go").touch()
    jobs.wait(small, lambda _: (jobs.folder / small / "out" / "devices").exists())
    (jobs.folder / small / "go").touch()
    assert [jobs.ended(each)["state"] for each in (large, next_, small)] == [
        "SUCCEEDED",
        "CANCELLED",
        "SUCCEEDED",
    ]


def test_a_trial_that_asks_for_no_device_sees_none(jobs: Jobs) -> None:
    job_id = jobs.submit(
        "from pathlib import Path; Path(sys.argv[-1], 'env').write_text(json.dumps(dict(os.environ)))"
    )
    jobs.ended(job_id)
    assert json.loads((jobs.folder / job_id / "env").read_text())["CUDA_VISIBLE_DEVICES"] == ""


@pytest.mark.parametrize(
    ("training", "labels", "field", "said"),
    [
        (
            {"masterConfig": {"acceleratorConfig": {"type": "NVIDIA_TESLA_T4", "count": "3"}}},
            {},
            "master_config.accelerator_config.count",
            "Each master would have 3 GPUs; this machine has 2 (VERNIER_GPUS).",
        ),
        (
            {
                "workerType": "n1-standard-4",
                "workerCount": "5",
                "workerConfig": {"acceleratorConfig": {"type": "NVIDIA_TESLA_T4", "count": "1"}},
            },
            {"vernier-gpu-percent": "50"},
            "worker_config.accelerator_config.count",
            "would have 5 GPUs; with 50 percent of each, this machine has 4 (VERNIER_GPUS).",
        ),
        (
            {"workerType": "n1-standard-4", "workerCount": "1"},
            {"vernier-memory-mb": "501"},
            "labels",
            "Each trial would have 1002 MB of memory; this machine has 1000 (VERNIER_MEMORY_MB).",
        ),
        ({}, {"vernier-memory-mb": "1e3"}, "labels", "must be a whole number of megabytes"),
        ({}, {"vernier-gpu-percent": "0"}, "labels", "must be a whole number from 1 to 100"),
        ({}, {"vernier-gpu-percent": "a-half"}, "labels", "must be a whole number from 1 to 100"),
    ],
)
def test_what_the_machine_never_has_is_refused(
    jobs: Jobs, training: dict[str, object], labels: dict[str, str], field: str, said: str
) -> None:
    given = {"packageUris": [jobs.package("")], "pythonModule": "trainer.task", **training}
    given |= {"scaleTier": "CUSTOM", "masterType": "n1-standard-4"}
    answer = jobs.client.post("/jobs", json={"jobId": "j", "labels": labels, "trainingInput": given})
    assert answer.status_code == 400
    (violation,) = answer.json()["error"]["details"][0]["fieldViolations"]
    assert violation["field"] == field
    assert said in violation["description"]


def test_a_trial_that_prints_without_end_fails_and_the_others_do_not(jobs: Jobs) -> None:
    source = "while trial == 2: print('x' * 99)\nreport(1, 1.0)"
    job_id = jobs.submit(source, {"maxTrials": 3, "maxParallelTrials": 2})
    trials = {trial["trialId"]: trial for trial in jobs.trials(job_id)}
    assert [trials[number]["state"] for number in "123"] == ["SUCCEEDED", "FAILED", "SUCCEEDED"]
    assert trials["2"]["errorMessage"] == (
        "The replica master 0 printed more than 500000 bytes (VERNIER_MAX_OUTPUT_BYTES) and was stopped."
    )
