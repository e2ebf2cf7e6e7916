"""A job: what is run, on what, and what came of it (CONTRACT.md 2.1 to 2.4, 2.7)."""

from typing import Annotated, Any

from pydantic import FailFast, Field

from api_schemas.enums import AcceleratorType, JobState, ScaleTier
from api_schemas.hyperparameters import BuiltInAlgorithmOutput, HyperparameterOutput, HyperparameterSpec
from api_schemas.scalars import Bytes, Double, Duration, Flag, Int32, Int64, OptionalText, Text, Timestamp
from api_schemas.wire import Message, StringMap

DEFAULT_MAX_RUNNING_SECONDS = 604_800.0
"""Seven days."""

Texts = Annotated[tuple[Text, ...], FailFast()]
"""Strings; the first bad one is the error."""


class AcceleratorConfig(Message):
    """Accelerators of one replica; none when `count` is 0 and `type` is unspecified."""

    count: Int64 = 0
    type: AcceleratorType = AcceleratorType.ACCELERATOR_TYPE_UNSPECIFIED


class DiskConfig(Message):
    """The boot disk of one replica."""

    boot_disk_type: OptionalText = None
    boot_disk_size_gb: Int32 = 0


class ReplicaConfig(Message):
    """What the replicas of one role run in."""

    accelerator_config: AcceleratorConfig | None = None
    image_uri: OptionalText = None
    tpu_tf_version: OptionalText = None
    disk_config: DiskConfig | None = None
    container_command: Texts = ()
    container_args: Texts = ()


class Scheduling(Message):
    """How long a job may wait and run, and which of two waiting jobs goes first."""

    max_running_time: Duration | None = None
    max_wait_time: Duration | None = None
    priority: Int32 = 0

    @property
    def max_running_seconds(self) -> float:
        """Seconds from RUNNING on, after which the job is cancelled; 7 days by default."""
        return DEFAULT_MAX_RUNNING_SECONDS if self.max_running_time is None else float(self.max_running_time)

    @property
    def max_wait_seconds(self) -> float | None:
        """Seconds from creation to RUNNING, after which the job is cancelled; None: it may wait for ever."""
        return None if self.max_wait_time is None else float(self.max_wait_time)


class EncryptionConfig(Message):
    """The key that the job's data is encrypted with."""

    kms_key_name: OptionalText = None


class TrainingInput(Message):
    """The program, its arguments, the machines it runs on, and the search if there is one."""

    scale_tier: ScaleTier = ScaleTier.BASIC
    master_type: OptionalText = None
    master_config: ReplicaConfig | None = None
    worker_type: OptionalText = None
    worker_config: ReplicaConfig | None = None
    worker_count: Int64 = 0
    parameter_server_type: OptionalText = None
    parameter_server_config: ReplicaConfig | None = None
    parameter_server_count: Int64 = 0
    evaluator_type: OptionalText = None
    evaluator_config: ReplicaConfig | None = None
    evaluator_count: Int64 = 0
    package_uris: Texts = ()
    python_module: OptionalText = None
    args: Texts = ()
    hyperparameters: HyperparameterSpec | None = None
    region: OptionalText = None
    job_dir: OptionalText = None
    runtime_version: OptionalText = None
    python_version: OptionalText = None
    encryption_config: EncryptionConfig | None = None
    scheduling: Scheduling | None = None
    network: OptionalText = None
    service_account: OptionalText = None
    use_chief_in_tf_config: Flag = False
    enable_web_access: Flag = False

    @property
    def is_tuning(self) -> bool:
        """Whether the job searches: the presence of `hyperparameters` makes it so."""
        return self.hyperparameters is not None


class TrainingOutput(Message):
    """What came of a job; the fields of trials only for a job that searches."""

    completed_trial_count: Int64 = 0
    trials: tuple[HyperparameterOutput, ...] = ()
    consumed_ml_units: Double = Field(default=0.0, serialization_alias="consumedMLUnits")
    is_hyperparameter_tuning_job: Flag = False
    is_built_in_algorithm_job: Flag = False
    built_in_algorithm_output: BuiltInAlgorithmOutput | None = None
    hyperparameter_metric_tag: OptionalText = None
    web_access_uris: StringMap = {}


class Job(Message):
    """The resource `projects/*/jobs/*`. Times are seconds since 1970."""

    job_id: OptionalText = None
    training_input: TrainingInput | None = None
    # Batch prediction is not served: known, so that it is refused in words of its own.
    prediction_input: dict[str, Any] | None = None
    create_time: Timestamp | None = None
    start_time: Timestamp | None = None
    end_time: Timestamp | None = None
    state: JobState = JobState.STATE_UNSPECIFIED
    error_message: OptionalText = None
    training_output: TrainingOutput | None = None
    prediction_output: dict[str, Any] | None = None
    labels: StringMap = {}
    etag: Bytes = b""
    job_position: Int64 = 0


class ListJobsResponse(Message):
    """A page of jobs; `{}` on the wire when there are none."""

    jobs: tuple[Job, ...] = ()
    next_page_token: OptionalText = None
