"""Transactions: all or nothing, one writer after the other, readers undisturbed."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.string import StrDumper
from sqlalchemy import event, insert, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from store.database import Database
from store.jobs import find_job
from store.models import Job, LogEntry, Measurement
from tests.running_service import wait_until
from tests.stored_rows import add_job, remove_all_rows


def _count(database: Database) -> int:
    with database.read() as session:
        return session.query(Job).count()


def test_a_write_is_there_when_its_block_has_ended(database: Database) -> None:
    with database.write() as session:
        add_job(session)
    assert _count(database) == 1


def test_a_write_that_fails_leaves_nothing(database: Database) -> None:
    def fail_halfway() -> None:
        with database.write() as session:
            add_job(session, "first")
            add_job(session, "second")
            raise RuntimeError("worker died")

    with pytest.raises(RuntimeError, match="worker died"):
        fail_halfway()
    assert _count(database) == 0


def test_a_reading_session_changes_nothing(database: Database) -> None:
    with database.read() as session:
        add_job(session)
    assert _count(database) == 0


def test_rows_can_be_read_after_their_transaction(database: Database) -> None:
    with database.write() as session:
        job = add_job(session, "job")
    assert job.job_id == "job"
    assert job.id is not None


def test_a_reader_sees_one_snapshot_while_others_write(database: Database) -> None:
    with database.read() as reading:
        assert reading.query(Job).count() == 0
        with database.write() as session:
            add_job(session)
        assert reading.query(Job).count() == 0
    assert _count(database) == 1


def test_readers_do_not_wait_for_a_writer(database: Database) -> None:
    with database.write() as session:
        add_job(session)
        assert _count(database) == 0


def test_a_second_writer_waits_for_the_first(database: Database) -> None:
    second_tries = threading.Event()
    order: list[str] = []

    def write_second() -> None:
        second_tries.set()
        with database.write() as session:
            add_job(session, "second")
            order.append("second")

    thread = threading.Thread(target=write_second)
    with database.write() as session:
        add_job(session)
        thread.start()
        assert second_tries.wait(60)
        order.append("first")
    thread.join(60)
    assert order == ["first", "second"]


def test_no_change_is_lost_between_concurrent_writers(database: Database) -> None:
    """Each locks, reads, then writes what it read: without waiting, one would undo or break the other."""
    writers, times = 4, 10
    with database.write() as session:
        key = add_job(session).id

    def count_up(_: int) -> None:
        for _ in range(times):
            with database.write() as session:
                session.get_one(Job, key, with_for_update=True).version += 1

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(count_up, range(writers)))
    with database.read() as session:
        assert session.get_one(Job, key).version == 1 + writers * times


def test_writers_of_sqlite_take_turns(sqlite_database: Database) -> None:
    """None has to find the file locked and sleep, though all come at once and some fail."""
    writers, times = 8, 5
    # A writer that had to wait for SQLite itself would fail now.
    event.listen(sqlite_database.engine, "connect", lambda raw, _: raw.execute("PRAGMA busy_timeout = 0"))

    def write(writer: int) -> None:
        for number in range(times):
            with suppress(RuntimeError), sqlite_database.write(durable=bool(writer % 2)) as session:
                add_job(session, f"job_{writer}_{number}")
                if number == 0:
                    raise RuntimeError("worker died")

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    assert _count(sqlite_database) == writers * (times - 1)


def test_a_writer_without_statements_keeps_nobody_waiting(sqlite_database: Database) -> None:
    """What it does before its first one, such as asking another service, can take long."""
    with sqlite_database.write(), ThreadPoolExecutor(1) as pool:
        pool.submit(_add_one, sqlite_database).result(10)
    assert _count(sqlite_database) == 1


def _add_one(database: Database) -> None:
    with database.write() as session:
        add_job(session)


def test_references_to_rows_that_are_not_there_are_refused(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(Measurement(trial_pk=99, step=1, wall_time=1.0, source=0, value=1.0))


def test_a_commit_reaches_the_disk_unless_it_need_not(database: Database) -> None:
    """The same connection serves both kinds in turn: neither may leave its mark on the next."""
    full, normal = 2, 1
    question, answers = {
        "sqlite": ("PRAGMA synchronous", {True: full, False: normal}),
        "postgresql": ("SHOW synchronous_commit", {True: "on", False: "off"}),
    }[database.url.get_backend_name()]
    for durable in (True, False, True):
        with database.write(durable=durable) as session:
            assert session.scalar(text(question)) == answers[durable]
    with database.write() as session:
        assert session.scalar(text(question)) == answers[True], "unasked"


def test_sqlite_writes_ahead(sqlite_database: Database) -> None:
    """What lets readers go on while one writes."""
    with sqlite_database.read() as session:
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"


def test_a_write_that_need_not_reach_the_disk_is_one_all_the_same(database: Database) -> None:
    with database.write(durable=False) as session:
        add_job(session)
    assert _count(database) == 1


def test_what_was_written_is_there_for_the_next_process(sqlite_database: Database, tmp_path: Path) -> None:
    with sqlite_database.write() as session:
        add_job(session, "kept")
    # No close, no checkpoint: as after a kill.
    with closing(sqlite3.connect(tmp_path / "test.sqlite3")) as connection:
        assert connection.execute("SELECT job_id FROM jobs").fetchall() == [("kept",)]


def test_two_users_of_one_database_see_each_other(database: Database) -> None:
    other = Database(database.url.render_as_string(hide_password=False))
    with database.write() as session:
        add_job(session)
    with other.read() as session:
        assert find_job(session, "p", "job") is not None
    other.close()


def test_a_writer_that_hangs_does_not_keep_the_others_for_ever(migrated_url: str) -> None:
    """As a worker that is stopped in a transaction: its connection lives, and so do its locks."""
    hanging, other = (Database(migrated_url, patience_seconds=0.5) for _ in range(2))
    remove_all_rows(other)
    with other.write() as session:
        key = add_job(session).id
    with pytest.raises(DBAPIError), hanging.write() as session:  # noqa: PT012  the end of it fails
        session.get_one(Job, key, with_for_update=True).version += 1
        session.flush()

        def write() -> bool:
            try:
                with other.write() as session:
                    session.get_one(Job, key, with_for_update=True).version = 7
            except OperationalError:
                return False  # It need not wait for ever either.
            return True

        wait_until(write)
    with hanging.read() as session:
        assert session.get_one(Job, key).version == 7
    hanging.close()
    other.close()


def test_a_connection_that_went_while_it_rested_is_replaced(
    migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when PostgreSQL was started again, or a router on the way forgot it."""
    database, other = Database(migrated_url), Database(migrated_url)
    remove_all_rows(database)
    with database.read() as session:
        backend = session.scalar(text("SELECT pg_backend_pid()"))
    with other.read() as session:
        session.execute(text("SELECT pg_terminate_backend(:backend)"), {"backend": backend})
    with pytest.raises(OperationalError):
        _count(database)  # It was in use just now: that it is there is taken for granted.
    assert _count(database) == 0
    with database.read() as session:
        backend = session.scalar(text("SELECT pg_backend_pid()"))
    with other.read() as session:
        session.execute(text("SELECT pg_terminate_backend(:backend)"), {"backend": backend})
    monkeypatch.setattr("store.database.REST_SECONDS", -1.0)
    assert _count(database) == 0
    database.close()
    other.close()


