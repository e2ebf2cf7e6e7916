"""A real S3 server and a Cloud Storage server for tests: processes of their own, on loopback if not told
otherwise.

What they hold is gone with them.
"""

import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from tests.kubernetes.programs import installed
from tests.object_stores.programs import FAKE_GCS, MINIO
from tests.running_service import wait_until
from tests.temporary_server import TemporaryServer


class Server(TemporaryServer):
    """Starts when entered, and answers then."""

    prefix = "vernier-objects-"

    module: str
    ready: str
    """A path that answers once the server does."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._program = installed(self.module)
        self.host = host
        self.address = ""

    def _begin(self) -> None:
        with socket.socket() as taken:
            taken.bind((self.host, 0))
            self.port: int = taken.getsockname()[1]
        self.address = f"http://{self.host}:{self.port}"
        self.start()

    def start(self) -> None:
        """Start again where it was stopped."""
        with (self._home / "server.log").open("ab") as output:
            self._process = subprocess.Popen(
                [str(self._program), *self.arguments(self._home)],
                env={"PATH": "/usr/bin:/bin", "HOME": str(self._home), **self.variables()},
                cwd=self._home,
                stdout=output,
                stderr=output,
            )
        try:
            wait_until(self._answers)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """As a machine that goes down."""
        self._process.kill()
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def arguments(self, home: Path) -> Sequence[str]:
        raise NotImplementedError

    def variables(self) -> Mapping[str, str]:
        return {}

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self._home / "server.log").read_text()[-3000:]
        try:
            return httpx.get(f"{self.address}{self.ready}", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False


class Minio(Server):
    """S3; `environment` is what a client of it is told by, in the standard variables."""

    module, ready = MINIO, "/minio/health/ready"
    user, password = "tests", "tests-only-secret"

    def arguments(self, home: Path) -> Sequence[str]:
        return ("server", "--quiet", "--address", f"{self.host}:{self.port}", str(home / "data"))

    def variables(self) -> Mapping[str, str]:
        # Nothing of it is to leave this machine, nor to be looked at in a browser.
        return {
            "MINIO_ROOT_USER": self.user,
            "MINIO_ROOT_PASSWORD": self.password,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
        }

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": self.user,
            "AWS_SECRET_ACCESS_KEY": self.password,
            "AWS_REGION": "us-east-1",
        }


class FakeGcs(Server):
    """Google Cloud Storage; `environment` is what a client of it is told by."""

    module, ready = FAKE_GCS, "/_internal/healthcheck"

    def arguments(self, home: Path) -> Sequence[str]:
        told = {
            "scheme": "http",
            "host": self.host,
            "port": str(self.port),
            "backend": "filesystem",
            "filesystem-root": str(home / "data"),
            "external-url": self.address,
            "public-host": f"{self.host}:{self.port}",
        }
        return [f"-{name}={value}" for name, value in told.items()]

    @property
    def environment(self) -> dict[str, str]:
        return {"STORAGE_EMULATOR_HOST": self.address}
