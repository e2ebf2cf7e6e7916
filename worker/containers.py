"""What the replicas of each role run in (docs/contract.md 4.1): images, their arguments and accelerators."""

from collections.abc import Sequence

from api_schemas.accelerators import gpus_by_role
from api_schemas.enums import ScaleTier
from api_schemas.jobs import DiskConfig, ReplicaConfig, TrainingInput
from worker.cluster import Role, replicas_of
from worker.launchers.protocol import Container
from worker.resources import FIELDS


def containers_of(training_input: TrainingInput, flags: Sequence[str]) -> dict[Role, Container]:
    """The container of each role that has replicas.

    Args:
        flags: what follows the user's own arguments: values and the job dir.
    """
    gpus = gpus_by_role(training_input)
    containers = {}
    for role in {replica.role for replica in replicas_of(training_input)}:
        own = _config(training_input, role)
        # A role without an image of its own runs what the master runs.
        running = own if own.image_uri else _config(training_input, Role.MASTER)
        args = (*(running.container_args or training_input.args or ()), *flags)
        asked = own.accelerator_config
        accelerator = asked.type if asked is not None else None
        disk = own.disk_config or DiskConfig()
        containers[role] = Container(
            image=running.image_uri or None,
            command=tuple(running.container_command),
            args=args if running.image_uri else (),
            accelerator=accelerator.name if accelerator is not None else "",
            # A TPU is no GPU, and is for the platform to know or not.
            accelerators=gpus.get(FIELDS[role], 0) or (asked.count or 0 if asked is not None else 0),
            machine=_machine(training_input, role),
            disk_gb=disk.boot_disk_size_gb or 0,
            disk_type=disk.boot_disk_type or "",
        )
    return containers


def _machine(training_input: TrainingInput, role: Role) -> str:
    tier = training_input.scale_tier
    if tier not in (None, ScaleTier.CUSTOM):
        return tier.name
    return getattr(training_input, f"{FIELDS[role]}_type") or ""


def _config(training_input: TrainingInput, role: Role) -> ReplicaConfig:
    config: ReplicaConfig | None = getattr(training_input, f"{FIELDS[role]}_config")
    return config if config is not None else ReplicaConfig()
