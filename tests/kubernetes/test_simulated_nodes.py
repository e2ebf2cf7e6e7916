"""Nodes that are played do to pods what real ones do."""

import math
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.kubernetes.cluster import ControlPlane
from tests.kubernetes.simulated_nodes import Run, SimulatedNodes
from tests.running_service import wait_until

JOBS, PODS = "/apis/batch/v1/namespaces/default/jobs", "/api/v1/namespaces/default/pods"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def http(control_plane: ControlPlane) -> Iterator[httpx.Client]:
    def program(pod: Json) -> Run:
        seconds, status = pod["spec"]["containers"][0]["args"]
        return Run(math.inf if seconds == "inf" else float(seconds), int(status), "one\ntwo\n")

    with SimulatedNodes(control_plane, program) as nodes, control_plane.client() as http:
        nodes.add("simulated", gpus=8)
        yield http
        http.delete(JOBS, params={"propagationPolicy": "Background"})
        wait_until(lambda: not http.get(PODS).json()["items"])
        http.delete("/api/v1/nodes/simulated")


def submit(http: httpx.Client, name: str, seconds: str, status: int, gpus: int = 1, pods: int = 1) -> None:
    container = {
        "name": "trial",
        "image": "none",
        "args": [seconds, str(status)],
        "resources": {"limits": {"nvidia.com/gpu": str(gpus)}},
    }
    spec = {"restartPolicy": "Never", "containers": [container]}
    job = {
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "parallelism": pods, "completions": pods, "template": {"spec": spec}},
    }
    answer = http.post(JOBS, json=job)
    assert answer.status_code == 201, answer.text


def counted(http: httpx.Client, name: str, what: str) -> int:
    return int(http.get(f"{JOBS}/{name}").json()["status"].get(what, 0))


def pods_of(http: httpx.Client, name: str) -> list[Json]:
    found: list[Json] = http.get(PODS, params={"labelSelector": f"job-name={name}"}).json()["items"]
    return found


def test_pods_end_with_their_status_and_leave_a_log(http: httpx.Client) -> None:
    submit(http, "well", "0.1", 0)
    submit(http, "badly", "0.1", 3)
    wait_until(lambda: counted(http, "well", "succeeded") == 1, 20)
    wait_until(lambda: counted(http, "badly", "failed") == 1, 20)
    pod = pods_of(http, "badly")[0]
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3
    log = http.get(f"{PODS}/{pod['metadata']['name']}/log", params={"timestamps": "true"}).text
    assert [line.partition(" ")[2] for line in log.splitlines()] == ["one", "two"]


def test_gpus_are_counted(http: httpx.Client) -> None:
    submit(http, "crowd", "inf", 0, gpus=3, pods=3)
    wait_until(lambda: counted(http, "crowd", "ready") == 2, 20)
    waiting = [pod for pod in pods_of(http, "crowd") if not pod["spec"].get("nodeName")]
    assert len(waiting) == 1
    http.delete(f"{JOBS}/crowd", params={"propagationPolicy": "Background"})
    wait_until(lambda: not pods_of(http, "crowd"), 20)


def test_what_runs_too_long_is_ended(http: httpx.Client) -> None:
    submit(http, "long", "inf", 0)
    wait_until(lambda: counted(http, "long", "ready") == 1, 20)
    name = pods_of(http, "long")[0]["metadata"]["name"]
    change = {"spec": {"activeDeadlineSeconds": 1}}
    http.patch(f"{PODS}/{name}", json=change, headers={"Content-Type": "application/merge-patch+json"})
    wait_until(lambda: counted(http, "long", "failed") == 1, 20)
    assert pods_of(http, "long")[0]["status"]["reason"] == "DeadlineExceeded"
