"""Several jobs at once, of many trials with GPUs, while everything is disturbed that can be: nothing is lost.

The cluster is real but for its nodes, which are played. Its size is that of a test of a minute or two;
`VERNIER_TEST_TRIALS=1000` is 1,000 trials, 100 at once.
"""

import math
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.kubernetes import history
from tests.kubernetes.cluster import ControlPlane
from tests.kubernetes.simulated_nodes import Run, SimulatedNodes, arguments_of, environment_of
from tests.postgres_server import PostgresServer
from tests.redis_server import RedisServer
from tests.running_cluster import WORKERS, RunningCluster
from tests.running_service import wait_until
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.api import JOBS, Json

TRIALS = int(os.environ.get("VERNIER_TEST_TRIALS", "80"))
AT_ONCE = max(16, TRIALS // 10)
GPUS = (1, 1, 2, 4)
"""Of each job's trials."""
NODES = max(4, AT_ONCE // 4)
"""Of 8 GPUs each: as many as what is asked for at once needs."""
PATIENCE_SECONDS = 3 * TRIALS + 240
QUICK = {
    "kube-controller-manager": (
        "--node-monitor-grace-period=10s",
        "--node-monitor-period=1s",
        "--node-eviction-rate=1",
        "--secondary-node-eviction-rate=1",
        "--concurrent-job-syncs=10",
    ),
}
"""A node that says nothing is given up sooner than in a minute."""
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


@pytest.fixture
def control_plane() -> Iterator[ControlPlane]:
    """One whose API server goes away, and that remembers everything."""
    with ControlPlane({**history.FLAGS, **QUICK}) as control_plane:
        yield control_plane


@pytest.fixture
def service(
    control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningCluster]:
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig("admin")))
    data = tmp_path / "data"
    with (
        PostgresServer() as postgres,
        RedisServer() as redis,
        RunningCluster(
            data,
            postgres.url,
            redis.url,
            launcher="kubernetes",
            kubernetes_host_path=str(data),
            kubernetes_memory="64Mi",
            slots=AT_ONCE,
            lease_seconds=10,
            stop_grace_seconds=1,
            trouble_seconds=1,
            max_lost_attempts=20,
            poll_seconds=0.5,
        ) as service,
    ):
        yield service


def trial(pod: Json) -> Run:
    """Runs for a moment and tells what it was given."""
    variables, arguments = environment_of(pod), arguments_of(pod)
    given = next(each.partition("=")[2] for each in arguments if each.startswith("--x="))
    told = "".join(
        f'{{"timestamp": 1.0, "trial": "1", "score": {float(given) * step!r}, "global_step": "{step}"}}\n'
        for step in (1, 2)
    )
    seconds = random.Random(pod["metadata"]["uid"]).uniform(1.0, 4.0)
    return Run(seconds, printed="done\n", writes={variables["CLOUD_ML_HP_METRIC_FILE"]: told})


def job(job_id: str, trials: int, gpus: int) -> Json:
    hyperparameters = {
        "goal": "MAXIMIZE",
        "hyperparameterMetricTag": "score",
        "maxTrials": trials,
        "maxParallelTrials": AT_ONCE,
        "algorithm": "RANDOM_SEARCH",
        "params": [{"parameterName": "x", "type": "DOUBLE", "minValue": 1, "maxValue": 2}],
    }
    training = {
        "region": "local",
        "scaleTier": "CUSTOM",
        "masterType": "n1-standard-8",
        "masterConfig": {
            "imageUri": "trainer",
            "acceleratorConfig": {"type": "NVIDIA_TESLA_V100", "count": str(gpus)},
        },
        "hyperparameters": hyperparameters,
    }
    return {"jobId": job_id, "trainingInput": training}


