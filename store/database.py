"""Connections and transactions.

`Database.write()` is one transaction: it commits at the end or leaves nothing behind. On SQLite it begins
IMMEDIATE, so two writers queue up instead of failing halfway when both want to upgrade from reading. On
PostgreSQL writers meet at the rows they lock: who changes what it has read locks it first (`lock_job`,
`hold_lease`).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session, sessionmaker

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 30.0
"""How long a SQLite writer waits for another one."""

KEPT_OPEN, MORE_IN_A_RUSH = 20, 30
"""Connections. Together more than there are threads that ask, 40 of the server and a few of the worker: where
writers wait for each other, each with a connection, readers must still get one."""


class Database:
    """A pool of connections to one database.

    `url` is a SQLAlchemy URL, such as `sqlite:////data/vernier.sqlite3`. May be shared by threads; a session
    may not.
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.engine: Engine = create_engine(
            self.url,
            pool_size=KEPT_OPEN,
            max_overflow=MORE_IN_A_RUSH,
            pool_pre_ping=not self._is_sqlite,
        )
        reading = self.engine
        if self._is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            event.listen(self.engine, "begin", _begin_postgresql)
            # One snapshot a transaction, which SQLite gives unasked.
            reading = self.engine.execution_options(isolation_level="REPEATABLE READ")
        self._read = sessionmaker(reading, expire_on_commit=False, autoflush=False)
        self._turn = _Turn()
        self._write = {
            durable: sessionmaker(
                self.engine.execution_options(writes=True, durable=durable, turn=self._turn),
                expire_on_commit=False,
                autoflush=True,
            )
            for durable in (True, False)
        }

    @property
    def _is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one snapshot and changes nothing."""
        with self._read() as session:
            yield session

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Session]:
        """A session whose changes are committed together when the block ends, or not at all.

        Args:
            durable: False lets the database answer before the disk has the commit, which is quicker: a crash
                of this process loses nothing, a loss of power may undo it. For what means nothing after one,
                since every process that acted on it is gone too.
        """
        try:
            with self._write[durable].begin() as session:
                yield session
        finally:
            self._turn.give_back()

    def upgrade(self) -> None:
        """Bring the schema to the newest revision; does nothing where it is there already."""
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self.engine.execution_options(writes=True).begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def close(self) -> None:
        self.engine.dispose()


class _Turn:
    """Lets the threads of this process write to SQLite one after the other.

    SQLite by itself has a writer that finds another one sleep, longer each time, and try again: under load
    some sleep for seconds while late comers slip in. That is left for other processes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mine = threading.local()

    def take(self) -> None:
        """Wait for it. Who does not get it in time goes on without, to where SQLite says that it is busy."""
        if not self._is_mine():
            self._mine.taken = self._lock.acquire(timeout=BUSY_SECONDS)

    def give_back(self) -> None:
        """Unless this thread does not have it."""
        if self._is_mine():
            self._mine.taken = False
            self._lock.release()

    def _is_mine(self) -> bool:
        return getattr(self._mine, "taken", False)


def _prepare_sqlite(connection: Any, _: Any) -> None:
    # The driver's own transaction handling begins too late and never IMMEDIATE: we send BEGIN ourselves.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    options = connection.get_execution_options()
    if not options.get("writes", False):
        connection.exec_driver_sql("BEGIN")
        return
    # With WAL, NORMAL keeps the file sound through a crash of the process; FULL also keeps the last commits
    # through a loss of power. An accepted job must not be lost, so FULL is what a writer gets unasked.
    level = "FULL" if options.get("durable", True) else "NORMAL"
    connection.exec_driver_sql(f"PRAGMA synchronous = {level}")
    turn: _Turn | None = options.get("turn")
    if turn is not None:
        turn.take()
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_postgresql(connection: Any) -> None:
    options = connection.get_execution_options()
    if options.get("writes", False) and not options.get("durable", True):
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")
