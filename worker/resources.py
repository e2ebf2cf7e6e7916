"""What a trial takes of the machine: CPU slots, memory, and GPUs or shares of them.

CPUs are shared by the kernel, so a trial that asks for more than there are has them all to itself. Memory is
not, nor is a GPU's: neither is ever given away beyond what there is. Who asks for no memory is given none,
and may use it all the same.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from api_schemas.accelerators import WHOLE, gpu_percent, gpus_by_role
from api_schemas.jobs import TrainingInput
from api_schemas.memory import memory_mb
from worker.cluster import Replica, Role, replicas_of

FIELDS = {
    Role.MASTER: "master",
    Role.WORKER: "worker",
    Role.PS: "parameter_server",
    Role.EVALUATOR: "evaluator",
}


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is in all."""

    cpus: int
    gpus: tuple[str, ...] | None = None
    """Devices, as CUDA_VISIBLE_DEVICES names them; None: they are not counted, and trials see them all."""
    cpus_per_replica: int = 1
    memory: int | None = None
    """Megabytes; None: they are not counted."""


@dataclass(frozen=True, slots=True)
class Need:
    """What one trial of a job needs."""

    cpus: int
    gpus: Mapping[str, int] = field(default_factory=dict)
    """{name of a replica: how many devices}; those that need none are left out."""
    percent: int = WHOLE
    """Of each device."""
    memory: int = 0
    """Megabytes, of all replicas."""

    def __str__(self) -> str:
        parts = ["1 CPU slot" if self.cpus == 1 else f"{self.cpus} CPU slots"]
        if self.memory:
            parts.append(f"{self.memory} MB of memory")
        if self.gpus:
            count = sum(self.gpus.values())
            gpus = "1 GPU" if count == 1 else f"{count} GPUs"
            parts.append(gpus if self.percent == WHOLE else f"{self.percent} percent of {gpus}")
        return _listed(parts)


@dataclass(frozen=True, slots=True)
class Share:
    """What one attempt has been given."""

    cpus: int
    gpus: Mapping[str, Sequence[str]] | None = None
    """{name of a replica: its devices}; None: they are not counted."""
    percent: int = WHOLE
    memory: int = 0
    """Megabytes, of all replicas."""

    def to_json(self) -> dict[str, Any]:
        """The share as a JSON object that `from_json` reads."""
        gpus = None if self.gpus is None else {name: list(devices) for name, devices in self.gpus.items()}
        return {"cpus": self.cpus, "gpus": gpus, "percent": self.percent, "memory": self.memory}

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> "Share":
        """Read what `to_json` gave; None stands for an attempt of an earlier release, which has one slot."""
        if data is None:
            return cls(1)
        return cls(data["cpus"], data["gpus"], data["percent"], data.get("memory", 0))

    def visible_devices(self, replica: Replica) -> dict[str, str]:
        """The variables that show a replica its devices and no others."""
        if self.gpus is None:
            return {}
        # Counted as nvidia-smi counts, not by speed.
        devices = ",".join(self.gpus.get(replica.name, ()))
        return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": devices}


def need_of(given: TrainingInput, labels: Mapping[str, str], machine: Machine) -> Need:
    """What each trial of a job needs of this machine."""
    replicas = replicas_of(given)
    cpus = min(machine.cpus, machine.cpus_per_replica * len(replicas))
    memory = 0 if machine.memory is None else len(replicas) * _as_labelled(memory_mb, labels, 0)
    if machine.gpus is None:
        return Need(cpus, memory=memory)
    by_role = gpus_by_role(given)
    asked = {replica.name: by_role.get(FIELDS[replica.role], 0) for replica in replicas}
    percent = _as_labelled(gpu_percent, labels, WHOLE)
    return Need(cpus, {name: count for name, count in asked.items() if count}, percent, memory)


def _as_labelled(read: Callable[[Mapping[str, str]], int], labels: Mapping[str, str], otherwise: int) -> int:
    try:
        return read(labels)
    except ValueError:
        return otherwise  # The label was changed since the job was accepted.


def find_share(machine: Machine, taken: Sequence[Share], need: Need) -> Share | None:
    """What a trial that needs this can be given beside what is taken; None if it has to wait."""
    if machine.cpus - sum(share.cpus for share in taken) < need.cpus:
        return None
    free = math.inf if machine.memory is None else machine.memory - sum(share.memory for share in taken)
    # Who needs none is not in the way where more is taken than there is now.
    if need.memory > max(0, free):
        return None
    if machine.gpus is None:
        return Share(need.cpus, memory=need.memory)
    used = _used(machine.gpus, taken)
    # First so that whole devices stay free for whom needs them; if that fails, spread out.
    fullest: Callable[[int], int] = lambda percent: -percent  # noqa: E731
    emptiest: Callable[[int], int] = lambda percent: percent  # noqa: E731
    for order in (fullest, emptiest):
        gpus = _devices(machine.gpus, dict(used), need, order)
        if gpus is not None:
            return Share(need.cpus, gpus, need.percent, need.memory)
    return None


def free_of(machine: Machine, taken: Sequence[Share], need: Need) -> str:
    """How much is free of what is needed, as in `free are 3 of 4 CPU slots and 0 of 2 GPUs`."""
    parts = [f"{max(0, machine.cpus - sum(share.cpus for share in taken))} of {machine.cpus} CPU slots"]
    if need.memory and machine.memory is not None:
        free = max(0, machine.memory - sum(share.memory for share in taken))
        parts.append(f"{free} of {machine.memory} MB of memory")
    if need.gpus and machine.gpus is not None:
        used = _used(machine.gpus, taken)
        fitting = sum(used[device] + need.percent <= WHOLE for device in machine.gpus)
        parts.append(f"{fitting} of {len(machine.gpus)} GPUs")
    return f"free are {_listed(parts)}"


def _listed(parts: Sequence[str]) -> str:
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last


def _used(gpus: Sequence[str], taken: Sequence[Share]) -> dict[str, int]:
    """Percent that is taken of each device, and of those that are gone."""
    used = dict.fromkeys(gpus, 0)
    for share in taken:
        for devices in (share.gpus or {}).values():
            for device in devices:
                used[device] = used.get(device, 0) + share.percent
    return used


def _devices(
    devices: Sequence[str], used: dict[str, int], need: Need, order: Callable[[int], int]
) -> dict[str, list[str]] | None:
    given = {}
    for name, count in sorted(need.gpus.items(), key=lambda item: -item[1]):
        fitting = [device for device in devices if used[device] + need.percent <= WHOLE]
        if len(fitting) < count:
            return None
        chosen = sorted(fitting, key=lambda device: order(used[device]))[:count]
        for device in chosen:
            used[device] += need.percent
        given[name] = [device for device in devices if device in chosen]
    return given
