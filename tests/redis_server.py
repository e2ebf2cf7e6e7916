"""A real Redis for tests: a process of its own, on a Unix socket in a folder that goes with it."""

import shutil
import signal
import subprocess
from typing import Any

import redis

from tests.running_service import wait_until
from tests.temporary_server import TemporaryServer


class NoRedis(Exception):
    """This machine has no Redis server: install one, as with `apt-get install redis-server`."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class RedisServer(TemporaryServer):
    """Starts when entered, and answers then; `url` is Celery's. It keeps nothing on the disk.

    Raises:
        NoRedis: there is none to start.
    """

    prefix = "vernier-redis-"

    def __init__(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise NoRedis
        self._program = program

    @property
    def url(self) -> str:
        return f"redis+socket://{self._home}/socket"

    def connect(self) -> "redis.Redis":
        """A connection to look at what is in it, and to disturb it."""
        return redis.Redis(unix_socket_path=f"{self._home}/socket")

    def start(self) -> None:
        """Start again where it was stopped, with nothing in it."""
        options = {"port": "0", "unixsocket": f"{self._home}/socket", "save": "", "appendonly": "no"}
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        with (self._home / "server.log").open("ab") as output:
            self._process = subprocess.Popen(
                [self._program, *arguments], stdout=output, stderr=output, cwd=self._home
            )
        try:
            wait_until(self._answers)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    def stop(self) -> None:
        """As a machine that goes down: what it held is gone."""
        self._process.kill()
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def _answers(self) -> Any:
        assert self._process.poll() is None, (self._home / "server.log").read_text()[-3000:]
        with self.connect() as connection:
            try:
                return connection.ping()
            except redis.ConnectionError:
                return False
