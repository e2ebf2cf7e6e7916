"""Processes apart, PostgreSQL and Redis: what happens to any of them only delays the job.

Each test runs the same job, and disturbs it once half of its trials have begun. Whatever it did, the job ends
as if it had not: every trial ran once, and each of its steps is stored once.
"""

import base64
import json
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError

from store.database import Database
from store.models import Job
from tests.durability.the_job import AT_ONCE, TheJob
from tests.postgres_server import PostgresServer
from tests.redis_server import RedisServer
from tests.running_cluster import WORKERS, RunningCluster
from tests.running_service import wait_until
from tests.service.door import error_of
from worker.tasks import RECONCILE, SWEEP, make_app

LEASE_SECONDS = 3.0


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
        refusal = http.get("/v1/projects/p/jobs")
        error_of(refusal, 503, "UNAVAILABLE")
        assert int(refusal.headers["Retry-After"]) > 0
        wait_until(lambda: sum(note["what"] == "end" for note in job.notes()) >= AT_ONCE)
        servers.postgres.start()
        wait_until(lambda: http.get("/readyz").status_code == 200)
    job.ends_as_ever()


def test_a_database_that_ends_every_session_again_and_again(job: TheJob, servers: Servers) -> None:
    job.reach_the_middle()
    database = Database(servers.postgres.url)
    others = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    before = looks(database)
    for number in range(5):
        with suppress(OperationalError), database.engine.connect() as connection:
            connection.execute(others)
        wait_until(lambda number=number: looks(database) > before + number)  # type: ignore[misc]
    database.close()
    job.ends_as_ever()


def looks(database: Database) -> int:
    """How often jobs have been looked at."""
    with suppress(OperationalError), database.read() as session:
        return session.scalar(select(func.sum(Job.lease_fence))) or 0
    return 0


def test_messages_that_make_no_sense_or_come_hours_late_stop_no_worker(
    job: TheJob, cluster: RunningCluster, servers: Servers
) -> None:
    job.reach_the_middle()
    app = make_app(servers.redis.url, sweep_seconds=1.0)
    with closing(app.connection_for_write()) as connection:
        for task, arguments in (
            ("vernier.no_such_task", []),
            (RECONCILE, []),
            (RECONCILE, ["no key"]),
            (RECONCILE, [2**70]),
            (SWEEP, [1]),
            *((RECONCILE, [key]) for key in range(30)),  # Of jobs that have ended long ago, or never were.
        ):
            app.send_task(task, args=arguments, connection=connection)
    job.ends_as_ever()
    assert all(process.poll() is None for process in cluster.processes.values())


def as_redis_has_it(**changed: Any) -> bytes:
    """A message that asks for a look, but for what is changed."""
    message = {
        "body": base64.b64encode(json.dumps([[1], {}, {}]).encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"task": RECONCILE, "id": "1"},
        "properties": {
            "body_encoding": "base64",
            "delivery_info": {"exchange": "", "routing_key": "celery"},
            "delivery_tag": "1",
        },
    }
    return json.dumps({**message, **changed}).encode()


RUBBISH = (
    *(b"hello", b"", b"{", b"\xff\xfe", b"[" * 100_000, b"null", b"7", b"[]", b"{}"),
    *(as_redis_has_it(properties=each) for each in (None, [], {}, {"delivery_tag": []})),
    as_redis_has_it(properties={"delivery_tag": "2"}),
    *(as_redis_has_it(body=each) for each in (None, 7, "not base64", base64.b64encode(b"[[1").decode())),
    *(
        as_redis_has_it(headers=each)
        for each in (None, [], {}, {"task": []}, {"task": RECONCILE}, {"task": 7})
    ),
    as_redis_has_it(headers={"task": RECONCILE, "id": [], "expires": "soon", "eta": {}}),
    as_redis_has_it(headers={"task": RECONCILE, "id": "3", "timelimit": 7, "retries": "x"}),
    *(as_redis_has_it(**{"content-type": each}) for each in (None, "application/x-python-serialize", [])),
    as_redis_has_it(**{"content-encoding": "no-such"}),
)


def test_what_is_no_message_at_all_stops_no_worker(
    job: TheJob, cluster: RunningCluster, servers: Servers
) -> None:
    job.reach_the_middle()
    with servers.redis.connect() as redis:

        def is_taken() -> bool:
            assert all(process.poll() is None for process in cluster.processes.values())
            return redis.type("celery") != b"list" or not redis.llen("celery")

        for rubbish in RUBBISH:
            redis.lpush("celery", rubbish)
            wait_until(is_taken)
        redis.set("celery", "no list")
        wait_until(lambda: all("ResponseError" in cluster.said(worker) for worker in WORKERS))
        redis.delete("celery")
    job.ends_as_ever()
    assert all(process.poll() is None for process in cluster.processes.values())
    dropped = sum(cluster.said(worker).count("is dropped") for worker in WORKERS)
    assert dropped > len(RUBBISH) / 2, "Celery itself drops the others."


def test_five_workers_at_once_and_as_many_jobs(
    cluster: RunningCluster, servers: Servers, tmp_path: Path
) -> None:
    more = ("worker-3", "worker-4", "worker-5")
    for name in more:
        cluster.start(name)
    with cluster.client() as http:
        jobs = []
        for number in range(4):
            (tmp_path / str(number)).mkdir()
            jobs.append(TheJob(http, tmp_path / str(number), f"crowd_{number}"))
            jobs[-1].submit()
            jobs[-1].go_on()
        for each in jobs:
            each.ends_as_ever()
    for name in more:
        cluster.kill(name)


def test_a_beat_that_is_killed_and_two_in_its_place(job: TheJob, cluster: RunningCluster) -> None:
    job.reach_the_middle()
    cluster.kill("beat")
    for name in ("beat", "beat-2"):
        cluster.start(name)
    job.ends_as_ever()


def test_they_all_stop_when_they_are_told_to(cluster: RunningCluster) -> None:
    assert cluster.stop() == 0
