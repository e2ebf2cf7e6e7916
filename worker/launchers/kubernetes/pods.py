"""How pods are set up on a cluster: what the administrator chooses, as against what a job asks for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ANY = "*"
"""Stands for every type of accelerator that is not named."""


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
class Volume:
    """Files that pods and the service share: they have them under the same path.

    Exactly one of `claim` and `host_path` is given.
    """

    path: Path
    claim: str | None = None
    """A PersistentVolumeClaim of the namespace."""
    host_path: Path | None = None
    """A directory of every node. The `restricted` and `baseline` Pod Security levels forbid it."""

    def __post_init__(self) -> None:
        if (self.claim is None) == (self.host_path is None):
            raise ValueError("a volume is a claim or a host's path")

    def has(self, path: Path) -> bool:
        return path.is_relative_to(self.path)


@dataclass(frozen=True, slots=True)
class PodSettings:
    image: str
    """What a replica runs in whose job names no image; `python3` is found in it."""
    volume: Volume | None = None
    user: int = 1000
    """The user and the group that trainers run as; what they are to write is theirs."""
    cpu: str = "1"
    memory: str = "2Gi"
    """What each replica requests, and of memory also the most it gets."""
    accelerators: Mapping[str, Accelerator] = field(default_factory=lambda: {ANY: Accelerator()})
    """{a type's name in the API: what it is here}; types that are neither named nor `*` can't be had."""
    grace_seconds: int = 30
    """From SIGTERM to SIGKILL where it is the cluster that ends a pod."""
    pull_policy: str | None = None
    """imagePullPolicy; None: what Kubernetes makes of the image's tag."""
