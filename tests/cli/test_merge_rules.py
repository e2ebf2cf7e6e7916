"""Flags, file and user arguments become one job (docs/contract.md 7.2)."""

import copy
from typing import Any

import pytest

from cli.errors import UsageError
from cli.submit import ReplicaFlags, SubmitFlags, build_job

IMAGE = {"trainingInput": {"masterConfig": {"imageUri": "example/trainer"}}}


def job(config: dict[str, Any] | None = None, *user_args: str, **flags: Any) -> dict[str, Any]:
    return build_job(SubmitFlags(job_id="j", **flags), IMAGE if config is None else config, user_args)


def training(*args: Any, **flags: Any) -> Any:
    return job(*args, **flags)["trainingInput"]


def test_without_flags_the_file_is_sent_as_it_is() -> None:
    config = {
        "labels": {"owner": "ana"},
        "trainingInput": {
            "scaleTier": "CUSTOM",
            "masterType": "n1-standard-4",
            "region": "us-central1",
            "packageUris": ["gs://b/trainer.tar.gz"],
            "pythonModule": "trainer.task",
            "args": ["--epochs", "3"],
            "scheduling": {"maxRunningTime": "7200s"},
            "hyperparameters": {"goal": "MAX", "unknownKey": 1, "params": [{"parameterName": "lr"}]},
        },
    }
    before = copy.deepcopy(config)

    assert job(config) == {"jobId": "j", **config}
    assert config == before


@pytest.mark.parametrize(
    ("flag", "value", "field", "sent"),
    [
        ("region", "us-east1", "region", "us-east1"),
        ("scale_tier", "standard-1", "scaleTier", "STANDARD_1"),
        ("scale_tier", "BASIC_GPU", "scaleTier", "BASIC_GPU"),
        ("module_name", "trainer.task", "pythonModule", "trainer.task"),
        ("job_dir", "/runs/j", "jobDir", "/runs/j"),
        ("runtime_version", "2.1", "runtimeVersion", "2.1"),
        ("python_version", "3.7", "pythonVersion", "3.7"),
        ("service_account", "me@example.com", "serviceAccount", "me@example.com"),
        ("use_chief_in_tf_config", False, "useChiefInTfConfig", False),
        ("enable_web_access", True, "enableWebAccess", True),
    ],
)
def test_a_flag_overrides_the_file(flag: str, value: object, field: str, sent: object) -> None:
    file = {"trainingInput": {"packageUris": ["/p.whl"], field: "from the file", "network": "kept"}}

    assert training(file, **{flag: value})[field] == sent
    assert training(file, **{flag: value})["network"] == "kept"
    assert training(**{flag: value})[field] == sent
    assert field not in training()


def test_the_positional_job_and_the_labels_override_the_file() -> None:
    sent = job({**IMAGE, "jobId": "other", "labels": {"a": "1", "b": "2"}}, labels="a=3,c=")

    assert sent["jobId"] == "j"
    assert sent["labels"] == {"a": "3", "c": ""}


def test_a_field_in_snake_case_is_overridden_and_not_doubled() -> None:
    file = {"job_id": "other", "training_input": {"package_uris": ["/p.whl"], "python_module": "old.task"}}

    assert job(file, module_name="new.task") == {
        "jobId": "j",
        "trainingInput": {"package_uris": ["/p.whl"], "pythonModule": "new.task"},
    }


def test_args_of_the_file_survive_only_without_user_args() -> None:
    file = {"trainingInput": {"packageUris": ["/p.whl"], "args": ["--epochs", "3"]}}

    assert training(file)["args"] == ["--epochs", "3"]
    assert training(file, "--epochs=9", "--", "x")["args"] == ["--epochs=9", "--", "x"]


