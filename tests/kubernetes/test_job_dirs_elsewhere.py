"""Trials of a real node whose job dir is in S3, and whose metrics reach the service from there."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tensorboard.summary import Writer

from tests.kubernetes.images import PYTHON
from tests.kubernetes.node import Cluster
from tests.object_stores.conftest import s3_client
from tests.object_stores.servers import Minio
from tests.running_service import RunningService, wait_until

TRAINER = """
import base64, json, os, sys, urllib.request
job_dir = sys.argv[sys.argv.index("--job-dir") + 1]
assert job_dir.startswith("s3://trials/runs/"), job_dir
address = os.environ["AWS_ENDPOINT_URL"] + job_dir.removeprefix("s3:/") + "/eval/events.out.tfevents.1"
events = base64.b64decode("{events}")
urllib.request.urlopen(urllib.request.Request(address, events, method="PUT"), timeout=30)
with open(os.environ["CLOUD_ML_HP_METRIC_FILE"], "w") as file:
    told = {{"timestamp": 1.0, "trial": "1", "score": "0.9", "global_step": "9"}}
    file.write(json.dumps(told) + "\\n")
"""


@pytest.fixture
def minio(cluster: Cluster) -> Iterator[Minio]:
    """An S3 server that pods reach, with a bucket in which anybody may write."""
    with Minio(cluster.machine) as server:
        s3 = s3_client(server)
        s3.create_bucket(Bucket="trials")
        anybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject"}
        policy = {"Version": "2012-10-17", "Statement": [{**anybody, "Resource": "arn:aws:s3:::trials/*"}]}
        s3.put_bucket_policy(Bucket="trials", Policy=json.dumps(policy))
        yield server


@pytest.fixture
def http(
    cluster: Cluster, minio: Minio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[httpx.Client]:
    with cluster.client() as api:
        secret = {"metadata": {"name": "store"}, "stringData": {"AWS_ENDPOINT_URL": minio.address}}
        assert api.post("/api/v1/namespaces/default/secrets", json=secret).status_code == 201
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig("admin")))
    for name, value in minio.environment.items():
        monkeypatch.setenv(name, value)
    data = tmp_path / "data"
    settings: dict[str, str | float] = {
        "launcher": "kubernetes",
        "kubernetes_host_path": str(data),
        "kubernetes_secrets": "store",
        "kubernetes_cpu": "10m",
        "kubernetes_memory": "64Mi",
    }
    with RunningService(data, **settings) as service, service.client() as http:
        yield http
        assert service.stop() == 0
    with cluster.client() as api:
        api.delete("/api/v1/namespaces/default/secrets/store")


def test_event_files_in_s3_and_the_hypertune_file_are_both_read(http: httpx.Client, tmp_path: Path) -> None:
    writer = Writer(str(tmp_path / "events"))
    writer.add_scalar("score", 0.7, 7)
    writer.close()
    (file,) = (tmp_path / "events").iterdir()
    source = TRAINER.format(events=base64.b64encode(file.read_bytes()).decode())
    body = {
        "masterConfig": {"imageUri": PYTHON, "containerCommand": ["python3", "-c", source]},
        "scaleTier": "CUSTOM",
        "masterType": "standard",
        "jobDir": "s3://trials/runs",
        "hyperparameters": {
            "goal": "MAXIMIZE",
            "hyperparameterMetricTag": "score",
            "maxTrials": 2,
            "maxParallelTrials": 2,
            "params": [{"parameterName": "x", "type": "DOUBLE", "minValue": 0.5, "maxValue": 1.5}],
        },
    }
    answer = http.post("/jobs", json={"jobId": "in_s3", "trainingInput": body})
    assert answer.status_code == 200, answer.text
    wait_until(lambda: http.get("/jobs/in_s3").json()["state"] in ("SUCCEEDED", "FAILED"))
    job = http.get("/jobs/in_s3").json()
    assert job["state"] == "SUCCEEDED", job
    for trial in job["trainingOutput"]["trials"]:
        steps = {each["trainingStep"]: each["objectiveValue"] for each in trial["allMetrics"]}
        assert steps == {"7": pytest.approx(0.7), "9": 0.9}
