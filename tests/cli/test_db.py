"""`vernier db`: upgrade, check and backup of a service's database."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.data_folder import own_data_dir
from cli.main import app
from store.database import Database
from store.decisions import decisions_of
from store.jobs import find_job
from tests.jobs.conftest import Jobs
from tests.postgres_server import PostgresServer
from tests.running_service import RunningService
from tests.stored_rows import add_job, empty_database
from tests.worker.test_replay import run


@pytest.fixture(autouse=True)
def no_database_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VERNIER_DATABASE_URL", raising=False)


def _run(*words: str) -> Result:
    return CliRunner().invoke(app, ["db", *words])


def _folder(tmp_path: Path) -> str:
    """A data folder with an up to date database, which has one job."""
    database = empty_database(tmp_path)
    with database.write() as session:
        add_job(session, "kept")
    database.close()
    (tmp_path / "test.sqlite3").rename(tmp_path / "vernier.sqlite3")
    return str(tmp_path)


def test_upgrade_makes_the_tables_and_check_says_so(tmp_path: Path) -> None:
    assert _run("check", "--data-dir", str(tmp_path)).exit_code == 1
    assert not list(tmp_path.iterdir()), "to look is not to make"
    assert _run("upgrade", "--data-dir", str(tmp_path)).exit_code == 0
    assert _run("check", "--data-dir", str(tmp_path)).exit_code == 0
    assert _run("upgrade", "--data-dir", str(tmp_path)).exit_code == 0


def test_on_postgresql_too(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with postgres.database() as url:
        monkeypatch.setenv("VERNIER_DATABASE_URL", url)
        checked = _run("check")
        assert checked.exit_code == 1
        assert "run vernier db upgrade" in checked.output
        assert _run("upgrade").exit_code == 0
        assert _run("check").exit_code == 0


def test_several_upgrades_at_once_are_one(postgres: PostgresServer) -> None:
    with postgres.database() as url:
        databases = [Database(url) for _ in range(3)]
        threads = [threading.Thread(target=database.upgrade) for database in databases]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # A thread that failed would be a warning, which is an error; the tables stand in any case.
        assert {database.schema().name for database in databases} == {"CURRENT"}
        for database in databases:
            database.close()


def test_a_folder_in_use_is_not_upgraded(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    with own_data_dir(tmp_path):
        refused = _run("upgrade", "--data-dir", folder)
    assert refused.exit_code == 1
    assert "Another service" in refused.output


def test_a_backup_is_taken_while_the_service_writes(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    database = Database(f"sqlite:///{folder}/vernier.sqlite3")
    with own_data_dir(tmp_path), database.write() as session:
        add_job(session, "not committed")
        copied = _run("backup", str(tmp_path / "copy"), "--data-dir", folder)
    database.close()
    assert copied.exit_code == 0, copied.output
    with closing(sqlite3.connect(tmp_path / "copy")) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    taken = Database(f"sqlite:///{tmp_path / 'copy'}")
    with taken.read() as session:
        assert find_job(session, "p", "kept") is not None
        assert find_job(session, "p", "not committed") is None
    taken.close()


def test_a_backup_overwrites_nothing(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    (tmp_path / "copy").write_text("mine")
    refused = _run("backup", str(tmp_path / "copy"), "--data-dir", folder)
    assert refused.exit_code == 1
    assert "is there already" in refused.output
    assert (tmp_path / "copy").read_text() == "mine"


def test_a_backup_of_what_is_no_database_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "vernier.sqlite3").write_bytes(b"not a database, though it is long enough to be one" * 100)
    refused = _run("backup", str(tmp_path / "copy"), "--data-dir", str(tmp_path))
    assert refused.exit_code == 1
    assert not (tmp_path / "copy").exists()


def test_a_backup_of_nothing_or_into_nowhere_says_so(tmp_path: Path) -> None:
    assert "There is no database" in _run("backup", str(tmp_path / "c"), "--data-dir", str(tmp_path)).output
    folder = _folder(tmp_path)
    assert "can't be written" in _run("backup", str(tmp_path / "no" / "c"), "--data-dir", folder).output


def test_postgresql_has_its_own_backup(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERNIER_DATABASE_URL", postgres.url)
    assert "pg_dump" in _run("backup", "anywhere").output


def test_a_damaged_file_is_found_out(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    file = tmp_path / "vernier.sqlite3"
    with closing(sqlite3.connect(file)) as connection:
        page_size, root = (
            connection.execute(query).fetchone()[0]
            for query in ("PRAGMA page_size", "SELECT rootpage FROM sqlite_master WHERE name = 'jobs_due'")
        )
    with file.open("r+b") as damaged:
        damaged.seek((root - 1) * page_size)
        damaged.write(b"\xff" * 64)
    checked = _run("check", "--data-dir", folder)
    assert checked.exit_code == 1
    assert f"The file {file} is damaged" in checked.output
    assert "Traceback" not in checked.output


@pytest.mark.parametrize(
    ("kept", "why"), [(0.5, "database disk image is malformed"), (0, "file is not a database")]
)
def test_a_file_that_cannot_be_read_is_damaged_too(tmp_path: Path, kept: float, why: str) -> None:
    folder = _folder(tmp_path)
    file = tmp_path / "vernier.sqlite3"
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * kept)] or b"no database" * 1000)
    checked = _run("check", "--data-dir", folder)
    assert checked.exit_code == 1
    assert f"The file {file} is damaged ({why}): go back to a backup." in checked.output


TRAINER = """
for step in range(1, 300):
    print("line", step)
    report(step, step * trial)
