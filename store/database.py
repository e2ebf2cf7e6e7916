"""Connections and transactions.

`Database.write()` is one transaction: it commits at the end or leaves nothing behind. On SQLite it begins
IMMEDIATE, so two writers queue up instead of failing halfway when both want to upgrade from reading.
"""

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


class Database:
    """A pool of connections to one database.

    `url` is a SQLAlchemy URL, such as `sqlite:////data/vernier.sqlite3`. May be shared by threads; a session
    may not.
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.engine: Engine = create_engine(self.url, pool_pre_ping=not self._is_sqlite)
        if self._is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self._read = sessionmaker(self.engine, expire_on_commit=False, autoflush=False)
        self._write = {
            durable: sessionmaker(
                self.engine.execution_options(writes=True, durable=durable),
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
            durable: False lets SQLite answer before the disk has the commit, which is quicker: a crash of any
                process loses nothing, a loss of power may undo it. For what means nothing after one, since
                every process that acted on it is gone too.
        """
        with self._write[durable].begin() as session:
            yield session

    def upgrade(self) -> None:
        """Bring the schema to the newest revision; does nothing where it is there already."""
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self.engine.execution_options(writes=True).begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def close(self) -> None:
        self.engine.dispose()


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
    connection.exec_driver_sql("BEGIN IMMEDIATE")
