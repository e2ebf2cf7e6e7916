"""One program as a process group of its own, that outlives the service and can be found again.

The program's directory holds all there is to know of it:

* `lock`: an flock that the program's processes hold. The kernel drops it when the last of them is gone, so
  "is it alive" has an answer that no crash, restart or reused process id can falsify, and two services can't
  start it twice.
* `pid`: of the group's leader, a one-line shell wrapper.
* `status`: what the program exited with, written by the wrapper. No status and no lock: it was killed from
  outside, the wrapper with it.
* `stdout.log`, `stderr.log`.

The shell sees the program and its arguments as positional parameters only; it never parses them.
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from worker.launchers.protocol import AttemptPhase, AttemptStatus

# The empty trap keeps the wrapper alive through a SIGTERM to the group, to tell how the program ended; unlike
# an ignored signal it is not inherited by the program. Its last act ends what the program left in the group,
# itself included: later, with the leader gone, only processes that still carry the mark can be found. The
# errors are the program's alone, not the shell's, which says `Killed` of one that a signal ended.
#
# On a full disk nothing is run that could not be found again, and how it ended waits until there is room to
# say it: without that it would be taken for lost, and run once more. No directory, no waiting.
WRAPPER = (
    "trap : TERM INT HUP; _vernier_pid=$1; _vernier_status=$2; _vernier_errors=$3; shift 3; "
    'echo $$ >"$_vernier_pid" || { rm -f "$_vernier_pid"; exit 1; }; '
    '(exec "$@" 2>>"$_vernier_errors"); _vernier_code=$?; '
    'until echo $_vernier_code >"$_vernier_status" || [ ! -e "$_vernier_pid" ]; do sleep 1; done; '
    "kill -KILL -$$"
)
ROOM_BYTES = 4096
"""What has to be free where a program is started, for what will be told of it."""
MARK = "VERNIER_PROCESS_GROUP"
"""Environment variable with the directory, by which processes that left the group are found."""
LAST_SIGNAL = max(signal.valid_signals())
KILL_ROUNDS = 50
"""A group that starts processes faster than this many looks can find them is left to the next look."""


class ProcessGroup:
    """The program of one directory, running, ended or not yet started."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], cwd: Path) -> int | None:
        """Start the program unless it was started or stopped before; gives the leader's id if it was now.

        Raises:
            OSError: it can't be started (no such directory, no room on the disk, no memory, no process left).
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if (
                not _try_lock(lock, fcntl.LOCK_EX)
                or self._path("pid").exists()
                or self._path("stop").exists()
            ):
                return None
            self._find_room()
            self._path("stderr.log").touch()
            with self._path("stdout.log").open("ab") as stdout:
                command = ["/bin/sh", "-c", WRAPPER, "vernier-trial"]
                files = [str(self._path(name)) for name in ("pid", "status", "stderr.log")]
                process = subprocess.Popen(
                    [*command, *files, *arguments],
                    cwd=cwd,
                    env={**environment, MARK: str(self.directory)},
                    stdin=subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=subprocess.DEVNULL,
                    pass_fds=(lock,),
                    start_new_session=True,
                )
            # Whoever waits for its end reaps it; Popen would warn of a child it never waited for.
            process.returncode = 0
            return process.pid
        finally:
            os.close(lock)

    def _find_room(self) -> None:
        room = self._path("room")
        try:
            room.write_bytes(bytes(ROOM_BYTES))
        finally:
            room.unlink(missing_ok=True)

    def status(self) -> AttemptStatus:
        """How it is. ENDED and LOST are told only once no process of it is left: those are killed first."""
        exit_code = self._exit_code()
        if exit_code is None and self._is_locked():
            return AttemptStatus(AttemptPhase.RUNNING)
        if exit_code is None:
            exit_code = self._exit_code()  # It may have ended between the two looks.
        if exit_code is None and not self._path("pid").exists():
            return AttemptStatus(AttemptPhase.ABSENT)
        self.kill()
        told = self._path("stop").exists()
        if exit_code is None:
            return AttemptStatus(AttemptPhase.LOST, None, told)
        return AttemptStatus(AttemptPhase.ENDED, exit_code, told)

    def stop(self, grace_seconds: float) -> None:
        """SIGTERM to all its processes the first time, SIGKILL once the grace is over. Does not wait.

        When it was first told is kept beside it, so a restarted service neither repeats nor forgets. What was
        not started by then never is: whoever meant to, and slept over it, comes too late.
        """
        if self._seal():
            return
        told = self._path("stop")
        try:
            waited = time.time() - told.stat().st_mtime
        except FileNotFoundError:
            if self._is_locked() and self._exit_code() is None:
                told.touch()
                self._signal(signal.SIGTERM)
            return
        # A clock set back must not keep it alive for ever.
        if waited >= grace_seconds or waited < 0:
            self._signal(signal.SIGKILL)

    def _seal(self) -> bool:
        """Keep a program that was not started from ever being; false if it was, or is being started now."""
        self.directory.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not _try_lock(lock, fcntl.LOCK_EX) or self._path("pid").exists():
                return False
            self._path("stop").touch(exist_ok=True)
            return True
        finally:
            os.close(lock)

    def kill(self) -> None:
        """SIGKILL to every process of it that is left, and to what they start meanwhile."""
        for _ in range(KILL_ROUNDS):
            if not self._signal(signal.SIGKILL):
                return

    def printed(self) -> int:
        """How many bytes it has printed."""
        total = 0
        for name in ("stdout.log", "stderr.log"):
            with suppress(OSError):
                total += self._path(name).lstat().st_size
        return total

    def processes(self) -> list[int]:
        """Ids of its processes, those that left the group included. Linux only: elsewhere none."""
        return _processes_marked(self.directory)

    def forget(self) -> None:
        """Once nothing of it is left: as if it had never been started. What it printed stays.

        So does that it was told to stop: then it is not started again.
        """
        for name in ("pid", "status"):
            self._path(name).unlink(missing_ok=True)

    def leader(self) -> int | None:
        """Process id of the group's leader, which may have ended."""
        return _read_int(self._path("pid"))

    def last_lines(self, limit: int) -> str:
        """The last `limit` bytes of standard error, or of standard output where that is empty, as text."""
        return _tail(self._path("stderr.log"), limit) or _tail(self._path("stdout.log"), limit)

    def _path(self, name: str) -> Path:
        return self.directory / name

    def _exit_code(self) -> int | None:
        code = _read_int(self._path("status"))
        # The shell tells of a signal by adding 128 to its number. What is beyond the last signal is the
        # program's own status: exit(-1) is 255.
        return 128 - code if code is not None and 128 < code <= 128 + LAST_SIGNAL else code

    def _is_locked(self) -> bool:
        try:
            lock = os.open(self._path("lock"), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            # Shared: two that only look must not take each other for the program.
            return not _try_lock(lock, fcntl.LOCK_SH)
        finally:
            os.close(lock)

    def _signal(self, number: signal.Signals) -> bool:
        """Send it to the group and to what has left the group; true if anything was there."""
        leader = self.leader()
        # A number whose process does not carry our mark was given to somebody else since.
        told = leader is not None and _carries_mark(leader, self.directory)
        if leader is not None and told:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(leader, number)
        strays = [pid for pid in _processes_marked(self.directory) if not (told and _in_group(pid, leader))]
        for pid in strays:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        return told or bool(strays)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_int(path: Path) -> int | None:
    """The number in a file; None while it is missing or half written."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    return int(text) if text.endswith("\n") else None


def _tail(path: Path, limit: int) -> str:
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - limit))
            # PostgreSQL takes no NUL in a text.
            return file.read().decode("utf-8", errors="replace").replace("\0", "")
    except FileNotFoundError:
        return ""


def _carries_mark(pid: int, directory: Path) -> bool:
    if not sys.platform.startswith("linux"):
        return True
    return _has_mark(pid, f"{MARK}={directory}".encode())


def _has_mark(pid: int | str, mark: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return mark in file.read().split(b"\0")
    except OSError:
        return False  # It has ended, or is another user's.


def _in_group(pid: int, leader: int | None) -> bool:
    try:
        return os.getpgid(pid) == leader
    except ProcessLookupError:
        return True  # It has ended: nothing to tell it.


def _processes_marked(directory: Path) -> list[int]:
    """Every process that was started, however indirectly, from the directory. Linux only: elsewhere none."""
    if not sys.platform.startswith("linux"):
        return []
    mark = f"{MARK}={directory}".encode()
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and _has_mark(entry, mark)]
