"""What breaks a rule of a job and its trainingInput (docs/contract.md 1.9, 2.1 to 2.4), and what does not."""

from typing import Any

import pytest

from tests.api_schemas.job_bodies import custom_job, fields, job, parse, refusal, training, tuning_job

IMAGE = {"imageUri": "registry.example/trainer:1"}
K80 = {"count": "1", "type": "NVIDIA_TESLA_K80"}
KMS_KEY = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"


def image_job(**training: Any) -> dict[str, Any]:
    """A job that is a container, not a Python package."""
    return job(**{"pythonModule": None, "packageUris": None, "masterConfig": IMAGE, **training})


def custom_image_job(**training: Any) -> dict[str, Any]:
    return image_job(**{"scaleTier": "CUSTOM", "masterType": "n1-standard-4", **training})


VIOLATIONS: list[tuple[str, dict[str, Any], list[str]]] = [
    # The job itself
    ("no name", {"trainingInput": job()["trainingInput"]}, ["job_id"]),
    ("an empty name", job() | {"jobId": ""}, ["job_id"]),
    ("a hyphen in the name", job() | {"jobId": "census-1"}, ["job_id"]),
    ("a name that begins with a digit", job() | {"jobId": "1_census"}, ["job_id"]),
    ("a name of 129 characters", job() | {"jobId": "a" * 129}, ["job_id"]),
    ("letters that are not ASCII in the name", job() | {"jobId": "zensüs"}, ["job_id"]),
    ("a line break after the name", job() | {"jobId": "census\n"}, ["job_id"]),
    ("no trainingInput", {"jobId": "a"}, ["training_input"]),
    ("batch prediction", {"jobId": "a", "predictionInput": {}}, ["prediction_input"]),
    ("both kinds of work", job() | {"predictionInput": {"modelName": "m"}}, ["prediction_input"]),
    ("65 labels", job() | {"labels": {f"k{n}": "" for n in range(65)}}, ["labels"]),
    ("an upper-case key", job() | {"labels": {"Team": "a"}}, ["labels"]),
    ("an upper-case value", job() | {"labels": {"team": "A"}}, ["labels"]),
    ("a dot in a value", job() | {"labels": {"version": "1.0"}}, ["labels"]),
    ("two bad labels", job() | {"labels": {"": "", "ok": "", "-": ""}}, ["labels", "labels"]),
    # Machines
    ("CUSTOM without a master", job(scaleTier="CUSTOM"), ["master_type"]),
    ("a master without CUSTOM", job(masterType="n1-standard-4"), ["master_type"]),
    ("workers without CUSTOM", job(workerCount="2"), ["worker_count"]),
    ("workers of no type", custom_job(workerCount="2"), ["worker_type"]),
    ("parameter servers of no type", custom_job(parameterServerCount=1), ["parameter_server_type"]),
    ("evaluators of no type", custom_job(evaluatorCount=1), ["evaluator_type"]),
    ("fewer than no workers", custom_job(workerCount=-1, workerType="n1-standard-4"), ["worker_count"]),
    ("a legacy worker of a new master", custom_job(workerCount=1, workerType="standard"), ["worker_type"]),
    (
        "a new parameter server of a legacy master",
        custom_job(masterType="complex_model_m", parameterServerCount=1, parameterServerType="n1-highmem-8"),
        ["parameter_server_type"],
    ),
    # Program
    ("no module", job(pythonModule=None), ["python_module"]),
    ("an empty module", job(pythonModule=""), ["python_module"]),
    ("a file for a module", job(pythonModule="trainer/task.py"), ["python_module"]),
    ("a flag for a module", job(pythonModule="-c"), ["python_module"]),
    ("an empty part of a module", job(pythonModule="trainer..task"), ["python_module"]),
    ("no package", job(packageUris=[]), ["package_uris"]),
    ("101 packages", job(packageUris=["/p.tar.gz"] * 101), ["package_uris"]),
    ("a package of no name", job(packageUris=["/p.tar.gz", " "]), ["package_uris[1]"]),
    (
        "neither package nor image",
        job(pythonModule=None, packageUris=None),
        ["python_module", "package_uris"],
    ),
    ("an image and a runtime", image_job(runtimeVersion="1.15"), ["runtime_version"]),
    # Containers
    (
        "a container's command without an image",
        job(masterConfig={"containerCommand": ["python"]}),
        ["master_config.container_command"],
    ),
    (
        "a worker's arguments without an image",
        job(workerConfig={"containerArgs": ["--fast"]}),
        ["worker_config.container_args"],
    ),
    (
        "arguments in two places",
        image_job(masterConfig={**IMAGE, "containerArgs": ["--fast"]}, args=["--slow"]),
        ["master_config.container_args"],
    ),
    (
        "a command and args",
        image_job(masterConfig={**IMAGE, "containerCommand": ["python"]}, args=["--slow"]),
        ["master_config.container_command"],
    ),
    # Hardware
    (
        "accelerators of no type",
        custom_job(masterConfig={"acceleratorConfig": {"count": 2}}),
        ["master_config.accelerator_config.type"],
    ),
    (
        "a type of no accelerators",
        custom_job(masterConfig={"acceleratorConfig": {"type": "NVIDIA_TESLA_T4"}}),
        ["master_config.accelerator_config.count"],
    ),
    (
        "fewer than no accelerators",
        custom_job(masterConfig={"acceleratorConfig": {"count": -1}}),
        ["master_config.accelerator_config.count"],
    ),
    (
        "accelerators of a legacy machine",
        custom_job(masterType="standard", masterConfig={"acceleratorConfig": K80}),
        ["master_config.accelerator_config"],
    ),
    (
        "a disk of no known kind",
        job(masterConfig={"diskConfig": {"bootDiskType": "floppy"}}),
        ["master_config.disk_config.boot_disk_type"],
    ),
    (
        "a disk smaller than nothing",
        job(evaluatorConfig={"diskConfig": {"bootDiskSizeGb": -1}}),
        ["evaluator_config.disk_config.boot_disk_size_gb"],
    ),
    # Scheduling and keys
    ("time that runs backwards", job(scheduling={"maxRunningTime": "-1s"}), ["scheduling.max_running_time"]),
    ("half an hour less a bit", job(scheduling={"maxWaitTime": "1799.9s"}), ["scheduling.max_wait_time"]),
    ("a minute's patience", job(scheduling={"maxWaitTime": "60s"}), ["scheduling.max_wait_time"]),
    ("a negative wait", job(scheduling={"maxWaitTime": "-1s"}), ["scheduling.max_wait_time"]),
    ("priority below 0", job(scheduling={"priority": -1}), ["scheduling.priority"]),
    ("priority above 1000", job(scheduling={"priority": 1001}), ["scheduling.priority"]),
    ("a key of no key ring", job(encryptionConfig={"kmsKeyName": "k"}), ["encryption_config.kms_key_name"]),
]


