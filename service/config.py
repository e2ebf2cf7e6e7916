"""What the door needs to know of the house."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ClusterOffer:
    """What of a job a cluster can honour; jobs that ask for anything else are refused."""

    volume: Path
    """Below which job dirs are that are directories."""
    runtimes: frozenset[str] | None
    """runtimeVersion, or runtimeVersion/pythonVersion, of Python modules; None: any."""
    accelerators: frozenset[str]
    """Names of types; `*`: any GPU."""
    disk_types: frozenset[str]
    service_accounts: frozenset[str]
    lowest_priority: int | None
    """None: none at all."""


@dataclass(frozen=True, slots=True)
class DoorConfig:
    """Settings of the service, and what the launcher behind it can do."""

    max_body_bytes: int
    """Larger request bodies are refused with 413."""
    allowed_hosts: frozenset[str]
    """Host names that a request may be addressed to; others are refused, which defeats DNS rebinding."""
    local_paths: tuple[Path, ...] | None
    """Directories that packageUris and jobDir may name; None: any."""
    runs_containers: bool
    """Whether the launcher takes images; the local one runs Python packages."""
    objects_dir: Path | None = None
    """Where the objects of gs:// are; None: gs:// is not the service's own."""
    reads_s3: bool = False
    """Whether the library for s3:// is there; without it jobs that name such places are refused."""
    max_replicas: int = 32
    """Jobs whose trials have more are refused."""
    gpus: int | None = None
    """GPUs that trials are given in all; jobs that ask for more are refused. None: they are not counted."""
    memory_mb: int | None = None
    """Megabytes that trials are given in all; jobs that ask for more are refused. None: not counted."""
    cluster: ClusterOffer | None = None
    """None: trials run on this machine."""
    max_object_bytes: int = 16 * 2**30
    """Larger objects are refused with 413."""
    max_open_uploads: int = 1000
    """While so many are begun and not finished, others are refused with 429."""