class _Slow(str):
    """A text that takes until `released` to be sent, and tells of it."""

    __slots__ = ("released", "sending")

    def __init__(self, _: str) -> None:
        self.sending, self.released = threading.Event(), threading.Event()


class _SlowDumper(StrDumper):
    def dump(self, obj: str) -> Any:
        if isinstance(obj, _Slow):
            obj.sending.set()
            assert obj.released.wait(30)
        return super().dump(str(obj))


@pytest.mark.parametrize("statement", ["insert", "update"])
def test_one_that_hangs_while_it_writes_many_rows_does_not_either(migrated_url: str, statement: str) -> None:
    """What the server was told of so far must not look to it like a statement that is still being sent."""
    psycopg.adapters.register_dumper(_Slow, _SlowDumper)
    hanging, other = (Database(migrated_url, patience_seconds=0.5) for _ in range(2))
    remove_all_rows(other)
    with other.write() as session:
        keys = [add_job(session, job_id=f"job_{number}").id for number in range(3)]
    slow = _Slow("slow")

    def write_many() -> None:
        with suppress(DBAPIError), hanging.write() as session:
            session.get_one(Job, keys[0], with_for_update=True)
            if statement == "update":
                texts = zip(keys, ("", slow, ""), strict=True)
                session.execute(update(Job), [{"id": key, "lease_owner": text} for key, text in texts])
            else:
                about = {"project": "p", "job_pk": keys[0], "time_ns": 1, "severity": "INFO", "message": ""}
                session.execute(insert(LogEntry), [{**about, "task_name": text} for text in ("", slow, "")])

    def write() -> bool:
        try:
            with other.write() as session:
                session.get_one(Job, keys[0], with_for_update=True).version = 7
        except OperationalError:
            return False
        return True

    thread = threading.Thread(target=write_many)
    thread.start()
    try:
        assert slow.sending.wait(30)
        wait_until(write)
    finally:
        slow.released.set()
        thread.join()
    hanging.close()
    other.close()
