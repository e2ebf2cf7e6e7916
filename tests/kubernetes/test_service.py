"""`vernier serve --launcher kubernetes`: jobs of images on a real node, from the request to the result."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.kubernetes.images import PYTHON
from tests.kubernetes.node import Cluster
from tests.running_service import RunningService, wait_until

TRAINER = """
import json, os, sys
flags = dict(each[2:].split("=") for each in sys.argv[1:] if "=" in each)
job_dir = sys.argv[sys.argv.index("--job-dir") + 1]
open(os.path.join(job_dir, "model"), "w").write("weights")
print("trial", os.environ["CLOUD_ML_TRIAL_ID"], flush=True)
with open(os.environ["CLOUD_ML_HP_METRIC_FILE"], "w") as file:
    for step in (1, 2):
        told = {"timestamp": 1.0, "trial": "1", "score": float(flags["x"]) * step, "global_step": str(step)}
        file.write(json.dumps(told) + "\\n")
"""


@pytest.fixture
def http(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[httpx.Client]:
    """Of a service that shares a volume with its pods; or that shares none, with the parameter False."""
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig("admin")))
    data = tmp_path / "data"
    has_volume = getattr(request, "param", True)
    settings: dict[str, str | float] = {
        "launcher": "kubernetes",
        **({"kubernetes_host_path": str(data)} if has_volume else {}),
        "kubernetes_cpu": "10m",
        "kubernetes_memory": "64Mi",
        "stop_grace_seconds": 1,
    }
    with RunningService(data, **settings) as service, service.client() as http:
        yield http
        assert service.stop() == 0


def _ended(http: httpx.Client, job_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        job: dict[str, Any] = http.get(f"/jobs/{job_id}").json()
        return job if job["state"] in ("SUCCEEDED", "FAILED", "CANCELLED") else None

    job = wait_until(look, 60)
    assert job is not None
    return job


def _job(job_id: str, source: str, tmp_path: Path, **training: Any) -> dict[str, Any]:
    config = {"imageUri": PYTHON, "containerCommand": ["python3", "-c", source]}
    fixed = {"masterConfig": config, "region": "local", "scaleTier": "CUSTOM", "masterType": "standard"}
    return {"jobId": job_id, "trainingInput": fixed | training}


def test_a_tuning_job_a_failing_one_and_one_that_is_cancelled(http: httpx.Client, tmp_path: Path) -> None:
    out = tmp_path / "data" / "out"
    hyperparameters = {
        "goal": "MAXIMIZE",
        "hyperparameterMetricTag": "score",
        "maxTrials": 3,
        "maxParallelTrials": 3,
        "params": [{"parameterName": "x", "type": "DOUBLE", "minValue": 0.5, "maxValue": 1.5}],
    }
    tuning = _job("tuning", TRAINER, tmp_path, jobDir=str(out), hyperparameters=hyperparameters)
    failing = _job("failing", "import sys; print('no data', file=sys.stderr); sys.exit(3)", tmp_path)
    endless = _job("endless", "import time; time.sleep(1000)", tmp_path)
    for job in (tuning, failing, endless):
        answer = http.post("/jobs", json=job)
        assert answer.status_code == 200, answer.text

    job = _ended(http, "tuning")
    assert job["state"] == "SUCCEEDED", job
    trials = job["trainingOutput"]["trials"]
    assert len(trials) == 3
    for trial in trials:
        best = 2 * float(trial["hyperparameters"]["x"])
        assert trial["finalMetric"] == {"trainingStep": "2", "objectiveValue": pytest.approx(best)}
        assert (out / trial["trialId"] / "model").read_text() == "weights"
        assert os.stat(out / trial["trialId"] / "model").st_uid != 0

    job = _ended(http, "failing")
    assert job["state"] == "FAILED"
    assert "exited with a non-zero status of 3" in job["errorMessage"]
    assert "no data" in job["errorMessage"]

    wait_until(lambda: http.get("/jobs/endless").json()["state"] == "RUNNING", 30)
    assert http.post("/jobs/endless:cancel", json={}).status_code == 200
    assert _ended(http, "endless")["state"] == "CANCELLED"


TALKATIVE = """
import json, os
lines = []
for step in range(1, 101):
    told = {"timestamp": 1.0 + step, "trial": "1", "score": str(step / 100), "global_step": str(step)}
    lines.append(json.dumps(told) + "\\n")
    with open(os.environ["CLOUD_ML_HP_METRIC_FILE"], "w") as file:
        file.writelines(lines)
open("here", "w").write("may be written")
"""


@pytest.mark.parametrize("http", [False], indirect=True)
def test_without_a_volume_the_newest_reports_come_when_a_trial_has_ended(
    http: httpx.Client, tmp_path: Path
) -> None:
    hyperparameters = {
        "goal": "MAXIMIZE",
        "hyperparameterMetricTag": "score",
        "maxTrials": 2,
        "maxParallelTrials": 2,
        "params": [{"parameterName": "x", "type": "DOUBLE", "minValue": 0.5, "maxValue": 1.5}],
    }
    source = f"import os; os.chdir('/vernier/work'){TALKATIVE}"
    bodies = (
        _job("alone", source, tmp_path, hyperparameters=hyperparameters),
        _job("in_a_directory", "pass", tmp_path, jobDir="/somewhere"),
    )
    for body in bodies:
        answer = http.post("/jobs", json=body)
        assert answer.status_code == 200, answer.text
    job = _ended(http, "alone")
    assert job["state"] == "SUCCEEDED", job
    for trial in job["trainingOutput"]["trials"]:
        assert trial["finalMetric"] == {"trainingStep": "100", "objectiveValue": 1.0}
        steps = [int(each["trainingStep"]) for each in trial["allMetrics"]]
        assert steps == list(range(steps[0], 101)), "the newest, and no part of a line"
        assert len(steps) > 20
    job = _ended(http, "in_a_directory")
    assert job["state"] == "FAILED"
    assert "without a volume" in job["errorMessage"]
