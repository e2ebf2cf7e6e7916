"""A job and what it is made of (docs/contract.md 2.1 to 2.4).

The answer's own parts (trainingOutput, states, times) are in the description below, and are written by the
service straight from its rows; nothing reads them.
"""

from typing import Annotated, Any

from pydantic import Field

from api_schemas.enums import AcceleratorType, ScaleTier
from api_schemas.hyperparameters import HyperparameterSpec
from api_schemas.scalars import WRITES_NAME, Boolean, Duration, Int32, Int64, Message, Text, Texts, reads

DEFAULT_MAX_RUNNING_SECONDS = 604800.0


class AcceleratorConfig(Message):
    """How many accelerators of which type; 0 of the unspecified type means none."""

    count: Int64 | None = None
    type: Annotated[AcceleratorType, reads(AcceleratorType), WRITES_NAME] | None = None


class DiskConfig(Message):
    boot_disk_type: Text | None = None
    boot_disk_size_gb: Int32 | None = None


class ReplicaConfig(Message):
    """The container and the hardware of one role."""

    image_uri: Text | None = None
    accelerator_config: AcceleratorConfig | None = None
    container_command: Texts = Field(default_factory=list)
    container_args: Texts = Field(default_factory=list)
    disk_config: DiskConfig | None = None
    tpu_tf_version: Text | None = None


class EncryptionConfig(Message):
    kms_key_name: Text | None = None


class Scheduling(Message):
    """How long the job may wait and run."""

    max_running_time: Duration | None = None
    max_wait_time: Duration | None = None
    priority: Int32 | None = None

    @property
    def max_running_seconds(self) -> float:
        return self.max_running_time or DEFAULT_MAX_RUNNING_SECONDS

    @property
    def max_wait_seconds(self) -> float | None:
        """None: as long as it takes."""
        return self.max_wait_time or None


class TrainingInput(Message):
    """What to run, on what, and the search around it."""

    scale_tier: Annotated[ScaleTier, reads(ScaleTier), WRITES_NAME] | None = None
    master_type: Text | None = None
    worker_type: Text | None = None
    parameter_server_type: Text | None = None
    evaluator_type: Text | None = None
    worker_count: Int64 | None = None
    parameter_server_count: Int64 | None = None
    evaluator_count: Int64 | None = None
    master_config: ReplicaConfig | None = None
    worker_config: ReplicaConfig | None = None
    parameter_server_config: ReplicaConfig | None = None
    evaluator_config: ReplicaConfig | None = None
    package_uris: Texts = Field(default_factory=list)
    python_module: Text | None = None
    args: Texts = Field(default_factory=list)
    hyperparameters: HyperparameterSpec | None = None
    region: Text | None = None
    job_dir: Text | None = None
    runtime_version: Text | None = None
    python_version: Text | None = None
    encryption_config: EncryptionConfig | None = None
    scheduling: Scheduling | None = None
    network: Text | None = None
    service_account: Text | None = None
    use_chief_in_tf_config: Boolean | None = None
    enable_web_access: Boolean | None = None

    @property
    def is_tuning(self) -> bool:
        return self.hyperparameters is not None


class Job(Message):
    """A job as a client sends it."""

    job_id: Text | None = None
    training_input: TrainingInput | None = None
    labels: dict[str, Text] = Field(default_factory=dict)

    # What only the service writes. Accepted in a request, since clients send back what they got; never read.
    state: Any = None
    create_time: Any = None
    start_time: Any = None
    end_time: Any = None
    error_message: Any = None
    etag: Any = None
    job_position: Any = None
    wait_reason: Any = None
    training_output: Any = None
    prediction_input: Any = None
    prediction_output: Any = None


OUTPUT_ONLY = frozenset(
    {
        "state",
        "create_time",
        "start_time",
        "end_time",
        "error_message",
        "etag",
        "job_position",
        "wait_reason",
        "training_output",
        "prediction_output",
    }
)
