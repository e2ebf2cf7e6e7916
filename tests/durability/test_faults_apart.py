"""Processes apart, PostgreSQL and Redis: what happens to any of them only delays the job.

Each test runs the same job, and disturbs it once half of its trials have begun. Whatever it did, the job ends
as if it had not: every trial ran once, and each of its steps is stored once.
"""

import json
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from store.database import Database
from store.models import Job
from tests.postgres_server import PostgresServer
from tests.redis_server import RedisServer
from tests.running_cluster import WORKERS, RunningCluster
from tests.running_service import wait_until
from tests.trainer_packages import write_trainer

TRIALS, AT_ONCE, STEPS = 6, 3, 5
LEASE_SECONDS = 3.0
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")

# A trial waits at its third step until it may go on, so that what is disturbed is the middle of the job.
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
    while step == 3 and not os.path.exists(os.path.join(folder, "go")):
        time.sleep(0.02)
note("end")
"""


class Servers:
    """What the processes stand on, apart from what other tests use: it is stopped and started."""

    def __init__(self, postgres: PostgresServer, redis: RedisServer) -> None:
        self.postgres = postgres
        self.redis = redis


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with PostgresServer() as postgres, RedisServer() as redis:
        yield Servers(postgres, redis)


@pytest.fixture(scope="module")
def cluster(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with RunningCluster(
        tmp_path_factory.mktemp("cluster"),
        servers.postgres.url,
        servers.redis.url,
        slots=4,
        lease_seconds=LEASE_SECONDS,
        stop_grace_seconds=1,
        trouble_seconds=1,
    ) as cluster:
        yield cluster


class TheJob:
    """The job that each test disturbs."""

    def __init__(self, http: httpx.Client, folder: Path, name: str) -> None:
        self._http = http
        self._folder = folder
        self._name = name
        (folder / "runs").mkdir()

    def submit(self) -> None:
        package = write_trainer(self._folder / "package", TRAINER)
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


def worker_name(cluster: RunningCluster, worker: str) -> str:
    return cluster.said(worker).rpartition("Worker ")[2].partition(" looks")[0]


@pytest.fixture
def job(cluster: RunningCluster, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[TheJob]:
    with cluster.client() as http:
        job = TheJob(http, tmp_path, request.node.name)
        job.submit()
        yield job


def test_workers_that_are_killed(job: TheJob, cluster: RunningCluster) -> None:
    job.reach_the_middle()
    for worker in WORKERS:
        cluster.kill(worker)
    # What starts under a dead worker's name goes on with its jobs, and need not wait for the lease's end.
    cluster.start(WORKERS[0])
    job.ends_as_ever()
    cluster.start(WORKERS[1])


def test_a_worker_that_hangs_past_its_lease_and_comes_back(
    job: TheJob, cluster: RunningCluster, servers: Servers
) -> None:
    job.reach_the_middle()
    names = {worker_name(cluster, worker): cluster.processes[worker] for worker in WORKERS}
    database = Database(servers.postgres.url)

    def lease() -> tuple[str, int] | None:
        with database.read() as session:
            owner, fence = session.execute(select(Job.lease_owner, Job.lease_fence).order_by(Job.id)).all()[
                -1
            ]
        return (owner.rpartition("/")[0], fence) if owner else None

    def hang() -> tuple[str, int] | None:
        """Stops a worker in the middle of a look: it holds the job, and its slumber lets go of nothing."""
        held = lease()
        if held is None:
            return None
        names[held[0]].send_signal(signal.SIGSTOP)
        if lease() == held:
            return held
        names[held[0]].send_signal(signal.SIGCONT)
        return None

    hung, fence = wait_until(hang) or ("", 0)
    wait_until(lambda: (held := lease()) is not None and held[1] > fence)
    names[hung].send_signal(signal.SIGCONT)
    job.ends_as_ever()
    database.close()


def test_a_broker_that_loses_doubles_and_reorders_messages(job: TheJob, servers: Servers) -> None:
    over = threading.Event()
    chance = random.Random(7)

    def disturb() -> None:
        with servers.redis.connect() as redis:
            while not over.wait(0.02):
                match chance.randrange(4):
                    case 0:
                        redis.flushall()
                    case 1:
                        redis.lpop("celery")
                    case _:
                        messages = redis.lrange("celery", 0, -1)
                        if messages:
                            redis.rpush("celery", *messages[::-1])

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        job.reach_the_middle()
        job.ends_as_ever()
    finally:
        over.set()
        thread.join()


def test_a_broker_that_is_gone_for_a_while_and_comes_back_empty(job: TheJob, servers: Servers) -> None:
    job.reach_the_middle()
    servers.redis.stop()
    job.go_on()
    # The API does without it.
    assert job.get()["state"] == "RUNNING"
    wait_until(lambda: sum(note["what"] == "end" for note in job.notes()) >= AT_ONCE)
    servers.redis.start()
    job.ends_as_ever()


def test_a_database_that_is_gone_for_a_while(job: TheJob, cluster: RunningCluster, servers: Servers) -> None:
    job.reach_the_middle()
    servers.postgres.stop()
    job.go_on()
    with httpx.Client(base_url=cluster.address, trust_env=False) as http:
        assert http.get("/healthz").status_code == 200
        assert http.get("/readyz").status_code == 503
        wait_until(lambda: sum(note["what"] == "end" for note in job.notes()) >= AT_ONCE)
        servers.postgres.start()
        wait_until(lambda: http.get("/readyz").status_code == 200)
    job.ends_as_ever()


def test_a_beat_that_is_killed_and_two_in_its_place(job: TheJob, cluster: RunningCluster) -> None:
    job.reach_the_middle()
    cluster.kill("beat")
    for name in ("beat", "beat-2"):
        cluster.start(name)
    job.ends_as_ever()


def test_they_all_stop_when_they_are_told_to(cluster: RunningCluster) -> None:
    assert cluster.stop() == 0
