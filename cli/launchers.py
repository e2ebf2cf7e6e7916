"""The launcher that the settings ask for."""

import math
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cli.data_folder import CannotServe
from settings import Settings
from worker.launchers.gpus import find_gpus
from worker.launchers.limits import Limits
from worker.launchers.local import LocalLauncher
from worker.launchers.machine_memory import find_memory
from worker.launchers.protocol import JobRef
from worker.resources import Machine

if TYPE_CHECKING:
    from worker.launchers.kubernetes.launcher import KubernetesLauncher

UNCOUNTED = 1000
"""Replicas side by side on a cluster, which has its own scheduler, unless VERNIER_SLOTS says otherwise."""
UNCOUNTED_MB = 2**40
"""Their memory, unless VERNIER_MEMORY_MB says otherwise: more than there is anywhere."""


def make_launcher(
    settings: Settings, ended: Callable[[JobRef], None]
) -> "LocalLauncher | KubernetesLauncher":
    """The launcher, which calls `ended` with the job of which something has ended.

    Raises:
        CannotServe: a cluster can't be used, or something is missing for it.
    """
    if settings.launcher == "kubernetes":
        return _kubernetes(settings, ended)
    return LocalLauncher(
        jobs_dir=settings.jobs_dir,
        trial_python=settings.trial_python,
        slots=settings.slots,
        max_package_bytes=settings.max_package_bytes,
        ended=ended,
        objects_dir=settings.objects_dir,
        stop_grace_seconds=settings.stop_grace_seconds,
        gpus=find_gpus(settings.gpus),
        cpus_per_replica=settings.cpus_per_replica,
        limits=Limits(settings.max_output_bytes, settings.max_disk_bytes),
        memory=find_memory(settings.memory_mb),
    )


def _kubernetes(settings: Settings, ended: Callable[[JobRef], None]) -> "KubernetesLauncher":
    from worker.launchers.kubernetes.api import (
        INSTALL_HINT,
        JOBS,
        ApiServer,
        Refused,
        Unreachable,
        is_installed,
    )
    from worker.launchers.kubernetes.launcher import KubernetesLauncher
    from worker.launchers.kubernetes.pods import Accelerator, MachineType, PodSettings, Volume

    setting = "VERNIER_LAUNCHER=kubernetes"
    if not is_installed():
        raise CannotServe(f"{setting} needs the package kubernetes: {INSTALL_HINT}.")
    claim, host_path = settings.kubernetes_claim, settings.kubernetes_host_path
    if claim is not None and host_path is not None:
        raise CannotServe(
            f"{setting} needs to know how pods reach the data folder: VERNIER_KUBERNETES_CLAIM or "
            "VERNIER_KUBERNETES_HOST_PATH may say, not both."
        )
    has_volume = claim is not None or host_path is not None
    try:
        api = ApiServer(namespace=settings.kubernetes_namespace)
        api.list(JOBS, "vernier/owner=none")
    except (Unreachable, Refused) as error:
        raise CannotServe(f"{setting}: {error}") from error
    pods = PodSettings(
        image=settings.kubernetes_image,
        volume=Volume(settings.data_dir, claim, host_path) if has_volume else None,
        runtimes=settings.kubernetes_runtimes,
        secrets=settings.kubernetes_secrets,
        user=settings.kubernetes_user,
        cpu=settings.kubernetes_cpu,
        memory=settings.kubernetes_memory,
        max_disk_bytes=settings.max_disk_bytes,
        accelerators={
            kind: Accelerator(each.resource, each.node_selector, each.tolerations)
            for kind, each in settings.kubernetes_accelerators.items()
        },
        machines={
            name: MachineType(each.cpu, each.memory, each.node_selector, each.tolerations)
            for name, each in settings.kubernetes_machines.items()
        },
        disk_types=settings.kubernetes_disk_types,
        service_accounts=settings.kubernetes_service_accounts,
        priorities=settings.kubernetes_priorities,
        queue=settings.kubernetes_queue,
        patience_seconds=settings.kubernetes_patience_seconds,
        grace_seconds=max(1, math.ceil(settings.stop_grace_seconds)),
    )
    given = settings.model_fields_set
    machine = Machine(
        cpus=settings.slots if "slots" in given else UNCOUNTED,
        memory=UNCOUNTED_MB if settings.memory_mb == "auto" else find_memory(settings.memory_mb),
    )
    owner = _owner(settings.data_dir)
    return KubernetesLauncher(
        api,
        owner,
        pods,
        settings.jobs_dir,
        machine,
        ended,
        settings.objects_dir,
        max_package_bytes=settings.max_package_bytes,
        max_output_bytes=settings.max_output_bytes,
    )


def _owner(data_dir: Path) -> str:
    """What marks all that belongs to this data folder on a cluster: made once, by whoever comes first."""
    file = data_dir / "kubernetes-owner"
    if not file.exists():
        part = file.with_suffix(f".{os.getpid()}")
        part.write_text(secrets.token_hex(6))
        with suppress(FileExistsError):
            os.link(part, file)
        part.unlink()
    return file.read_text()
