"""What a node leaves on the machine, taken away: when it stops, or by the next one if it was killed."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.running_service import wait_until

CGROUPS = Path("/sys/fs/cgroup")


class Leftovers:
    """A note, kept from a node's start to its end, of all that has to go with it.

    Args:
        note: the file; there is one node at a time, and it alone writes here.
        space: the network namespace that nodes live in.
        address: that of the machine's end of the link to it.
    """

    def __init__(self, note: Path, space: str, address: str) -> None:
        self._note = note
        self._space = space
        self._address = address

    def note(self, home: Path, settings: Mapping[str, str]) -> None:
        """Remember the folder of a node that starts, and {setting of the machine: its value before}."""
        self._note.write_text(json.dumps({"home": str(home), "settings": dict(settings)}))

    def clear(self) -> None:
        """Take away what the noted node has left, if anything, and the note last."""
        noted = json.loads(self._note.read_text() or "{}") if self._note.exists() else {}
        if noted:
            _kill_all(f"{noted['home']}/")
            _unmount(Path(noted["home"]))
        wait_until(self._network_is_gone, 20)
        if noted:
            for name, value in noted["settings"].items():
                subprocess.run(["sysctl", "-qw", f"{name}={value}"], check=False)
            shutil.rmtree(noted["home"], ignore_errors=True)
            self._note.unlink()

    def _network_is_gone(self) -> bool:
        """Whether nothing is left to delete. The kernel takes its time; a link goes with its namespace."""
        spaces = [line.split()[0] for line in _printed("ip", "netns")]
        ours = [space for space in spaces if space == self._space or space.startswith("cni-")]
        links = [line.split()[1] for line in _printed("ip", "-o", "addr", "show", "to", self._address)]
        for space in ours:
            subprocess.run(["ip", "netns", "del", space], capture_output=True)
        for link in links:
            subprocess.run(["ip", "link", "del", link], capture_output=True)
        return not ours and not links


def left_of(home: Path) -> list[str]:
    """What there is of the node in `home`: the folder, mounts in it, and commands that name it."""
    name = f"{home}/"
    commands = (_command(pid).replace(b"\0", b" ").decode(errors="replace") for pid in _processes())
    return [
        *([str(home)] if home.exists() else []),
        *(place for place in _mounts() if place.startswith(name)),
        *(command for command in commands if name in command),
    ]


def _kill_all(name: str) -> None:
    """End each process of a container, and each whose command line has `name` in it."""

    def found() -> list[int]:
        theirs = [pid for pid in _processes() if name.encode() in _command(pid)]
        return theirs + [pid for group in _container_groups() for pid in _members(group)]

    def ended() -> bool:
        pids = found()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return not pids

    wait_until(ended, 20)
    for group in _container_groups():
        try:
            group.rmdir()
        except OSError:
            continue


def _container_groups() -> list[Path]:
    """The control groups of a kubelet's containers, the inner ones first."""
    return [Path(folder) for folder, _, _ in os.walk(CGROUPS, topdown=False) if "kubepods" in folder]


def _members(group: Path) -> list[int]:
    try:
        return [int(line) for line in (group / "cgroup.procs").read_text().split()]
    except OSError:
        return []


def _processes() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _command(pid: int) -> bytes:
    """With a NUL after each word; empty for a process that is gone, or is a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _unmount(home: Path) -> None:
    """Take away each mount in `home`, as soon as the processes that were ended let go of it."""

    def gone() -> bool:
        places = sorted((place for place in _mounts() if place.startswith(f"{home}/")), reverse=True)
        for place in places:
            subprocess.run(["umount", place], capture_output=True)
        return not places

    wait_until(gone, 20)


def _mounts() -> list[str]:
    return [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]


def _printed(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
