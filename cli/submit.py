"""How flags and the `--config` file become the job to post: gcloud's rules (docs/contract.md 7.2), pure.

A flag that is given overrides the file's value; what the file says beyond the flags is passed on as it is,
for the service to judge. Departures from gcloud, each because a laptop is no cloud:

* `region` is sent only when given: the embedded service has none.
* `packageUris` in the file are kept when neither `--packages` nor `--package-path` is given. gcloud empties
  them, which silently loses what the user wrote.
* `enableWebAccess` is sent only when given, so that the job reads back as it was written.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cli.errors import UsageError

SCALE_TIERS = ("basic", "standard-1", "premium-1", "basic-gpu", "basic-tpu", "custom")
_KMS_KEY = re.compile(r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+")


@dataclass(frozen=True, kw_only=True)
class ReplicaFlags:
    """What the flags say about one role; None where a flag was not given."""

    machine_type: str | None = None
    count: int | None = None
    accelerator: str | None = None  # "type=T,count=N"
    image_uri: str | None = None


@dataclass(frozen=True, kw_only=True)
class SubmitFlags:
    """The flags of `jobs submit training`; None or empty where a flag was not given."""

    job_id: str
    project: str = "local"
    region: str | None = None
    scale_tier: str | None = None
    module_name: str | None = None
    package_path: str | None = None
    packages: Sequence[str] = ()
    job_dir: str | None = None
    runtime_version: str | None = None
    python_version: str | None = None
    master: ReplicaFlags = field(default_factory=ReplicaFlags)
    worker: ReplicaFlags = field(default_factory=ReplicaFlags)
    parameter_server: ReplicaFlags = field(default_factory=ReplicaFlags)
    use_chief_in_tf_config: bool | None = None
    service_account: str | None = None
    enable_web_access: bool | None = None
    kms_key: str | None = None
    kms_keyring: str | None = None
    kms_location: str | None = None
    kms_project: str | None = None
    labels: str | None = None  # "K=V,..."


def build_job(flags: SubmitFlags, config: Mapping[str, Any], user_args: Sequence[str]) -> dict[str, Any]:
    """The body of jobs.create.

    `packageUris` are not taken from the flags: packages have to be built and staged first, so the caller sets
    them. `config` is left as it is.

    Raises:
        UsageError: what gcloud refuses before any request.
    """
    training = _section(config, "trainingInput")
    _check_types(training)
    _check_combination(flags, training)

    job = {name: value for name, value in config.items() if name not in ("trainingInput", "training_input")}
    _put(job, "jobId", flags.job_id)
    _put(job, "labels", None if flags.labels is None else parse_labels(flags.labels))
    _put(training, "scaleTier", None if flags.scale_tier is None else parse_scale_tier(flags.scale_tier))
    _put(training, "region", flags.region)
    _put(training, "pythonModule", flags.module_name)
    _put(training, "jobDir", flags.job_dir)
    _put(training, "runtimeVersion", flags.runtime_version)
    _put(training, "pythonVersion", flags.python_version)
    _put(training, "serviceAccount", flags.service_account)
    _put(training, "useChiefInTfConfig", flags.use_chief_in_tf_config)
    _put(training, "enableWebAccess", flags.enable_web_access)
    _put(training, "args", list(user_args) or None)
    _put_replica(training, "master", flags.master)
    _put_replica(training, "worker", flags.worker)
    _put_replica(training, "parameterServer", flags.parameter_server)
    if kms_key := kms_key_name(flags):
        encryption = _section(training, "encryptionConfig")
        _put(encryption, "kmsKeyName", kms_key)
        _put(training, "encryptionConfig", encryption)
    return {**job, "trainingInput": training}


def parse_scale_tier(text: str) -> str:
    """The enum's name for `--scale-tier`: "standard-1" is STANDARD_1.

    Raises:
        UsageError: there is no such tier.
    """
    name = text.lower().replace("_", "-")
    if name not in SCALE_TIERS:
        raise UsageError(f"--scale-tier: {text!r} is none of {', '.join(SCALE_TIERS)}")
    return name.upper().replace("-", "_")


def parse_labels(text: str, flag: str = "--labels") -> dict[str, str]:
    """The labels in `K=V,K=V`; a value may be empty.

    Raises:
        UsageError: a part is no `K=V`, or a key is there twice.
    """
    labels: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        key, equals, value = part.partition("=")
        if not key or not equals:
            raise UsageError(f"{flag}: {part!r} is no KEY=VALUE")
        if key in labels:
            raise UsageError(f"{flag}: {key!r} is there twice")
        labels[key] = value
    return labels


def parse_accelerator(flag: str, text: str) -> dict[str, str]:
    """The AcceleratorConfig in `type=nvidia-tesla-t4,count=1`, its type as the enum's name.

    Raises:
        UsageError: the text is not of that form, or the count is not positive.
    """
    parts = dict(part.partition("=")[::2] for part in text.split(","))
    kind, count = parts.get("type", ""), parts.get("count", "")
    if parts.keys() != {"type", "count"} or not kind or not re.fullmatch(r"0*[1-9]\d*", count, re.ASCII):
        raise UsageError(f"{flag}: {text!r} is not of the form type=nvidia-tesla-t4,count=1")
    return {"type": kind.upper().replace("-", "_"), "count": str(int(count))}


def kms_key_name(flags: SubmitFlags) -> str | None:
    """The full name of the key that the --kms flags name; None where they name none.

    Raises:
        UsageError: some of the name's parts are missing.
    """
    if flags.kms_key is None:
        if flags.kms_keyring or flags.kms_location or flags.kms_project:
            raise UsageError("--kms-keyring, --kms-location and --kms-project need --kms-key")
        return None
    if _KMS_KEY.fullmatch(flags.kms_key):
        return flags.kms_key
    if not flags.kms_keyring or not flags.kms_location:
        raise UsageError(
            "--kms-key: give --kms-keyring and --kms-location as well, or the key's full name "
            "projects/P/locations/L/keyRings/R/cryptoKeys/K"
        )
    project = flags.kms_project or flags.project
    return (
        f"projects/{project}/locations/{flags.kms_location}/keyRings/{flags.kms_keyring}"
        f"/cryptoKeys/{flags.kms_key}"
    )


def _check_combination(flags: SubmitFlags, training: Mapping[str, Any]) -> None:
    if flags.master.image_uri and flags.runtime_version:
        raise UsageError(
            "--master-image-uri and --runtime-version exclude each other: an image brings its own"
        )
    for name, role in (("worker", flags.worker), ("parameter-server", flags.parameter_server)):
        if (role.machine_type is None) != (role.count is None):
            raise UsageError(f"--{name}-machine-type and --{name}-count must be given together")
    # gcloud asks for the flag even where the file has masterType; in the file it looks at lower case only.
    tier = parse_scale_tier(flags.scale_tier) if flags.scale_tier else _get(training, "scaleTier")
    if tier == ("CUSTOM" if flags.scale_tier else "custom") and not flags.master.machine_type:
        raise UsageError("the scale tier custom needs --master-machine-type")
    image = flags.master.image_uri or _get(_section(training, "masterConfig"), "imageUri")
    packages = flags.package_path or flags.packages or _get(training, "packageUris")
    if not image and not packages:
        raise UsageError(
            "there is nothing to run: give --package-path or --packages with --module-name, "
            "or an image with --master-image-uri"
        )


def _check_types(training: Mapping[str, Any]) -> None:
    """Refuses what YAML reads as another type than was meant, which the service could not explain as well."""
    for name in ("runtimeVersion", "pythonVersion"):
        value = _get(training, name)
        if value is not None and not isinstance(value, str):
            raise UsageError(f"--config: trainingInput.{name} must be a string; write '{value}' in quotes")
    _check_strings(_get(training, "args"), "trainingInput.args")
    params = _get(_section(training, "hyperparameters"), "params")
    for index, param in enumerate(params if isinstance(params, list) else ()):
        if isinstance(param, Mapping):
            path = f"trainingInput.hyperparameters.params[{index}].categoricalValues"
            _check_strings(_get(param, "categoricalValues"), path)


def _check_strings(values: object, path: str) -> None:
    for value in values if isinstance(values, list) else ():
        if not isinstance(value, str):
            shown = str(value).lower() if isinstance(value, bool) else value
            raise UsageError(f"--config: {path} must be strings; write '{shown}' in quotes")


def _put_replica(training: dict[str, Any], role: str, flags: ReplicaFlags) -> None:
    _put(training, f"{role}Type", flags.machine_type)
    _put(training, f"{role}Count", None if flags.count is None else str(flags.count))
    config = _section(training, f"{role}Config")
    if flags.accelerator is not None:
        flag = {"parameterServer": "--parameter-server"}.get(role, f"--{role}") + "-accelerator"
        _put(config, "acceleratorConfig", parse_accelerator(flag, flags.accelerator))
    _put(config, "imageUri", flags.image_uri)
    if config:
        _put(training, f"{role}Config", config)


def _section(mapping: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A copy of the mapping's part of that name; empty where there is none.

    Raises:
        UsageError: the part is something else than a mapping.
    """
    part = _get(mapping, name)
    if part is None:
        return {}
    if not isinstance(part, Mapping):
        raise UsageError(f"--config: {name} must be a mapping, not {part!r:.80}")
    return dict(part)


def _get(mapping: Mapping[str, Any], name: str) -> Any:
    """The field's value under either spelling that the service takes (docs/contract.md 1.7)."""
    return mapping.get(name, mapping.get(_snake(name)))


def _put(mapping: dict[str, Any], name: str, value: object) -> None:
    """Sets the field, whichever way the file spelled it; None leaves it alone."""
    if value is not None:
        mapping.pop(_snake(name), None)
        mapping[name] = value


def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda capital: f"_{capital[0].lower()}", name)
