"""`vernier api`, `worker` and `beat`: what they refuse, what they wait for, and how they end."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.data_folder import CannotServe
from cli.main import app
from cli.parts import open_database
from settings import Settings
from store.database import Database
from tests.postgres_server import PostgresServer
from tests.redis_server import RedisServer
from tests.running_cluster import API, BEAT, WORKERS, RunningCluster
from tests.running_service import wait_until

AWAY = "postgresql+psycopg://vernier:secret@127.0.0.1:1/vernier"
REDIS = "redis://:secret@127.0.0.1:1/0"


def _environment(data_dir: Path, **settings: str) -> Mapping[str, str]:
    given = {"data_dir": str(data_dir), "port": "0", **settings}
    ours = {f"VERNIER_{name.upper()}": value for name, value in given.items()}
    return {**{k: v for k, v in os.environ.items() if not k.startswith("VERNIER_")}, **ours}


def _run(data_dir: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *words],
        env=_environment(data_dir, **settings),
        capture_output=True,
        text=True,
        timeout=60,
    )


class Started:
    """A process whose output is looked at while it runs."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self._log = log

    def said(self, text: str) -> str:
        def look() -> str:
            said = self._log.read_text()
            assert self.process.poll() is None, said
            return said if text in said else ""

        return wait_until(look)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def _started(data_dir: Path, *words: str, **settings: str) -> Iterator[Started]:
    data_dir.mkdir(exist_ok=True)
    log = data_dir / "said"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", *words],
            env=_environment(data_dir, **settings),
            stdout=output,
            stderr=output,
        )
    try:
        yield Started(process, log)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def migrated(postgres: PostgresServer) -> str:
    """The name of a database with all tables, and nothing in them."""
    name = postgres.create_database()
    database = Database(postgres.url_of(name))
    database.upgrade()
    database.close()
    return name


@pytest.fixture
def current(postgres: PostgresServer, migrated: str) -> Iterator[str]:
    """The URL of a database with all tables."""
    with postgres.database(migrated) as url:
        yield url


@pytest.mark.parametrize(
    ("command", "settings", "said"),
    [
        ("api", {"broker_url": REDIS}, "VERNIER_DATABASE_URL must name a PostgreSQL database"),
        ("worker", {"database_url": "sqlite:////x", "broker_url": REDIS}, "Only vernier serve"),
        ("beat", {"database_url": AWAY}, "VERNIER_BROKER_URL must name a broker"),
        ("api", {"database_url": "postgresql+pg8000://h/d", "broker_url": REDIS}, "VERNIER_DATABASE_URL"),
    ],
)
def test_what_can_not_be_shared_by_processes_is_refused(
    monkeypatch: pytest.MonkeyPatch, command: str, settings: dict[str, str], said: str
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"VERNIER_{name.upper()}", value)
    ran = CliRunner().invoke(app, [command])
    assert ran.exit_code == 1
    assert ran.stderr.startswith(f"ERROR: (vernier.{command}) ")
    assert said in ran.stderr
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("url", ["mysql://user:secret@h/d", "no url with secret"])
def test_a_database_that_is_none_is_refused_without_a_word_of_its_password(url: str) -> None:
    with pytest.raises(CannotServe, match="VERNIER_DATABASE_URL") as refused:
        open_database(Settings(database_url=url))
    assert "secret" not in str(refused.value)


def test_a_concurrency_that_is_none_is_named_by_its_flag() -> None:
    ran = CliRunner().invoke(app, ["worker", "--concurrency", "0"])
    assert ran.exit_code == 2
    assert "--concurrency or VERNIER_WORKER_THREADS" in ran.stderr


def test_a_database_without_tables_is_refused_and_says_what_to_run(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    with postgres.database() as url:
        ran = _run(tmp_path, "api", database_url=url, broker_url=REDIS)
    assert ran.returncode == 1
    assert "run vernier db upgrade" in ran.stderr


def test_the_tables_of_a_newer_program_are_left_alone(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres.database() as url:
        database = Database(url)
        database.upgrade()
        with database.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'later'")
        database.close()
        ran = _run(tmp_path, "worker", database_url=url, broker_url=REDIS)
        monkeypatch.setenv("VERNIER_DATABASE_URL", url)
        told = [CliRunner().invoke(app, ["db", word]) for word in ("check", "upgrade")]
    assert ran.returncode == 1
    assert "newer Vernier" in ran.stderr
    assert all(each.exit_code == 1 and "newer Vernier" in each.stderr for each in told)


def test_a_service_in_one_process_and_one_of_several_do_not_share_a_folder(
    current: str, tmp_path: Path
) -> None:
    with _started(tmp_path, "serve") as service:
        service.said("Ctrl-C")
        ran = _run(tmp_path, "worker", database_url=current, broker_url=REDIS)
        assert service.stop() == 0
    assert ran.returncode == 1
    assert "Another service is using the data folder" in ran.stderr


def test_a_database_whose_trials_are_in_another_folder_is_refused(
    current: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over that one no trial would be found, and all be started again."""
    first, moved, second = (tmp_path / name for name in ("first", "moved", "second"))

    def works_over(folder: Path) -> None:
        with _started(folder, "worker", database_url=current, broker_url=REDIS) as worker:
            worker.said("looks after jobs")

    works_over(first)
    first.rename(moved)
    for command in ("serve", "api", "worker"):
        ran = _run(second, command, database_url=current, broker_url=REDIS)
        assert ran.returncode == 1
        assert f"another data folder: {first} on " in ran.stderr
    works_over(moved)
    monkeypatch.setenv("VERNIER_DATABASE_URL", current)
    assert CliRunner().invoke(app, ["db", "forget-folder"]).exit_code == 0
    works_over(second)


def test_a_database_that_is_away_is_waited_for(tmp_path: Path) -> None:
    with _started(tmp_path, "worker", database_url=AWAY, broker_url=REDIS) as worker:
        said = worker.said("database away, trying again")
        assert worker.stop() == 0
    assert "secret" not in said


@pytest.mark.parametrize("command", ["worker", "beat"])
def test_a_broker_that_is_away_is_waited_for(current: str, tmp_path: Path, command: str) -> None:
    with _started(tmp_path, command, database_url=current, broker_url=REDIS) as process:
        said = process.said("in 2" if command == "worker" else "Trying again")
        assert process.stop() == 0
    assert "secret" not in said


def test_workers_have_names_of_their_own_and_leave_them_to_the_next(current: str, tmp_path: Path) -> None:
    with RedisServer() as redis, RunningCluster(tmp_path, current, redis.url) as cluster:

        def name(worker: str) -> str:
            said = cluster.said(worker).partition(" looks after jobs")[0]
            return said.removeprefix("Worker ") if said.startswith("Worker ") else ""

        names = {wait_until(lambda worker=worker: name(worker)) for worker in WORKERS}
        assert len(names) == 2
        cluster.kill(WORKERS[0])
        (tmp_path / f"{WORKERS[0]}.log").unlink()
        cluster.start(WORKERS[0])
        assert wait_until(lambda: name(WORKERS[0])) in names
        wait_until(lambda: cluster.address and "Beat asks" in cluster.said(BEAT))
        assert cluster.stop() == 0
        assert all(cluster.said(each).endswith("Stopped.\n") for each in (API, *WORKERS, BEAT))
