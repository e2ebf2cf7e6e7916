"""A real service for tests, of processes started apart, on PostgreSQL and Redis: API, two workers and a beat.

Looks to a test as a `RunningService` does.
"""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

import httpx

from store.database import Database
from tests.running_service import wait_until

API, WORKERS, BEAT = "api", ("worker-1", "worker-2"), "beat"


class RunningCluster:
    """All of them start at once; each is stopped, killed or started again by its name."""

    def __init__(self, data_dir: Path, database_url: str, broker_url: str, **settings: str | float) -> None:
        self.data_dir = data_dir
        data_dir.mkdir(parents=True, exist_ok=True)
        database = Database(database_url)
        database.upgrade()
        database.close()
        given = {
            "poll_seconds": 0.2,
            "sweep_seconds": 0.2,
            "retry_backoff_seconds": 0.1,
            "database_url": database_url,
            "broker_url": broker_url,
            "data_dir": data_dir,
            "port": 0,
            **settings,
        }
        self._environment = {
            **os.environ,
            **{f"VERNIER_{name.upper()}": str(value) for name, value in given.items()},
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        for name in (API, *WORKERS, BEAT):
            self.start(name)

    def start(self, name: str) -> None:
        """Start the process of this name, which is not there or was stopped."""
        with self._log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "cli.main", name.partition("-")[0]],
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    def said(self, name: str) -> str:
        """All that the process of this name has printed."""
        return self._log(name).read_text(errors="replace")

    @property
    def address(self) -> str:
        def read() -> str:
            assert self.processes[API].poll() is None, self.said(API)[-3000:]
            found = re.findall(r"^The API is at (http://\S+)/v1/", self.said(API), re.M)
            return found[-1] if found else ""

        return wait_until(read)

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=f"{self.address}/v1/projects/p", timeout=30.0, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever became of the test, no process outlives it."""
        for process in self.processes.values():
            process.kill()
            process.wait()

    def kill(self, name: str) -> None:
        """As the out-of-memory killer would: no handler runs."""
        self.processes[name].kill()
        self.processes[name].wait()

    def stop(self) -> int:
        """Ctrl-C's kinder sibling, for all; gives the highest exit status."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        return max(process.wait(30) for process in self.processes.values())

    def _log(self, name: str) -> Path:
        return self.data_dir / f"{name}.log"
