"""Rules that a well-typed job must keep (docs/contract.md 1.9, 2.2 to 2.4).

Violations say what would be right.

Paths are snake_case and relative to `training_input`, as the old service told them; those of the job itself
are bare names. Two things the old service required are optional here, since a machine of one's own has
neither: `region`, and a `runtimeVersion` for package jobs.
"""

import re
from collections.abc import Iterator, Mapping

from api_schemas.enums import AcceleratorType, ScaleTier
from api_schemas.errors import FieldViolation
from api_schemas.jobs import Job, ReplicaConfig, Scheduling, TrainingInput
from api_schemas.names import MAX_LABELS, job_id_problem, label_problem, shortened
from api_schemas.search_rules import hyperparameter_violations

MAX_PACKAGES = 100
MIN_WAIT_SECONDS = 1800.0
MAX_PRIORITY = 1000
MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
COMPUTE_ENGINE = re.compile(r"[a-z]\d[a-z]?-\w+-\d+.*")
KMS_KEY = re.compile(r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+")
TPU_HOST = "cloud_tpu"
"""The machine of a TPU worker, which goes with masters of either family and carries accelerators."""
ROLES = ("worker", "parameter_server", "evaluator")


def job_violations(job: Job) -> Iterator[FieldViolation]:
    """Everything that is wrong with a job, in the order of its fields."""
    problem = job_id_problem(job.job_id or "") if job.job_id else "A job needs a jobId."
    if problem is not None:
        yield FieldViolation("job_id", problem)
    yield from label_violations(job.labels)
    if job.prediction_input is not None:
        yield FieldViolation("prediction_input", "Batch prediction is not served; give a training_input.")
    elif job.training_input is None:
        yield FieldViolation("training_input", "A job needs a trainingInput.")
    else:
        yield from training_violations(job.training_input)


def label_violations(labels: Mapping[str, str]) -> Iterator[FieldViolation]:
    """Everything that is wrong with a job's labels."""
    if len(labels) > MAX_LABELS:
        yield FieldViolation("labels", f"At most {MAX_LABELS} labels; these are {len(labels)}.")
    for key, value in list(labels.items())[: MAX_LABELS + 1]:
        wrong = label_problem(key, value)
        if wrong is not None:
            yield FieldViolation("labels", wrong)


def training_violations(given: TrainingInput) -> Iterator[FieldViolation]:
    """Everything that is wrong with a trainingInput."""
    yield from _machine_violations(given)
    yield from _program_violations(given)
    for role in ("master", *ROLES):
        config = getattr(given, f"{role}_config")
        if config is not None:
            yield from _replica_violations(f"{role}_config", config, getattr(given, f"{role}_type"), given)
    if given.scheduling is not None:
        yield from _scheduling_violations(given.scheduling)
    key = given.encryption_config.kms_key_name if given.encryption_config is not None else None
    if key and not KMS_KEY.fullmatch(key):
        form = "projects/P/locations/R/keyRings/K/cryptoKeys/C"
        yield FieldViolation("encryption_config.kms_key_name", f"Must have the form {form}.")
    if given.hyperparameters is not None:
        yield from hyperparameter_violations(given.hyperparameters)


def _machine_violations(given: TrainingInput) -> Iterator[FieldViolation]:
    custom = given.scale_tier == ScaleTier.CUSTOM
    if custom and not given.master_type:
        yield FieldViolation("master_type", "Scale tier CUSTOM needs a masterType, such as n1-standard-4.")
    if given.master_type and not custom:
        yield FieldViolation("master_type", "Is only for scale tier CUSTOM; set scaleTier to CUSTOM.")
    family = _is_compute_engine(given.master_type)
    for role in ROLES:
        count, machine = getattr(given, f"{role}_count") or 0, getattr(given, f"{role}_type")
        if count < 0:
            yield FieldViolation(f"{role}_count", f"Must not be negative; it is {count}.")
        if count > 0 and not custom:
            yield FieldViolation(f"{role}_count", "Is only for scale tier CUSTOM; set scaleTier to CUSTOM.")
        if count > 0 and custom and not machine:
            yield FieldViolation(f"{role}_type", f"Is needed, since {role}_count is {count}.")
        same_family = TPU_HOST in (machine, given.master_type) or _is_compute_engine(machine) == family
        if machine and given.master_type and not same_family:
            yield FieldViolation(
                f"{role}_type",
                f"'{shortened(machine)}' is of another family than '{shortened(given.master_type)}'; "
                "use Compute Engine machine types for all roles, or legacy ones for all.",
            )


def _program_violations(given: TrainingInput) -> Iterator[FieldViolation]:
    has_image = given.master_config is not None and bool(given.master_config.image_uri)
    if not given.python_module and not has_image:
        yield FieldViolation("python_module", "Is needed, unless masterConfig.imageUri names a container.")
    if given.python_module and not MODULE.fullmatch(given.python_module):
        named = shortened(given.python_module)
        yield FieldViolation("python_module", f"'{named}' is not a module's name, such as trainer.task.")
    if not given.package_uris and not has_image:
        yield FieldViolation("package_uris", "At least one package is needed, unless there is an image.")
    if len(given.package_uris) > MAX_PACKAGES:
        yield FieldViolation("package_uris", f"At most {MAX_PACKAGES}; these are {len(given.package_uris)}.")
    for index, uri in enumerate(given.package_uris[:MAX_PACKAGES]):
        if not uri.strip():
            yield FieldViolation(f"package_uris[{index}]", "Is empty; it must name a package.")
    if has_image and given.runtime_version:
        yield FieldViolation("runtime_version", "Is not for containers; leave it out or drop the image.")


def _replica_violations(
    path: str, config: ReplicaConfig, machine: str | None, given: TrainingInput
) -> Iterator[FieldViolation]:
    image = config.image_uri or (given.master_config.image_uri if given.master_config is not None else None)
    for field in ("container_command", "container_args"):
        if not getattr(config, field):
            continue
        if not image:
            yield FieldViolation(f"{path}.{field}", "Needs a custom container: give imageUri.")
        if given.args:
            yield FieldViolation(f"{path}.{field}", "Excludes trainingInput.args; give one of the two.")
    accelerator = config.accelerator_config
    if accelerator is not None:
        count, kind = accelerator.count or 0, accelerator.type or AcceleratorType.ACCELERATOR_TYPE_UNSPECIFIED
        at = f"{path}.accelerator_config"
        if count < 0:
            yield FieldViolation(f"{at}.count", f"Must not be negative; it is {count}.")
        if count > 0 and not kind:
            known = ", ".join(name for name in AcceleratorType.__members__ if "UNSPECIFIED" not in name)
            yield FieldViolation(f"{at}.type", f"Is needed for {count} accelerators: one of {known}.")
        if kind and count == 0:
            yield FieldViolation(f"{at}.count", f"Is needed for accelerators of type {kind.name}: 1 or more.")
        if count > 0 and machine and machine != TPU_HOST and not _is_compute_engine(machine):
            yield FieldViolation(at, f"Is only for Compute Engine machine types, not '{shortened(machine)}'.")
    disk = config.disk_config
    if disk is not None:
        if disk.boot_disk_type and disk.boot_disk_type not in ("pd-ssd", "pd-standard"):
            yield FieldViolation(f"{path}.disk_config.boot_disk_type", "Must be pd-ssd or pd-standard.")
        if (disk.boot_disk_size_gb or 0) < 0:
            yield FieldViolation(f"{path}.disk_config.boot_disk_size_gb", "Must not be negative.")


def _scheduling_violations(scheduling: Scheduling) -> Iterator[FieldViolation]:
    running, waiting = scheduling.max_running_time, scheduling.max_wait_time
    if running is not None and running < 0:
        yield FieldViolation("scheduling.max_running_time", f"Must be more than 0s; it is {running:g}s.")
    if waiting is not None and waiting != 0 and waiting < MIN_WAIT_SECONDS:
        yield FieldViolation("scheduling.max_wait_time", f"Must be at least 1800s; it is {waiting:g}s.")
    if not 0 <= (scheduling.priority or 0) <= MAX_PRIORITY:
        yield FieldViolation("scheduling.priority", f"Must be from 0 to 1000; it is {scheduling.priority}.")


def _is_compute_engine(machine: str | None) -> bool:
    """As opposed to a legacy machine type such as `complex_model_m_gpu`."""
    return machine is not None and COMPUTE_ENGINE.fullmatch(machine) is not None
