"""What a cluster can't honour is refused by its field before anything is started."""

from pathlib import Path
from typing import Any

import pytest

from api_schemas.jobs import TrainingInput
from service.cluster_offer import cluster_violations
from service.config import ClusterOffer

OFFER = ClusterOffer(
    volume=Path("/data"),
    runtimes=frozenset({"2.11", "2.12/3.9"}),
    accelerators=frozenset({"NVIDIA_TESLA_T4"}),
    disk_types=frozenset({"pd-ssd"}),
    service_accounts=frozenset({"trainer@p"}),
    lowest_priority=100,
)
IMAGE = {"masterConfig": {"imageUri": "i"}}


def _disk(kind: str) -> dict[str, Any]:
    return {"masterConfig": {"imageUri": "i", "diskConfig": {"bootDiskType": kind, "bootDiskSizeGb": 10}}}


def _accelerator(kind: str) -> dict[str, Any]:
    return {**IMAGE, "workerConfig": {"acceleratorConfig": {"type": kind, "count": "1"}}}


@pytest.mark.parametrize(
    ("asked", "field", "words"),
    [
        ({"runtimeVersion": "2.12", "pythonVersion": "3.7"}, "runtime_version", "has 2.11, 2.12/3.9"),
        ({}, "runtime_version", "VERNIER_KUBERNETES_RUNTIMES"),
        (_accelerator("NVIDIA_TESLA_K80"), "worker_config.accelerator_config.type", "has NVIDIA_TESLA_T4"),
        (_accelerator("TPU_V2"), "worker_config.accelerator_config.type", "ACCELERATORS"),
        (_disk("pd-standard"), "master_config.disk_config.boot_disk_type", "has pd-ssd"),
        ({**IMAGE, "serviceAccount": "root@p"}, "service_account", "has trainer@p"),
        ({**IMAGE, "scheduling": {"priority": 99}}, "scheduling.priority", "VERNIER_KUBERNETES_PRIORITIES"),
        ({**IMAGE, "jobDir": "/elsewhere/out"}, "job_dir", "below /data"),
        ({**IMAGE, "jobDir": "/data"}, "job_dir", "below /data"),
    ],
    ids=[
        "runtime",
        "no runtime",
        "GPU",
        "TPU",
        "disk",
        "account",
        "priority",
        "job dir",
        "all of the volume",
    ],
)
def test_what_it_has_not_is_refused_by_its_field(asked: dict[str, Any], field: str, words: str) -> None:
    (violation,) = cluster_violations(TrainingInput.model_validate(asked), OFFER)
    assert violation.field == field
    assert words in violation.description


@pytest.mark.parametrize(
    "asked",
    [
        {"runtimeVersion": "2.11"},
        {"runtimeVersion": "2.12", "pythonVersion": "3.9"},
        IMAGE,
        _accelerator("NVIDIA_TESLA_T4"),
        _disk("pd-ssd"),
        {**IMAGE, "serviceAccount": "trainer@p", "scheduling": {"priority": 100}},
        {**IMAGE, "jobDir": "/data/out"},
        {**IMAGE, "jobDir": "gs://bucket/out"},
    ],
)
def test_what_it_has_is_taken(asked: dict[str, Any]) -> None:
    assert list(cluster_violations(TrainingInput.model_validate(asked), OFFER)) == []


def test_any_gpu_stands_for_gpus_alone() -> None:
    offer = ClusterOffer(Path("/data"), None, frozenset({"*"}), frozenset(), frozenset(), None)
    assert not list(cluster_violations(TrainingInput.model_validate(_accelerator("NVIDIA_TESLA_K80")), offer))
    assert list(cluster_violations(TrainingInput.model_validate(_accelerator("TPU_V2")), offer))
