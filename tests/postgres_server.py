"""A real PostgreSQL server for tests and benchmarks: a process of its own, over a folder that goes with it.

PostgreSQL refuses to run as root; there, the server runs as `postgres`, or `nobody` where that user is
missing. It listens on a Unix socket alone, so that neither another server nor a taken port gets in its way.
"""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from tests.running_service import wait_until
from tests.temporary_server import TemporaryServer

DEBIAN = Path("/usr/lib/postgresql")
"""Debian keeps the programs of each version below it, outside PATH."""
UNPRIVILEGED = ("postgres", "nobody")
ROLE = "vernier"
INITDB = ("--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")


class NoPostgres(Exception):
    """This machine has no PostgreSQL server: install one, as with `apt-get install postgresql`."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


def server_programs() -> Path:
    """The folder of `initdb` and `postgres`, the newest of several.

    Raises:
        NoPostgres: there is none.
    """
    found = shutil.which("postgres")
    if found is not None and shutil.which("initdb", path=str(Path(found).resolve().parent)):
        return Path(found).resolve().parent
    versions = [path for path in DEBIAN.glob("*/bin") if (path / "initdb").exists()]
    if not versions:
        raise NoPostgres
    return max(versions, key=lambda path: float(path.parent.name))


class PostgresServer(TemporaryServer):
    """Starts when entered, and accepts connections then; `url` is SQLAlchemy's, of an empty database.

    Args:
        durable: whether a commit waits for the disk, as it does unless told otherwise; tests need not.
    """

    prefix = "vernier-postgres-"

    def __init__(self, *, durable: bool = False) -> None:
        self._durable = durable
        self._programs = server_programs()
        self._numbers = count(1)

    def stop(self) -> None:
        """Go away, as for maintenance: who is connected is not any more."""
        # SIGINT is the server's "fast" shutdown: it disconnects who is there and ends cleanly.
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(30)
        finally:
            self._process.kill()
            self._process.wait()

    def start(self) -> None:
        """Come back, with all that was there."""
        options = {"listen_addresses": "", "unix_socket_directories": str(self._home)}
        if not self._durable:
            options |= {"fsync": "off", "full_page_writes": "off"}
        data, log = self._home / "data", self._home / "server.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", data, *(f"--{name}={options[name]}" for name in options)],
                stdout=output,
                stderr=output,
                cwd=self._home,
                **_account(),
            )

        def accepts() -> bool:
            assert self._process.poll() is None, log.read_text()[-3000:]
            try:
                self._run("SELECT 1")
            except psycopg.OperationalError:
                return False
            return True

        try:
            wait_until(accepts)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    @property
    def url(self) -> str:
        return self.url_of(ROLE)

    def url_of(self, database: str) -> str:
        """SQLAlchemy's URL of one of the server's databases."""
        return f"postgresql+psycopg://{ROLE}@/{database}?host={self._home}"

    def create_database(self, template: str = "template1") -> str:
        """Make a database of its own for someone, like the template; gives its name."""
        name = f"database_{next(self._numbers)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop_database(self, name: str) -> None:
        """Take it away again, whoever is connected to it."""
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """The URL of a database that is gone afterwards."""
        name = self.create_database(template)
        try:
            yield self.url_of(name)
        finally:
            self.drop_database(name)

    def _begin(self) -> None:
        account = _account()
        if account:
            os.chown(self._home, pwd.getpwnam(account["user"]).pw_uid, -1)
        subprocess.run(
            [self._programs / "initdb", "-D", self._home / "data", "-U", ROLE, *INITDB],
            check=True,
            capture_output=True,
            cwd=self._home,
            **account,
        )
        self.start()
        try:
            self._run(f"CREATE DATABASE {ROLE}")
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    def _run(self, statement: str) -> None:
        maintenance = psycopg.connect(host=str(self._home), user=ROLE, dbname="postgres", autocommit=True)
        with maintenance as connection:
            connection.execute(statement.encode())


def _account() -> dict[str, Any]:
    """Arguments for a process that must not be root's; nothing where we are not root."""
    if os.geteuid() != 0:
        return {}
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": name, "group": entry.pw_gid, "extra_groups": []}
    raise NoPostgres
