"""How pods are set up on a cluster: what the administrator chooses, as against what a job asks for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api_schemas.accelerators import ANY
from worker.launchers.protocol import Runtime

TOLD_SECONDS = 1
"""The activeDeadlineSeconds of a pod that is told to end. One that has a limit of its own has more."""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """What a type of accelerator is on this cluster."""

    resource: str = "nvidia.com/gpu"
    """What is requested; a share of a device has a name of its own, as nvidia.com/mig-1g.10gb."""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    """Labels of the nodes that have it."""
    tolerations: tuple[Mapping[str, Any], ...] = ()
    """As in a pod's spec, for nodes that are kept for who needs it."""


@dataclass(frozen=True, slots=True)
class MachineType:
    """What a machine type or a scale tier is on this cluster."""

    cpu: str | None = None
    memory: str | None = None
    """None: as for all others."""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Volume:
    """Files that pods and the service share: they have them under the same path.

    Of what is on it a pod has only what it is to write to and what is for all. Exactly one of `claim` and
    `host_path` is given.
    """

    path: Path
    """Where the service has the whole of it."""
    claim: str | None = None
    """A PersistentVolumeClaim of the namespace."""
    host_path: Path | None = None
    """A directory of every node. The `restricted` and `baseline` Pod Security levels forbid it."""
    for_all: tuple[Path, ...] = ()
    """Directories below `path` that every pod has."""

    def __post_init__(self) -> None:
        if (self.claim is None) == (self.host_path is None):
            raise ValueError("a volume is a claim or a host's path")

    def has(self, path: Path) -> bool:
        """Whether it can be given to pods: it is on the volume, and not all of it."""
        return path.is_relative_to(self.path) and path != self.path and ".." not in path.parts


@dataclass(frozen=True, slots=True)
class PodSettings:
    image: str | None
    """What a replica runs in whose job names no image, unless `runtimes` says better; `python3` is found in
    it. None: such can't be run."""
    volume: Volume | None = None
    """None: pods share no files with the service. They have neither packages nor job dirs that are
    directories, and what cloudml-hypertune reports is had of them when they have ended (`reports.py`)."""
    runtimes: Mapping[str, str] = field(default_factory=dict)
    """{runtimeVersion, or runtimeVersion/pythonVersion: image}"""
    secrets: tuple[str, ...] = ()
    """Secrets of the namespace whose keys are variables of every trial, as credentials for a store."""
    user: int = 1000
    """The user and the group that trainers run as; what they are to write is theirs."""
    cpu: str = "1"
    memory: str = "2Gi"
    """What each replica requests, and of memory also the most it gets."""
    max_disk_bytes: int | None = None
    """The most that a replica may have of its node's disk, the volume not counted; None: any."""
    accelerators: Mapping[str, Accelerator] = field(default_factory=lambda: {ANY: Accelerator()})
    """{a type's name in the API: what it is here}; types that are neither named nor `*` can't be had."""
    machines: Mapping[str, MachineType] = field(default_factory=dict)
    """{machine type or scale tier: what it is here}; others are like all."""
    disk_types: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """{bootDiskType: labels of the nodes that have it}"""
    service_accounts: Mapping[str, str] = field(default_factory=dict)
    """{a job's serviceAccount: the namespace's}"""
    priorities: Mapping[int, str] = field(default_factory=dict)
    """{lowest scheduling.priority: PriorityClass}"""
    queue: str | None = None
    """The LocalQueue of Kueue that lets Jobs in; None: they need none."""
    grace_seconds: int = 30
    """From SIGTERM to SIGKILL, whoever ends a pod. At least 1."""
    patience_seconds: float = 120.0
    """How long an image that can't be had, or a container that can't be started, is waited for."""
    pull_policy: str | None = None
    """imagePullPolicy; None: what Kubernetes makes of the image's tag."""

    def image_for(self, runtime: Runtime) -> str | None:
        """The image for Python modules of this runtime; None: there is none."""
        asked = (f"{runtime.version}/{runtime.python}", runtime.version)
        return next((self.runtimes[each] for each in asked if each in self.runtimes), self.image)

    def priority_class(self, priority: int) -> str | None:
        """The class of jobs of this priority; None: there is none."""
        fitting = [lowest for lowest in self.priorities if lowest <= priority]
        return self.priorities[max(fitting)] if fitting else None