class Faults:
    """What goes wrong, at random moments, and in the middle."""

    def __init__(
        self,
        control_plane: ControlPlane,
        nodes: SimulatedNodes,
        service: RunningCluster,
        chance: random.Random,
    ) -> None:
        self._control_plane = control_plane
        self._nodes = nodes
        self._service = service
        self._chance = chance
        self.killed = self.deleted = 0
        self._kill_at: dict[str, float] = {}
        self._starts = dict.fromkeys(WORKERS, 1)
        self._due = {
            0.2: self._lose_for_good,
            0.35: self._lose_for_a_while,
            0.5: self._take_api_server_away,
            0.65: self._kill_all_workers,
        }

    def strike(self, progress: float) -> None:
        """Called again and again, with the part of the trials that have ended."""
        for when in [when for when in self._due if when <= progress]:
            self._due.pop(when)()
        self._delete_a_job()
        for worker in WORKERS:
            # One that is killed before it has come to look after anything proves nothing.
            if worker not in self._kill_at and self._is_up(worker):
                self._kill_at[worker] = time.monotonic() + self._chance.uniform(0.5, 40.0)
            elif self._kill_at.get(worker, math.inf) < time.monotonic():
                self._kill(worker)

    @property
    def all_struck(self) -> bool:
        return not self._due

    def _lose_for_good(self) -> None:
        self._nodes.lose("node-0")
        self._nodes.write_off("node-0")

    def _lose_for_a_while(self) -> None:
        self._nodes.lose("node-1")
        time.sleep(3)
        self._nodes.bring_back("node-1")

    def _take_api_server_away(self) -> None:
        self._control_plane.stop_api_server()
        time.sleep(3)
        self._control_plane.start_api_server()

    def _kill_all_workers(self) -> None:
        for worker in WORKERS:
            self._kill(worker)

    def _kill(self, worker: str) -> None:
        self._service.kill(worker)
        self._service.start(worker)
        self._kill_at.pop(worker, None)
        self._starts[worker] += 1
        self.killed += 1

    def _is_up(self, worker: str) -> bool:
        return self._service.said(worker).count("looks after jobs") >= self._starts[worker]

    def _delete_a_job(self) -> None:
        """By hand, as somebody who cleans up might."""
        with self._control_plane.client() as http:
            found = http.get(JOBS.format("default"), params={"labelSelector": names.OWNER}).json()["items"]
            live = [each for each in found if each["status"].get("active")]
            if live:
                name = self._chance.choice(live)["metadata"]["name"]
                gone = http.delete(
                    f"{JOBS.format('default')}/{name}", params={"propagationPolicy": "Background"}
                )
                self.deleted += gone.is_success


@pytest.mark.timeout(PATIENCE_SECONDS + 120)
def test_nothing_is_lost_and_nothing_runs_twice(control_plane: ControlPlane, service: RunningCluster) -> None:
    seed = int(os.environ.get("VERNIER_TEST_SEED", random.SystemRandom().randrange(10**6)))
    print(f"to replay: VERNIER_TEST_SEED={seed}")
    each = TRIALS // len(GPUS)
    with SimulatedNodes(control_plane, trial) as nodes, service.client() as http:
        for number in range(NODES):
            nodes.add(f"node-{number}", gpus=8)
        faults = Faults(control_plane, nodes, service, random.Random(seed))
        began = time.monotonic()
        for number, gpus in enumerate(GPUS):
            answer = http.post("/jobs", json=job(f"job_{number}", each, gpus))
            assert answer.status_code == 200, answer.text
        while (progress := _progress(http)) < 1.0:
            assert time.monotonic() < began + PATIENCE_SECONDS, _jobs(http)
            if progress < 0.8:
                faults.strike(progress)
            time.sleep(1)
        jobs = wait_until(lambda: _all_ended(http), 60)
        assert jobs is not None
        seconds = time.monotonic() - began

    seen = history.crowd(history.history(control_plane))
    print(
        f"{TRIALS} trials in {seconds:.0f} s, {seen.most} at once at most; {seen.jobs} Jobs, "
        f"{seen.pods} pods; {faults.killed} workers killed, {faults.deleted} Jobs deleted by hand"
    )
    assert faults.all_struck
    assert faults.killed
    assert faults.deleted
    for each_job in jobs:
        _check_results(each_job, each)
    assert seen.twins == ()
    assert seen.most <= AT_ONCE
    assert len(seen.attempts) == TRIALS


def _jobs(http: httpx.Client) -> list[dict[str, Any]]:
    # A database that is too busy is an answer, too: the client asks again.
    answer = wait_until(lambda: found if (found := http.get("/jobs")).is_success else None, 60)
    assert answer is not None
    jobs: list[dict[str, Any]] = answer.json()["jobs"]
    return jobs


def _progress(http: httpx.Client) -> float:
    outputs = [each.get("trainingOutput", {}) for each in _jobs(http)]
    return sum(int(each.get("completedTrialCount", 0)) for each in outputs) / TRIALS


def _all_ended(http: httpx.Client) -> list[dict[str, Any]] | None:
    jobs = _jobs(http)
    return (
        [http.get(f"/jobs/{each['jobId']}").json() for each in jobs]
        if all(each["state"] in ENDED for each in jobs)
        else None
    )


def _check_results(job: dict[str, Any], trials: int) -> None:
    assert job["state"] == "SUCCEEDED", job.get("errorMessage")
    output = job["trainingOutput"]
    assert output["completedTrialCount"] == str(trials)
    assert sorted(int(each["trialId"]) for each in output["trials"]) == list(range(1, trials + 1))
    for each in output["trials"]:
        assert each["state"] == "SUCCEEDED", each
        best = 2 * float(each["hyperparameters"]["x"])
        assert each["finalMetric"] == {"trainingStep": "2", "objectiveValue": pytest.approx(best)}, each
