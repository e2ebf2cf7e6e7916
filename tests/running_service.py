"""A real service for tests: `vernier serve` as a process of its own, over a data folder that outlives it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self, TypeVar

import httpx

T = TypeVar("T")
DEADLINE_SECONDS = 120.0


def wait_until(found: Callable[[], T], seconds: float = DEADLINE_SECONDS) -> T:
    """What `found` gives as soon as that is true; fails when it is not within `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = found()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {found}"
        time.sleep(0.02)


class RunningService:
    """Starts at once; `address` is known when it listens. Stopped or killed by its own process id.

    Args:
        within: a command that runs the service, given as its further arguments, in its own place.
        seen_as: the data folder, as this service sees it.
        program: what Python runs, in the place of the service's own command.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        within: Sequence[str] = (),
        seen_as: Path | None = None,
        program: Sequence[str] = ("-m", "cli.main"),
        **settings: str | float,
    ) -> None:
        self.data_dir = data_dir
        data_dir.mkdir(parents=True, exist_ok=True)
        (data_dir / "address").unlink(missing_ok=True)
        environment: Mapping[str, str] = {
            **os.environ,
            "VERNIER_POLL_SECONDS": "0.2",
            "VERNIER_RETRY_BACKOFF_SECONDS": "0.1",
            "VERNIER_SWEEP_SECONDS": "0.2",
            **{f"VERNIER_{name.upper()}": str(value) for name, value in settings.items()},
        }
        with (data_dir / "service.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *within,
                    *(sys.executable, *program, "serve", "--port", "0"),
                    *("--data-dir", str(seen_as or data_dir)),
                ],
                env=environment,
                stdout=log,
                stderr=log,
            )

    @property
    def address(self) -> str:
        told = self.data_dir / "address"

        def read() -> str:
            assert self.process.poll() is None, (self.data_dir / "service.log").read_text()[-3000:]
            return told.read_text().strip() if told.exists() else ""

        return wait_until(read)

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=f"{self.address}/v1/projects/p", timeout=30.0, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever became of the test, the service does not outlive it."""
        if self.process.poll() is None:
            self.kill()

    def kill(self) -> None:
        """As the out-of-memory killer would: no handler runs."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ctrl-C's kinder sibling; gives the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_SECONDS)
