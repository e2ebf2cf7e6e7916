"""How much memory attempts take, and whether the kernel killed processes for want of it.

Beside what an attempt's group keeps in its directory stand

    oom    a counter of the kernel's, and what it was when the attempt began
    peak   a line in bytes for each time that more was seen than before

Linux only: elsewhere nothing is known.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from worker.launchers.machine_memory import total_memory
from worker.launchers.protocol import MemoryUse

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
SCAN_SECONDS = 1.0
"""Between two looks at the machine's processes, at least."""
SCAN_SHARE = 50
"""And at least so many times as long as the last of them took."""


class MemoryWatch:
    """Sees what running attempts take, and keeps the most of it. May be used from several threads."""

    def __init__(self, proc: Path = PROC, clock: Callable[[], float] = time.monotonic) -> None:
        self._proc = proc
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: dict[int, list[int]] = {}
        self._next_scan = -1.0

    def begin(self, directory: Path) -> None:
        """Note what the kernel has killed before the attempt in this directory, unless that was noted."""
        note = directory / "oom"
        if not note.exists():
            counter = _counter()
            directory.mkdir(parents=True, exist_ok=True)
            note.write_text(f"{_kills(counter)} {counter}")

    def look(self, directory: Path, leaders: Iterable[int]) -> None:
        """See now and then what all processes take, together, of the sessions that these lead."""
        processes = [pid for leader in leaders for pid in self._not_yet_seen(leader)]
        if processes:
            _keep(directory, _taken(self._proc, processes))

    def ended(self, directory: Path, largest: int) -> None:
        """Take in what the kernel says of a leader that has ended: the most that one of its processes took.

        Args:
            largest: bytes; of a small one what our own process has taken, since it was forked from that.
        """
        if largest > _field(_status(self._proc, "self"), "VmHWM"):
            _keep(directory, largest)

    def _not_yet_seen(self, leader: int) -> Sequence[int]:
        """The session's processes, once for each look at all of the machine's."""
        with self._lock:
            began = self._clock()
            if began >= self._next_scan:
                self._sessions = _sessions(self._proc)
                self._next_scan = began + max(SCAN_SECONDS, SCAN_SHARE * (self._clock() - began))
            return self._sessions.pop(leader, ())


def memory_use(directory: Path) -> MemoryUse:
    """What is known of the attempt in this directory, which may have been begun by an earlier service."""
    try:
        kills, _, counter = (directory / "oom").read_text().partition(" ")
        # A counter that went back has begun anew, with the machine.
        killed = max(0, _kills(Path(counter)) - int(kills))
    except (OSError, ValueError):
        killed = 0
    return MemoryUse(_kept(directory), killed, total_memory())


def _keep(directory: Path, taken: int) -> None:
    if taken > (_kept(directory) or 0):
        # A full disk must not keep the attempt from being looked at. Lines are added, never replaced: two who
        # see something at once lose nothing.
        with suppress(OSError), (directory / "peak").open("a") as file:
            file.write(f"{taken}\n")


def _kept(directory: Path) -> int | None:
    try:
        lines = (directory / "peak").read_text().splitlines()
    except OSError:
        return None
    return max((int(line) for line in lines if line.isdigit()), default=None)


def _sessions(proc: Path) -> dict[int, list[int]]:
    """{number of a session, which is its leader's: processes}, of all processes of the machine."""
    found: dict[int, list[int]] = {}
    with suppress(OSError):
        for entry in os.listdir(proc):
            if entry.isdigit():
                with suppress(OSError, IndexError, ValueError):
                    # The name stands in parentheses and may hold any of them, and spaces.
                    fields = (proc / entry / "stat").read_text().rpartition(")")[2].split()
                    found.setdefault(int(fields[3]), []).append(int(entry))
    return found


def _taken(proc: Path, processes: Sequence[int]) -> int:
    """Bytes that these take together, what they share counted once; at least the most that one ever took."""
    statuses = [_status(proc, pid) for pid in processes]
    largest = max(_field(status, "VmHWM") for status in statuses)
    sizes = [_field(status, "VmRSS") for status in statuses]
    if sum(sizes) - max(sizes) > max(sizes) // 10:
        # More than one and its shell. To ask what they share takes long, so that is not asked of others.
        parts = [_proportional(proc, pid) for pid in processes]
        sizes = [size if part is None else part for part, size in zip(parts, sizes, strict=True)]
    return max(largest, sum(sizes))


def _proportional(proc: Path, pid: int) -> int | None:
    """What a process takes, of shared memory its part; None where that is not to be told."""
    try:
        return _field(_fields((proc / str(pid) / "smaps_rollup").read_text()), "Pss")
    except ProcessLookupError:
        return 0  # It has ended.
    except OSError:
        return None


def _status(proc: Path, pid: int | str) -> Mapping[str, str]:
    try:
        return _fields((proc / str(pid) / "status").read_text(errors="replace"))
    except OSError:
        return {}  # It has ended.


def _fields(text: str) -> Mapping[str, str]:
    return {name: value for name, _, value in (line.partition(":") for line in text.splitlines())}


def _field(fields: Mapping[str, str], name: str) -> int:
    """Bytes of a field in kB; 0 where it is missing, as of kernel threads and zombies."""
    value = fields.get(name, "").split()
    return 1024 * int(value[0]) if value else 0


def _counter() -> Path:
    """Where the kernel counts what it killed for want of memory: nearer to us where it can be told."""
    own = _own_cgroup() / "memory.events"
    return own if own.exists() else PROC / "vmstat"


def _kills(counter: Path) -> int:
    """What the counter's file says; 0 where it says nothing."""
    with suppress(OSError, ValueError):
        for line in counter.read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    return 0


def _own_cgroup() -> Path:
    """The directory of our control group, of the second version, which the trials share."""
    with suppress(OSError):
        for line in (PROC / "self" / "cgroup").read_text().splitlines():
            if line.startswith("0::/"):
                return CGROUPS / line.removeprefix("0::/")
    return CGROUPS
