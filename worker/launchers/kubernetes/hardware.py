"""What a replica needs of a node, as the settings translate it: machine types, accelerators and disks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from api_schemas.accelerators import row_of
from worker.launchers.kubernetes.pods import Accelerator, MachineType, PodSettings
from worker.launchers.protocol import Container, LaunchFailed

DISK = "ephemeral-storage"
"""What a pod has of its node's disk."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """None and nothing: as for all others."""

    cpu: str | None = None
    memory: str | None = None
    limits: Mapping[str, str] = field(default_factory=dict)
    """{resource: how much of it} besides CPUs and memory."""
    requests: Mapping[str, str] = field(default_factory=dict)
    """{resource: how much of it} where that is not the limit."""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()

    def nodes(self) -> dict[str, Any]:
        """What of a pod says which nodes it may run on."""
        chosen: dict[str, Any] = {}
        if self.node_selector:
            chosen["nodeSelector"] = dict(self.node_selector)
        if self.tolerations:
            chosen["tolerations"] = [dict(each) for each in self.tolerations]
        return chosen


def hardware_of(container: Container, settings: PodSettings) -> Hardware:
    """What a replica's container runs on.

    Raises:
        LaunchFailed: it asks for what this cluster has not.
    """
    machine = settings.machines.get(container.machine, MachineType())
    limits, labels, tolerations = {}, dict(machine.node_selector), list(machine.tolerations)
    if container.accelerators:
        accelerator = _accelerator(container, settings)
        limits[accelerator.resource] = str(container.accelerators)
        labels |= accelerator.node_selector
        tolerations += accelerator.tolerations
    requests = {}
    if settings.max_disk_bytes is not None:
        # Without a request of its own the most that it may have would be kept free for it.
        most = min(settings.max_disk_bytes, container.disk_gb * 10**9 or settings.max_disk_bytes)
        limits[DISK] = str(most)
        requests[DISK] = str(most if container.disk_gb else 0)
    elif container.disk_gb:
        limits[DISK] = f"{container.disk_gb}G"
    if container.disk_type:
        if container.disk_type not in settings.disk_types:
            known = ", ".join(sorted(settings.disk_types)) or "none"
            raise LaunchFailed(
                f"this cluster has no disks of type {container.disk_type}; VERNIER_KUBERNETES_DISK_TYPES has "
                f"{known}"
            )
        labels |= settings.disk_types[container.disk_type]
    return Hardware(machine.cpu, machine.memory, limits, requests, labels, tuple(tolerations))


def _accelerator(container: Container, settings: PodSettings) -> Accelerator:
    row = row_of(container.accelerator, settings.accelerators)
    if row is None:
        known = ", ".join(sorted(settings.accelerators)) or "none"
        raise LaunchFailed(
            f"this cluster has no accelerator {container.accelerator}; it has: {known}. "
            "VERNIER_KUBERNETES_ACCELERATORS says so"
        )
    return settings.accelerators[row]
