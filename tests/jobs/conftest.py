"""A running service for all tests of whole jobs, and short ways to ask it for one.

What is shown of jobs is shown on both ways to run: all in one process with SQLite, and processes apart on
PostgreSQL and Redis. Left to the first alone is what takes long, or is the same on both.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.postgres_server import PostgresServer
from tests.redis_server import RedisServer
from tests.running_cluster import RunningCluster
from tests.running_service import RunningService, wait_until
from tests.trainer_packages import write_trainer

ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")

# Reports `value` for steps 1 to `steps`, by hypertune's file; what it does besides is added by each test.
REPORTING = """
import json, os, sys, time

def report(step, value, tag="score"):
    with open(os.environ["CLOUD_ML_HP_METRIC_FILE"], "a") as out:
        record = {"timestamp": time.time(), "global_step": str(step), tag: str(value)}
        out.write(json.dumps(record) + "\\n")

flags = dict(part[2:].split("=", 1) for part in sys.argv[1:] if part.startswith("--") and "=" in part)
trial = int(os.environ.get("CLOUD_ML_TRIAL_ID", "0"))
"""
ONE_DOUBLE = [{"parameterName": "x", "type": "DOUBLE", "minValue": 0.0, "maxValue": 1.0}]


class Jobs:
    """Submits trainers given as source text, and waits for what becomes of them."""

    def __init__(self, client: httpx.Client, folder: Path) -> None:
        self.client = client
        self.folder = folder
        self._count = itertools.count(1)

    def package(self, source: str) -> str:
        return write_trainer(self.folder / f"package_{next(self._count)}", REPORTING + source)

    def submit(self, source: str, hyperparameters: dict[str, Any] | None = None, **training: Any) -> str:
        # Unlike those of other runs of the tests on this machine, whose processes may be looked for by name.
        job_id = f"job_{os.getpid()}_{next(self._count)}"
        body: dict[str, Any] = {
            "packageUris": [self.package(source)],
            "pythonModule": "trainer.task",
            "jobDir": str(self.folder / job_id),
            **training,
        }
        if hyperparameters is not None:
            body["hyperparameters"] = {
                "goal": "MAXIMIZE",
                "hyperparameterMetricTag": "score",
                "params": ONE_DOUBLE,
                **hyperparameters,
            }
        answer = self.client.post("/jobs", json={"jobId": job_id, "trainingInput": body})
        assert answer.status_code == 200, answer.text
        return job_id

    def get(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self.client.get(f"/jobs/{job_id}").json()
        return job

    def cancel(self, job_id: str) -> None:
        assert self.client.post(f"/jobs/{job_id}:cancel").json() == {}

    def wait(self, job_id: str, found: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            job = self.get(job_id)
            return job if found(job) else None

        return wait_until(look)  # type: ignore[return-value]

    def ended(self, job_id: str) -> dict[str, Any]:
        return self.wait(job_id, lambda job: job["state"] in ENDED)

    def trials(self, job_id: str) -> list[dict[str, Any]]:
        trials: list[dict[str, Any]] = self.ended(job_id)["trainingOutput"]["trials"]
        return trials


EMBEDDED, APART = "embedded", "apart"
ON_BOTH = ("test_life_of_a_job", "test_logs_of_jobs")
EMBEDDED_ONLY = (
    "hundred_thousand",
    "fifty_thousand",
    "second_service",
    "never_reach_the_ranking",
    "best_trial_is_listed",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "service" in metafunc.fixturenames:
        short = any(part in metafunc.function.__name__ for part in EMBEDDED_ONLY)
        both = metafunc.module.__name__.rpartition(".")[2] in ON_BOTH and not short
        backings = [EMBEDDED, APART] if both else [EMBEDDED]
        metafunc.parametrize("service", backings, indirect=True, scope="session")


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService | RunningCluster]:
    folder = tmp_path_factory.mktemp(request.param)
    running: RunningService | RunningCluster
    if request.param == EMBEDDED:
        running = RunningService(folder, slots=4, stop_grace_seconds=2)
    else:
        postgres: PostgresServer = request.getfixturevalue("postgres")
        redis: RedisServer = request.getfixturevalue("redis")
        url = postgres.url_of(postgres.create_database())
        running = RunningCluster(folder, url, redis.url, slots=4, stop_grace_seconds=2)
    with running:
        yield running
        assert running.stop() == 0


@pytest.fixture
def jobs(service: RunningService, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Jobs]:
    with service.client() as client:
        # A project of its own: job names are free again, and nobody else's jobs are in its lists.
        project = "t-" + str(abs(hash(request.node.name)) % 10**12)
        client.base_url = httpx.URL(str(client.base_url).replace("/projects/p/", f"/projects/{project}/"))
        yield Jobs(client, tmp_path)
