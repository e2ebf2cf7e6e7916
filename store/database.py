"""Connections and transactions.

`Database.write()` is one transaction: it commits at the end or leaves nothing behind. On SQLite it begins
IMMEDIATE, so two writers queue up instead of failing halfway when both want to upgrade from reading. On
PostgreSQL writers meet at the rows they lock: who changes what it has read locks it first (`lock_job`,
`hold_lease`).
"""

import errno
import math
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from enum import Enum, auto
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import Session, sessionmaker

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 30.0
"""How long a SQLite writer waits for another one."""

KEPT_OPEN, MORE_IN_A_RUSH = 20, 30
"""Connections. Together more than there are threads that ask, 40 of the server and a few of the worker: where
writers wait for each other, each with a connection, readers must still get one."""

REST_SECONDS = 1.0
"""After which a connection may have gone, with the server or with a router on the way."""

PATIENCE_SECONDS = 30.0
CONNECT_SECONDS = 5
MIGRATING = 0x7665726E69657200
"""PostgreSQL's advisory lock of who changes the schema."""


class Schema(Enum):
    """How a database's tables stand to this program."""

    CURRENT = auto()
    OLDER = auto()
    """Upgrading makes them current; so it does where there are none."""
    UNKNOWN = auto()
    """A newer program has made them."""


class Database:
    """A pool of connections to one database.

    `url` is a SQLAlchemy URL, such as `sqlite:////data/vernier.sqlite3`. May be shared by threads; a session
    may not.

    Args:
        patience_seconds: on PostgreSQL, how long a transaction may stand still before the server ends it, and
            how long another waits for what it holds. A process that hangs in the middle of one must not keep
            the others from its rows for ever.

    Raises:
        sqlalchemy.exc.ArgumentError: the URL is none.
        ImportError: its driver is not installed.
    """

    def __init__(self, url: str, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.url = make_url(url)
        waits = (
            {}
            if self.is_sqlite or "connect_timeout" in self.url.query
            else {"connect_timeout": CONNECT_SECONDS}
        )
        self.engine: Engine = create_engine(
            self.url,
            connect_args=waits,
            pool_size=KEPT_OPEN,
            max_overflow=MORE_IN_A_RUSH,
        )
        reading = self.engine
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            event.listen(self.engine, "connect", _prepare_postgresql(patience_seconds))
            event.listen(self.engine, "begin", _begin_postgresql)
            event.listen(self.engine, "checkin", _note_rest)
            event.listen(self.engine, "checkout", _ping_after_rest(self.engine))
            self._send_statements_whole()
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
    def is_sqlite(self) -> bool:
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
        """Bring the schema to the newest revision; does nothing where it is there already.

        All of it or nothing. Of several that try at once, one does it and the others wait.
        """
        config = _migrations()
        with self.engine.execution_options(writes=True).begin() as connection:
            if not self.is_sqlite:
                # Migrating a large database may take longer than a transaction is to be waited for.
                connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATING})")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def schema(self) -> Schema:
        """How the tables stand to this program; changes nothing.

        Raises:
            sqlalchemy.exc.OperationalError: the database can't be reached.
        """
        with self.engine.connect() as connection:
            revisions = MigrationContext.configure(connection).get_current_heads()
        script = ScriptDirectory.from_config(_migrations())
        if set(revisions) == set(script.get_heads()):
            return Schema.CURRENT
        known = {each.revision for each in script.walk_revisions()}
        return Schema.OLDER if set(revisions) <= known else Schema.UNKNOWN

    def damage(self) -> str | None:
        """What is wrong with a SQLite file that can be read, the first that is found; None if nothing is.

        Reads all of it. Readers and writers go on meanwhile.

        Raises:
            sqlalchemy.exc.DatabaseError: it can't even be read.
        """
        with self.engine.connect() as connection:
            found = str(connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar())
        return None if found == "ok" else " ".join(found.split())

    def backup(self, file: Path) -> None:
        """Copy a SQLite database as it is at one moment. Readers and writers go on meanwhile.

        Raises:
            OSError: the file is there already, or can't be written. What was begun is taken away.
        """
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            with closing(sqlite3.connect(file)) as copy, closing(self.engine.raw_connection()) as source:
                connection: Any = source.driver_connection
                connection.backup(copy)
        except sqlite3.Error as error:
            file.unlink(missing_ok=True)
            raise OSError(errno.EIO, str(error)) from error
        except BaseException:
            file.unlink(missing_ok=True)
            raise

    def close(self) -> None:
        self.engine.dispose()

    def _send_statements_whole(self) -> None:
        """Never be halfway through a statement for longer than it takes to send it.

        The driver sends a statement for many rows as a stream, row by row. A process that hangs in the middle
        of one is busy, as the server sees it, however long that takes: no timeout ends its transaction.
        """
        dialect = self.engine.dialect
        # Rows to insert go into one statement; the counts of several updates are not added up.
        dialect.use_insertmanyvalues_wo_returning = True
        dialect.supports_sane_multi_rowcount = False
        event.listen(self.engine, "do_executemany", _execute_each)


def _migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


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


def _prepare_postgresql(patience_seconds: float) -> Callable[[Any, Any], None]:
    milliseconds = max(1, int(patience_seconds * 1000))

    def prepare(connection: Any, _: Any) -> None:
        connection.autocommit = True
        connection.execute(f"SET idle_in_transaction_session_timeout = {milliseconds}")
        connection.execute(f"SET lock_timeout = {milliseconds}")
        connection.autocommit = False

    return prepare


def _note_rest(_: Any, record: Any) -> None:
    record.info["rests_since"] = time.monotonic()


def _ping_after_rest(engine: Engine) -> Callable[[Any, Any, Any], None]:
    """See that a connection is still there before it is used, unless it just was: that is a request more."""

    def ping(connection: Any, record: Any, _: Any) -> None:
        rests_since = record.info.get("rests_since", math.inf)
        if time.monotonic() - rests_since > REST_SECONDS:
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error as error:
                raise DisconnectionError from error  # The pool makes another.

    return ping


def _execute_each(cursor: Any, statement: str, many: Sequence[Any], _: Any) -> bool:
    for parameters in many:
        cursor.execute(statement, parameters)
    return True


def _begin_postgresql(connection: Any) -> None:
    options = connection.get_execution_options()
    if options.get("writes", False) and not options.get("durable", True):
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")
