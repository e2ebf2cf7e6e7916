"""How much memory this machine has, and how much of it processes hold."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

MB = 2**20
HELD = (b"Pss_Anon:", b"Pss_Shmem:")
"""What a process holds by itself. Pages of files are the kernel's to take back, and those that several
processes share count once among them: a trainer's data loaders look many times larger than they are."""


def find_memory(setting: int | str) -> int | None:
    """Megabytes that trials may be given in all; None: they are not counted.

    Args:
        setting: `auto` is what the machine has, or the control group that this process is in; `ignore`
            counts none; a number is one of megabytes.
    """
    match setting:
        case "auto":
            total = total_memory()
            return None if total is None else total // MB
        case "ignore":
            return None
        case _:
            return int(setting)


def total_memory() -> int | None:
    """Bytes that all trials could have together: the machine's, or what our control group may have of it."""
    with suppress(OSError, ValueError):
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return min([machine, *_group_limits()])
    return None


def held_by(pids: Iterable[int]) -> int:
    """Bytes that these processes hold in memory together. Linux only: elsewhere 0."""
    return sum(_held(pid) for pid in pids)


def _held(pid: int) -> int:
    with suppress(OSError), open(f"/proc/{pid}/smaps_rollup", "rb") as file:
        return sum(int(line.split()[1]) * 1024 for line in file if line.startswith(HELD))
    return 0  # It has ended, or is another user's.


def _group_limits(root: Path = Path("/sys/fs/cgroup"), told: Path = Path("/proc/self/cgroup")) -> list[int]:
    """What the control groups around this process allow, in bytes."""
    with suppress(OSError):
        for line in told.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers in ("", "memory"):
                own = Path(*([root, controllers] if controllers else [root]))
                name = "memory.limit_in_bytes" if controllers else "memory.max"
                inner = own / path.lstrip("/")
                places = [place / name for place in (inner, *inner.parents) if place.is_relative_to(own)]
                limits = [limit for limit in map(_read, places) if limit is not None]
                if limits:
                    return limits
    return []


def _read(file: Path) -> int | None:
    """The number in it; None if there is none, as where it says `max`."""
    with suppress(OSError, ValueError):
        return int(file.read_text())
    return None
