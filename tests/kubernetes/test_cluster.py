"""The cluster that the tests stand on is a real one."""

from pathlib import Path

from tests.kubernetes.images import PYTHON
from tests.kubernetes.leftovers import left_of
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


def test_pods_run_on_a_node_whose_gpus_are_counted(cluster: Cluster) -> None:
    with cluster.client() as http:
        cluster.set_gpus(2)
        jobs = "/apis/batch/v1/namespaces/default/jobs"
        answer = http.post(jobs, json=JOB)
        assert answer.status_code == 201, answer.text

        def status() -> dict[str, int]:
            told: dict[str, int] = http.get(f"{jobs}/three").json()["status"]
            return told

        wait_until(lambda: status().get("succeeded", 0) + status().get("failed", 0) == 3, 60)
        assert status().get("failed", 0) == 0
        mine = {"labelSelector": "job-name=three"}
        pods = http.get("/api/v1/namespaces/default/pods", params=mine).json()["items"]
        logs = [
            http.get(f"/api/v1/namespaces/default/pods/{pod['metadata']['name']}/log").text for pod in pods
        ]
        assert logs == ["hello\n"] * 3
        http.delete(f"{jobs}/three", params={"propagationPolicy": "Background"})
        cluster.set_gpus(0)


def test_a_node_takes_away_what_a_killed_one_has_left(killed_node: Path, cluster: Cluster) -> None:
    assert left_of(cluster.home) != []
    assert left_of(killed_node) == []