def test_replica_flags_fill_their_own_fields_only() -> None:
    file = {
        "trainingInput": {
            "masterConfig": {"imageUri": "old", "containerCommand": ["run"]},
            "workerConfig": {"imageUri": "kept"},
        }
    }

    assert training(
        file,
        scale_tier="custom",
        master=ReplicaFlags(
            machine_type="n1-standard-8", accelerator="type=nvidia-tesla-t4,count=2", image_uri="new"
        ),
        worker=ReplicaFlags(machine_type="n1-standard-4", count=3),
        parameter_server=ReplicaFlags(machine_type="n1-highmem-2", count=1, image_uri="ps"),
    ) == {
        "scaleTier": "CUSTOM",
        "masterType": "n1-standard-8",
        "masterConfig": {
            "imageUri": "new",
            "containerCommand": ["run"],
            "acceleratorConfig": {"type": "NVIDIA_TESLA_T4", "count": "2"},
        },
        "workerType": "n1-standard-4",
        "workerCount": "3",
        "workerConfig": {"imageUri": "kept"},
        "parameterServerType": "n1-highmem-2",
        "parameterServerCount": "1",
        "parameterServerConfig": {"imageUri": "ps"},
    }


FULL_KEY = "projects/p/locations/l/keyRings/r/cryptoKeys/k"


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ({"kms_key": FULL_KEY}, FULL_KEY),
        ({"kms_key": "k", "kms_keyring": "r", "kms_location": "l", "kms_project": "p"}, FULL_KEY),
        ({"kms_key": "k", "kms_keyring": "r", "kms_location": "l", "project": "p"}, FULL_KEY),
    ],
)
def test_the_encryption_key_is_named_in_full(flags: dict[str, str], name: str) -> None:
    assert training(**flags)["encryptionConfig"] == {"kmsKeyName": name}


def custom(tier: str, **more: str) -> dict[str, Any]:
    return {"trainingInput": {"packageUris": ["/p.whl"], "scaleTier": tier, **more}}


def test_a_custom_job_that_stands_in_the_file_is_left_to_the_service() -> None:
    assert training(custom("CUSTOM"))["scaleTier"] == "CUSTOM"


@pytest.mark.parametrize(
    ("config", "flags", "says"),
    [
        ({}, {}, "nothing to run"),
        ({"trainingInput": {"packageUris": []}}, {}, "nothing to run"),
        (
            None,
            {"master": ReplicaFlags(image_uri="i"), "runtime_version": "2.1"},
            "--master-image-uri and --runtime-version",
        ),
        (None, {"scale_tier": "custom"}, "--master-machine-type"),
        (custom("BASIC", masterType="n1-standard-4"), {"scale_tier": "custom"}, "--master-machine-type"),
        (custom("custom", masterType="n1-standard-4"), {}, "--master-machine-type"),
        (None, {"scale_tier": "huge"}, "'huge' is none of basic"),
        (None, {"worker": ReplicaFlags(machine_type="m")}, "--worker-count must be given together"),
        (None, {"worker": ReplicaFlags(count=1)}, "--worker-machine-type"),
        (None, {"parameter_server": ReplicaFlags(count=0)}, "--parameter-server-machine-type"),
        (None, {"labels": "owner"}, "'owner' is no KEY=VALUE"),
        (None, {"labels": "=x"}, "KEY=VALUE"),
        (None, {"labels": "a=1,a=2"}, "twice"),
        (None, {"worker": ReplicaFlags(accelerator="type=t4")}, "--worker-accelerator"),
        (None, {"worker": ReplicaFlags(accelerator="type=t4,count=0")}, "count=1"),
        (None, {"parameter_server": ReplicaFlags(accelerator="count=1")}, "--parameter-server-accelerator"),
        (None, {"kms_key": "k"}, "--kms-keyring"),
        (None, {"kms_location": "l"}, "need --kms-key"),
        ({"trainingInput": [1]}, {}, "trainingInput must be a mapping"),
        ({"trainingInput": {**IMAGE["trainingInput"], "runtimeVersion": 1.15}}, {}, "'1.15' in quotes"),
        ({"trainingInput": {**IMAGE["trainingInput"], "pythonVersion": 3}}, {}, "'3' in quotes"),
        ({"trainingInput": {**IMAGE["trainingInput"], "args": ["--epochs", 3]}}, {}, "args must be strings"),
        (
            {"trainingInput": {"hyperparameters": {"params": [{}, {"categoricalValues": ["a", True]}]}}},
            {},
            r"params\[1\].categoricalValues must be strings; write 'true' in quotes",
        ),
    ],
)
def test_what_is_wrong_is_refused_before_any_request(
    config: dict[str, Any] | None, flags: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        job(config, **flags)