"""


def test_a_service_starts_from_a_backup_that_was_taken_while_jobs_ran(tmp_path: Path) -> None:
    search = {"maxTrials": 12, "maxParallelTrials": 2}
    data = tmp_path / "data"
    with RunningService(data, slots=3) as service, service.client() as client:
        jobs = Jobs(client, tmp_path / "jobs")
        ended = jobs.submit(TRAINER, {"maxTrials": 2, "maxParallelTrials": 2})
        whole = jobs.ended(ended)
        running = jobs.submit(TRAINER, search)
        copies = []
        for number in range(2):
            before = _done(jobs.wait(running, lambda job, n=number: len(_done(job)) > n))
            copied = _run("backup", str(tmp_path / f"copy_{number}"), "--data-dir", str(data))
            assert copied.exit_code == 0, copied.output
            copies.append(tmp_path / f"copy_{number}")
        jobs.cancel(running)
        jobs.ended(running)
        assert service.stop() == 0
    restored = tmp_path / "restored"
    restored.mkdir()
    copies[1].rename(restored / "vernier.sqlite3")
    assert _run("check", "--data-dir", str(restored)).exit_code == 0
    with RunningService(restored, slots=3) as service, service.client() as client:
        jobs.client = client
        assert jobs.get(ended) == whole
        known = _done(jobs.ended(running))
        assert before.items() <= known.items(), "its files are not here, but nobody waits for them"
        heir = jobs.submit(TRAINER, {"maxTrials": 1, "resumePreviousJobId": ended})
        assert jobs.ended(heir)["state"] == "SUCCEEDED"
        assert service.stop() == 0


def _done(job: dict[str, Any]) -> dict[str, str]:
    """{trial: its final value} of those that have ended."""
    trials = job.get("trainingOutput", {}).get("trials", [])
    return {
        trial["trialId"]: str(trial.get("finalMetric")) for trial in trials if trial["state"] == "SUCCEEDED"
    }


def test_replay_asks_a_jobs_search_again(tmp_path: Path) -> None:
    database = empty_database(tmp_path)
    with database.write() as session:
        run(session, "sought", wire={"algorithm": "RANDOM_SEARCH"})
        run(session, "changed", wire={"algorithm": "RANDOM_SEARCH"})
        add_job(session, "plain")
        for decision in decisions_of(session, 2)[:2]:
            decision.seed += 1
    database.close()
    (tmp_path / "test.sqlite3").rename(tmp_path / "vernier.sqlite3")
    words = ["--project", "p", "--data-dir", str(tmp_path)]
    sought = _run("replay", "sought", *words)
    assert sought.exit_code == 0
    assert len(sought.stdout.splitlines()) == 18
    assert sought.stdout.splitlines()[2].startswith("3: same (RANDOM_SEARCH 1, ")
    changed = _run("replay", "changed", *words)
    assert changed.exit_code == 1
    assert changed.stdout.splitlines()[0].startswith("1: different (")
    assert "2 of the suggestions are others now" in changed.output
    for unknown in ("plain", "none"):
        refused = _run("replay", unknown, *words)
        assert refused.exit_code == 1
        assert f"no tuning job {unknown}" in refused.output


def test_replay_takes_the_project_that_commands_about_jobs_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("VERNIER_PROJECT", "CLOUDSDK_CORE_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    database = empty_database(tmp_path)
    with database.write() as session:
        run(session, "sought", wire={"algorithm": "RANDOM_SEARCH"})
    database.close()
    (tmp_path / "test.sqlite3").rename(tmp_path / "vernier.sqlite3")
    words = ["replay", "sought", "--data-dir", str(tmp_path)]
    elsewhere = _run(*words)
    assert elsewhere.exit_code == 1
    assert "no tuning job sought in the project local" in elsewhere.output
    monkeypatch.setenv("VERNIER_PROJECT", "p")
    assert _run(*words).exit_code == 0
