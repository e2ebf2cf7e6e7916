"""The cluster that the tests stand on is a real one, and is gone afterwards."""

import subprocess
from pathlib import Path

from tests.kubernetes.images import PYTHON
from tests.kubernetes.node import Cluster
from tests.running_service import wait_until

JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "three"},
    "spec": {
        "completions": 3,
        "parallelism": 3,
        "completionMode": "Indexed",
        "backoffLimit": 0,
        "template": {
            "spec": {
                "restartPolicy": "Never",
                "containers": [
                    {
                        "name": "trial",
                        "image": PYTHON,
                        "imagePullPolicy": "Never",
                        "command": ["python3", "-c", "import json, sqlite3, ssl; print('hello')"],
                        "resources": {"limits": {"nvidia.com/gpu": 1}},
                    }
                ],
            }
        },
    },
}


def test_pods_run_on_a_node_whose_gpus_are_counted() -> None:
    with Cluster() as cluster, cluster.client() as http:
        cluster.add_gpus(2)
        jobs = "/apis/batch/v1/namespaces/default/jobs"
        answer = http.post(jobs, json=JOB)
        assert answer.status_code == 201, answer.text

        def status() -> dict[str, int]:
            told: dict[str, int] = http.get(f"{jobs}/three").json()["status"]
            return told

        wait_until(lambda: status().get("succeeded", 0) + status().get("failed", 0) == 3)
        assert status().get("failed", 0) == 0
        pods = http.get("/api/v1/namespaces/default/pods").json()["items"]
        logs = [
            http.get(f"/api/v1/namespaces/default/pods/{pod['metadata']['name']}/log").text for pod in pods
        ]
        assert logs == ["hello\n"] * 3
        home = cluster.home
    assert not home.exists()
    assert str(home) not in Path("/proc/mounts").read_text()
    assert "vernier" not in subprocess.run(["ip", "netns"], capture_output=True, text=True).stdout
