"""Every setting, in one place: read once from `VERNIER_*` where the process starts, then passed down.

Imports nothing of ours.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def default_data_dir() -> Path:
    """Where the data stands unless told otherwise: the user's own data folder (XDG base directory)."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "vernier"


class KubernetesAccelerator(BaseModel):
    """What a type of accelerator is on a cluster."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    resource: str = "nvidia.com/gpu"
    """What is requested; a share of a device has a name of its own, as nvidia.com/mig-1g.10gb."""
    node_selector: dict[str, str] = Field(default_factory=dict)
    """Labels of the nodes that have it."""
    tolerations: tuple[dict[str, Any], ...] = ()
    """As in a pod's spec, for nodes that are kept for who needs it."""


class KubernetesMachine(BaseModel):
    """What a machine type, or a scale tier, is on a cluster."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cpu: str | None = None
    memory: str | None = None
    """Unset: as for all others."""
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: tuple[dict[str, Any], ...] = ()


class Settings(BaseSettings):
    """What can be set. Each field is read from the variable `VERNIER_` + its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="VERNIER_", frozen=True, extra="ignore")

    data_dir: Path = Field(default_factory=default_data_dir)
    """Database, logs, packages and trials' working directories."""
    host: str = "127.0.0.1"
    """Address to listen on. Anything but loopback is refused while there is no authentication."""
    port: int = Field(default=8080, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    database_url: str | None = None
    """SQLAlchemy URL; by default SQLite in the data folder."""
    broker_url: str = "memory://localhost"
    """Celery's broker; by default inside the process."""

    launcher: Literal["local", "kubernetes"] = "local"
    """Where trials run: as processes of this machine, or as Jobs of a Kubernetes cluster."""
    kubernetes_namespace: str | None = None
    """The namespace of the Jobs. Unset: the one of the kubeconfig's current context."""
    kubernetes_image: str | None = None
    """The image in which Python modules run, with `python3`, and pip for packages. Unset: none but those that
    `kubernetes_runtimes` names."""
    kubernetes_runtimes: dict[str, str] = Field(default_factory=dict)
    """A JSON object: the image for each runtimeVersion, or runtimeVersion/pythonVersion, of jobs that name no
    image; for all others it is `kubernetes_image`."""
    kubernetes_claim: str | None = None
    """A PersistentVolumeClaim that holds the data folder, of which pods get what they write to. With neither
    this nor `kubernetes_host_path` pods share no files with the service."""
    kubernetes_host_path: Path | None = None
    """Where every node has the data folder, as on a cluster of one machine; instead of a claim."""
    kubernetes_secrets: Annotated[tuple[str, ...], NoDecode] = ()
    """Secrets of the namespace, separated by `,`, whose keys are variables of every trial: credentials with
    which trials write to a store. Unset: none."""
    kubernetes_user: int = Field(default_factory=lambda: os.geteuid() or 1000, ge=1)
    """The user and group number that pods run as; by default the service's own, or 1000 if that is root."""
    kubernetes_cpu: str = "1"
    """What each replica requests of a node's CPUs, as Kubernetes writes quantities."""
    kubernetes_memory: str = "2Gi"
    """What each replica requests of a node's memory, and gets at most."""
    kubernetes_patience_seconds: float = Field(default=120.0, ge=0)
    """How long an image that can't be had, or a pod that can't be started, is waited for."""
    kubernetes_accelerators: dict[str, KubernetesAccelerator] = Field(
        default_factory=lambda: {"*": KubernetesAccelerator()}
    )
    """A JSON object: what each type of accelerator of the API is on the cluster; `*` is any other type."""

    kubernetes_machines: dict[str, KubernetesMachine] = Field(default_factory=dict)
    """A JSON object: what machine types and scale tiers are on the cluster; others are like all."""
    kubernetes_disk_types: dict[str, dict[str, str]] = Field(default_factory=dict)
    """A JSON object: the labels of the nodes that have each bootDiskType; others are refused."""
    kubernetes_service_accounts: dict[str, str] = Field(default_factory=dict)
    """A JSON object: the namespace's service account for each serviceAccount of jobs; others are refused."""
    kubernetes_priorities: dict[int, str] = Field(default_factory=dict)
    """A JSON object: the PriorityClass of jobs from each scheduling.priority on; lower ones are refused."""
    kubernetes_queue: str | None = None
    """The LocalQueue of Kueue that trials wait in; unset: none."""

    slots: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    """CPU slots of this machine, which all jobs share; by default its cores. Each replica of a trial takes
    `cpus_per_replica` of them; a trial that needs more than there are has them all."""
    cpus_per_replica: int = Field(default=1, ge=1)
    """Slots that each replica of a trial takes."""
    gpus: str = "auto"
    """GPUs that trials are given: their numbers, as in `0,1`; `auto` asks nvidia-smi, and leaves GPUs alone
    where it finds none; `ignore` leaves them alone; `none` says that there are none."""
    memory_mb: Annotated[int, Field(ge=1)] | Literal["auto", "ignore"] = "auto"
    """Megabytes of memory, of 2^20 bytes, that trials are given in all, if their jobs ask for some; `auto` is
    what the machine has, or the control group that the service is in; `ignore` lets any have any."""
    max_replicas: int = Field(default=32, ge=1)
    """Replicas that a trial may have, its master included; jobs that ask for more are refused."""
    trial_python: Path = Path(sys.executable)
    """The interpreter that runs trainers; by default the service's own. Trainers see its packages."""
    local_paths: Annotated[tuple[Path, ...] | None, NoDecode] = None
    """Directories that packageUris and jobDir may name, separated by `:`. Unset: any, since the embedded
    service acts for the user who started it; every path counts as given by that user."""
    max_package_bytes: int = Field(default=512 * 2**20, ge=1)
    """The largest package that is fetched over http(s)."""
    max_output_bytes: int = Field(default=2**30, ge=1024)
    """What each replica of a trial may print; one that prints more is stopped, and its trial failed."""
    max_disk_bytes: int | None = Field(default=None, ge=1024)
    """What a trial may have in its working directories and add to its job dir. Unset: any."""
    max_body_bytes: int = Field(default=10 * 2**20, ge=1024)
    """The largest request body."""
    object_store: Literal["own", "google"] = "own"
    """What gs:// means: the service's own store in the data folder, or Google Cloud Storage."""
    max_object_bytes: int = Field(default=16 * 2**30, ge=1024)
    """The largest object that the service's own store takes."""
    max_open_uploads: int = Field(default=1000, ge=1)
    """Resumable uploads to it that can be begun and not finished; further ones are refused."""

    sweep_seconds: float = Field(default=0.5, gt=0)
    """How often jobs that are due are looked for, should a message about one be lost."""
    poll_seconds: float = Field(default=0.5, gt=0)
    """How often a running job's metrics are read."""
    lease_seconds: float = Field(default=30.0, gt=1)
    """How long a worker may hold a job without renewing."""
    suggest_seconds: float = Field(default=10.0, gt=0)
    """How long a search may take for a suggestion, at most half a lease; then a quasi-random one is tried."""
    stop_grace_seconds: float = Field(default=10.0, ge=0)
    """From SIGTERM to SIGKILL when a trial is stopped."""
    trouble_seconds: float = Field(default=10.0, gt=0)
    """How long a job is left alone after looking at it failed unexpectedly; the log says why."""
    max_lost_attempts: int = Field(default=3, ge=0)
    """How often a trial that failed through no fault of its own is started again."""
    retry_backoff_seconds: float = Field(default=5.0, ge=0)
    """How long that waits the first time; each further time twice as long, up to five minutes."""
    retention: Literal["keep", "compact", "remove"] = "keep"
    """What becomes of ended jobs: `compact` lets go of what no answer shows, `remove` of their logs, curves
    and working directories too. Job dirs are never touched."""
    retention_days: float = Field(default=30.0, gt=0)
    """After how many days since the job's end."""
    worker_threads: int = Field(default=4, ge=1)
    """Jobs that are looked at in parallel."""
    log_format: Literal["console", "json"] = "console"
    """How log lines are written to standard error."""

    @field_validator("local_paths", mode="before")
    @classmethod
    def _split_paths(cls, value: object) -> object:
        return (
            tuple(Path(part) for part in value.split(os.pathsep) if part) if isinstance(value, str) else value
        )

    @field_validator("kubernetes_secrets", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @field_validator("data_dir", mode="after")
    @classmethod
    def _make_absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @property
    def effective_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir / 'vernier.sqlite3'}"

    @property
    def jobs_dir(self) -> Path:
        """`<project>/<job>` below it hold what belongs to one job."""
        return self.data_dir / "jobs"

    @property
    def objects_dir(self) -> Path | None:
        """What is behind gs:// when that is the service's own; None when it is Google's."""
        return self.data_dir / "objects" if self.object_store == "own" else None