@pytest.mark.parametrize(
    ("body", "violated"), [pytest.param(body, told, id=name) for name, body, told in VIOLATIONS]
)
def test_a_broken_rule_names_its_field(body: dict[str, Any], violated: list[str]) -> None:
    error = refusal(body)
    assert fields(error) == violated
    assert error.message == "\n".join(f"Field: {v.field} Error: {v.description}" for v in error.violations)


ACCEPTED: list[tuple[str, dict[str, Any]]] = [
    ("the least", job()),
    ("neither region nor runtime, which a machine of one's own has not", job(region=None)),
    ("a name of 128 characters", job() | {"jobId": "a" + "_" * 127}),
    ("64 labels", job() | {"labels": {f"k{n}": "" for n in range(64)}}),
    ("labels of other alphabets, and an empty value", job() | {"labels": {"größe": "äß-1_", "名": ""}}),
    ("100 packages", job(packageUris=["/p.tar.gz"] * 100)),
    ("a container", image_job()),
    ("a container with a package, as PyTorch's samples have", job(masterConfig=IMAGE)),
    ("a container's command and arguments", image_job(masterConfig={**IMAGE, "containerCommand": ["a"]})),
    ("args for a container", image_job(args=["--fast"])),
    (
        "a worker that takes the master's image",
        custom_image_job(workerConfig={"containerArgs": ["--worker"]}),
    ),
    (
        "a CPU job of a released client",
        custom_image_job(
            masterConfig={
                **IMAGE,
                "acceleratorConfig": {"count": "0", "type": "ACCELERATOR_TYPE_UNSPECIFIED"},
            },
            workerType="n1-standard-4",
            workerCount="0",
        ),
    ),
    ("a worker's type without workers", custom_job(workerType="n1-standard-4")),
    ("accelerators", custom_job(masterConfig={"acceleratorConfig": K80})),
    ("legacy machines", custom_job(masterType="standard", workerType="standard_gpu", workerCount=1)),
    (
        "a TPU beside a Compute Engine master",
        custom_job(
            workerType="cloud_tpu",
            workerCount=1,
            workerConfig={"acceleratorConfig": {"type": "TPU_V3", "count": 8}, "tpuTfVersion": "2.1"},
        ),
    ),
    (
        "a TPU beside a legacy master",
        custom_job(masterType="standard", workerType="cloud_tpu", workerCount=1),
    ),
    ("half an hour's patience", job(scheduling={"maxWaitTime": "1800s"})),
    ("times of 0, which are none", job(scheduling={"maxWaitTime": "0s", "maxRunningTime": "0s"})),
    ("priorities of 0 and 1000", job(scheduling={"priority": 1000})),
    ("a disk", job(masterConfig={"diskConfig": {"bootDiskType": "pd-ssd", "bootDiskSizeGb": 100}})),
    ("an encryption key", job(encryptionConfig={"kmsKeyName": KMS_KEY})),
    ("no key at all", job(encryptionConfig={"kmsKeyName": ""})),
    ("a network and an account", job(network="projects/1/global/networks/n", serviceAccount="a@b")),
]


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in ACCEPTED])
def test_what_keeps_the_rules_is_accepted(body: dict[str, Any]) -> None:
    assert parse(body).job_id == body["jobId"]


@pytest.mark.parametrize("machine", ["n1-standard-4", "n1-highmem-96", "n2d-highcpu-8", "a2-highgpu-1g"])
def test_compute_engine_machines_take_accelerators(machine: str) -> None:
    body = custom_job(masterType=machine, masterConfig={"acceleratorConfig": K80})
    assert training(body).master_type == machine


def test_all_violations_are_told_at_once() -> None:
    body = tuning_job(maxTrials=-1) | {"jobId": "a-b", "labels": {"A": ""}}
    body["trainingInput"] |= {"scaleTier": "CUSTOM", "scheduling": {"priority": -1}}
    assert fields(refusal(body)) == [
        "job_id",
        "labels",
        "master_type",
        "scheduling.priority",
        "hyperparameters.max_trials",
    ]


def test_bad_values_are_quoted_in_part() -> None:
    long = "A" * 100_000
    body = custom_job(masterType=long, workerType="n1-standard-4", pythonModule=f"-{long}")
    body |= {"jobId": f"{long}-", "labels": {long: long, "a": long}}
    assert len(refusal(body).message) < 2000
