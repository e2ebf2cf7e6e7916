"""A disk of a few megabytes for tests, which is really full when it is full.

It is a tmpfs in a mount namespace of its own, which takes no rights on most Linux machines, and goes with the
process that holds the namespace. From outside it is seen below that process's root.
"""

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

PIECE_BYTES = 2**20


class NoSmallDisk(Exception):
    """This machine lets nobody mount a file system in a namespace of its own."""


class SmallDisk:
    """Mounted when entered, at a folder that is there already.

    Attributes:
        mounted_at: the folder, as it is called where the disk is mounted.

    Raises:
        NoSmallDisk: it can't be had here.
    """

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.mounted_at = folder
        self._megabytes = megabytes

    def __enter__(self) -> Self:
        script = 'mount -t tmpfs -o "size=$2" none "$1" && echo mounted && exec cat'
        given = [str(self.mounted_at), f"{self._megabytes}m"]
        self._holder = subprocess.Popen(
            [
                "unshare",
                "--user",
                "--map-root-user",
                "--mount",
                "sh",
                "-c",
                script,
                "sh",
                *given,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._holder.stdout is not None
        said = self._holder.stdout.readline()
        if said != "mounted\n":
            self._leave()
            raise NoSmallDisk(said.strip())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    @property
    def folder(self) -> Path:
        """The disk as it is seen from outside."""
        return Path(f"/proc/{self._holder.pid}/root{self.mounted_at}")

    @property
    def within(self) -> list[str]:
        """A command that runs its further arguments where the disk is mounted."""
        enter = ["nsenter", f"--target={self._holder.pid}", "--user", "--mount", "--preserve-credentials"]
        # Who enters stands at the root.
        return [*enter, "env", f"--chdir={Path.cwd()}"]

    def fill(self, but_for: int = 0) -> None:
        """Leave no room for more than so many bytes, not even where somebody gave some back since."""
        with (self.folder / "ballast").open("ab", buffering=0) as ballast, suppress(OSError):
            while True:
                free = os.statvfs(self.folder)
                left = free.f_bavail * free.f_frsize - but_for
                if left <= 0:
                    return
                ballast.write(bytes(min(left, PIECE_BYTES)))

    def make_room(self) -> None:
        (self.folder / "ballast").unlink(missing_ok=True)

    def _leave(self) -> None:
        assert self._holder.stdin is not None
        assert self._holder.stdout is not None
        self._holder.stdin.close()
        self._holder.stdout.close()
        self._holder.wait(10)
