"""The example of the README on a real node: its package, installed there, and event files on the volume."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from cli.packaging import build_package
from tests.kubernetes.images import RUNTIME, runtime
from tests.kubernetes.node import Cluster
from tests.running_service import RunningService, wait_until

DIGITS = Path(__file__).parents[2] / "examples" / "digits"


@pytest.fixture
def http(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    cluster.add_image(runtime())
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig("admin")))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    data = tmp_path / "data"
    settings: dict[str, str | float] = {
        "launcher": "kubernetes",
        "kubernetes_host_path": str(data),
        "kubernetes_runtimes": f'{{"2.11": "{RUNTIME}"}}',
        "kubernetes_cpu": "500m",
        "kubernetes_memory": "512Mi",
        "stop_grace_seconds": 1,
    }
    with RunningService(data, **settings) as service, service.client() as http:
        yield http


@pytest.mark.timeout(600)  # Half a minute on a machine that has nothing else to do.
def test_the_digits_example_tunes_on_a_cluster(http: httpx.Client, tmp_path: Path) -> None:
    training: dict[str, Any] = yaml.safe_load((DIGITS / "job.yaml").read_text())["trainingInput"]
    training["hyperparameters"] |= {"maxTrials": 2, "maxParallelTrials": 2}
    out = tmp_path / "data" / "out"
    training |= {
        "packageUris": [str(build_package(DIGITS / "trainer", tmp_path))],
        "pythonModule": "trainer.task",
        "jobDir": str(out),
        "runtimeVersion": "2.11",
        "region": "local",
    }
    answer = http.post("/jobs", json={"jobId": "digits", "trainingInput": training})
    assert answer.status_code == 200, answer.text

    def ended() -> dict[str, Any] | None:
        job: dict[str, Any] = http.get("/jobs/digits").json()
        return job if job["state"] in ("SUCCEEDED", "FAILED", "CANCELLED") else None

    job = wait_until(ended, 500)
    assert job is not None
    assert job["state"] == "SUCCEEDED", job
    trials = job["trainingOutput"]["trials"]
    assert len(trials) == 2
    for trial in trials:
        if not trial.get("isTrialStoppedEarly"):
            assert 0.0 < trial["finalMetric"]["objectiveValue"] <= 1.0
        assert trial["allMetrics"]
        assert list((out / trial["trialId"]).rglob("events.out.tfevents.*"))


def test_what_asks_for_another_runtime_is_refused_at_the_door(http: httpx.Client) -> None:
    training = {
        "pythonModule": "trainer.task",
        "packageUris": ["/p"],
        "region": "local",
        "runtimeVersion": "1.15",
    }
    answer = http.post("/jobs", json={"jobId": "old", "trainingInput": training})
    assert answer.status_code == 400
    assert "VERNIER_KUBERNETES_RUNTIMES has 2.11" in answer.text
