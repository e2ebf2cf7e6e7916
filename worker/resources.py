"""What a trial takes of the machine: CPU slots, and GPUs or shares of them.

CPUs are shared by the kernel, so a trial that asks for more than there are has them all to itself. A GPU's
memory is not: no device is ever given away by more than 100 percent.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from api_schemas.accelerators import WHOLE, gpu_percent, gpus_by_role
from api_schemas.jobs import TrainingInput
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


@dataclass(frozen=True, slots=True)
class Need:
    """What one trial of a job needs."""

    cpus: int
    gpus: Mapping[str, int] = field(default_factory=dict)
    """{name of a replica: how many devices}; those that need none are left out."""
    percent: int = WHOLE
    """Of each device."""

    def __str__(self) -> str:
        cpus = "1 CPU slot" if self.cpus == 1 else f"{self.cpus} CPU slots"
        if not self.gpus:
            return cpus
        count = sum(self.gpus.values())
        gpus = "1 GPU" if count == 1 else f"{count} GPUs"
        return f"{cpus} and {gpus if self.percent == WHOLE else f'{self.percent} percent of {gpus}'}"


@dataclass(frozen=True, slots=True)
class Share:
    """What one attempt has been given."""

    cpus: int
    gpus: Mapping[str, Sequence[str]] | None = None
    """{name of a replica: its devices}; None: they are not counted."""
    percent: int = WHOLE

    def to_json(self) -> dict[str, Any]:
        """The share as a JSON object that `from_json` reads."""
        gpus = None if self.gpus is None else {name: list(devices) for name, devices in self.gpus.items()}
        return {"cpus": self.cpus, "gpus": gpus, "percent": self.percent}

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> "Share":
        """Read what `to_json` gave; None stands for an attempt of an earlier release, which has one slot."""
        return cls(1) if data is None else cls(data["cpus"], data["gpus"], data["percent"])

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
    if machine.gpus is None:
        return Need(cpus)
    by_role = gpus_by_role(given)
    asked = {replica.name: by_role.get(FIELDS[replica.role], 0) for replica in replicas}
    try:
        percent = gpu_percent(labels)
    except ValueError:
        percent = WHOLE  # The label was changed since the job was accepted.
    return Need(cpus, {name: count for name, count in asked.items() if count}, percent)


def find_share(machine: Machine, taken: Sequence[Share], need: Need) -> Share | None:
    """What a trial that needs this can be given beside what is taken; None if it has to wait."""
    if machine.cpus - sum(share.cpus for share in taken) < need.cpus:
        return None
    if machine.gpus is None:
        return Share(need.cpus)
    used = dict.fromkeys(machine.gpus, 0)
    for share in taken:
        for devices in (share.gpus or {}).values():
            for device in devices:
                used[device] = used.get(device, 0) + share.percent
    # First so that whole devices stay free for whom needs them; if that fails, spread out.
    fullest: Callable[[int], int] = lambda percent: -percent  # noqa: E731
    emptiest: Callable[[int], int] = lambda percent: percent  # noqa: E731
    for order in (fullest, emptiest):
        gpus = _devices(machine.gpus, dict(used), need, order)
        if gpus is not None:
            return Share(need.cpus, gpus, need.percent)
    return None


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
