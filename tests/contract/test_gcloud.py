"""Check 19: what gcloud sends for each of its commands, and what it needs of the answers."""

import gzip
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.conftest import ENDED, Lab, X
from tests.contract.gcloud import Gcloud, Refused
from tests.contract.trainer import SOURCE

SETUP = 'from setuptools import setup\nsetup(name="trainer", version="0.0.0", packages=["trainer"])\n'


@pytest.fixture
def gcloud(lab: Lab) -> Iterator[Gcloud]:
    made = Gcloud(lab.service.address, lab.project)
    with made.http:
        yield made


@pytest.fixture
def sdist(tmp_path: Path) -> Path:
    """What gcloud makes of --package-path: a source package, with a setup.py of its own if there is none."""
    root = tmp_path / "trainer-0.0.0"
    (root / "trainer").mkdir(parents=True)
    (root / "setup.py").write_text(SETUP)
    (root / "trainer" / "__init__.py").touch()
    (root / "trainer" / "task.py").write_text(SOURCE)
    (root / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: trainer\nVersion: 0.0.0\n")
    archive = tmp_path / "trainer-0.0.0.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(root, root.name)
    with gzip.open(archive) as readable:
        assert readable.read(1), "an archive"
    return archive


def test_a_local_package_is_staged_submitted_run_and_its_logs_streamed(
    lab: Lab, gcloud: Gcloud, sdist: Path
) -> None:
    created = gcloud.submit(
        "census_1",
        "us-central1",
        *("--report=events", "--reports=2"),
        package=sdist,
        staging_bucket="gs://staging",
        pythonModule="trainer.task",
        jobDir="gs://results/census_1",
        runtimeVersion="2.11",
        pythonVersion="3.7",
        scaleTier="BASIC",
        hyperparameters={
            "goal": "MINIMIZE",
            "maxTrials": 2,
            "maxParallelTrials": 2,
            "hyperparameterMetricTag": "score",
            "params": [X],
        },
    )
    assert created["trainingInput"]["packageUris"][0].startswith("gs://staging/census_1/")
    lines = list(gcloud.stream_logs("census_1", pause=lambda: time.sleep(0.1)))

    job = gcloud.describe("census_1")
    assert job["state"] == "SUCCEEDED", job
    assert job["trainingInput"]["jobDir"] == "gs://results/census_1"
    best, other = job["trainingOutput"]["trials"]
    assert best["finalMetric"]["objectiveValue"] <= other["finalMetric"]["objectiveValue"]
    for trial in (best, other):
        x = f"{float(trial['hyperparameters']['x']):g}"
        told = f"INFO\tmaster-replica-0\t{trial['trialId']}\tx is {x}, "
        assert lines.count(told) == 1
    assert "INFO\tservice\t\tJob census_1 is queued." in lines


def test_a_job_is_described_listed_labelled_and_cancelled(lab: Lab, gcloud: Gcloud) -> None:
    lab.submit(lab.body("held", f"--hold={lab.folder / 'go'}"))
    assert [job["jobId"] for job in gcloud.list()] == ["held"]
    assert gcloud.update("held", {"owner": "ana"})["labels"] == {"owner": "ana"}
    assert gcloud.update("held", {"stage": "dev"})["labels"] == {"owner": "ana", "stage": "dev"}
    gcloud.cancel("held")
    gcloud.cancel("held")
    assert lab.ended("held")["state"] == "CANCELLED"
    assert gcloud.describe("held")["labels"] == {"owner": "ana", "stage": "dev"}
    gcloud.cancel("held")


def test_logs_of_one_task_are_streamed_to_their_end_whatever_became_of_the_job(
    lab: Lab, gcloud: Gcloud
) -> None:
    lab.submit(lab.body("failing", "--fail"))
    lines = list(gcloud.stream_logs("failing", "master-replica-0", pause=lambda: time.sleep(0.1)))
    assert lab.get("failing")["state"] in ENDED
    assert "INFO\tmaster-replica-0\t\tx is 0.5, " in lines
    assert "ERROR\tmaster-replica-0\t\tRuntimeError: no convergence" in lines
    assert all(line.split("\t")[1] == "master-replica-0" for line in lines)


def test_errors_are_told_with_their_status_and_the_fields(lab: Lab, gcloud: Gcloud) -> None:
    with pytest.raises(Refused, match="NOT_FOUND: "):
        gcloud.describe("never_there")
    with pytest.raises(
        Refused, match=r'INVALID_ARGUMENT: Invalid JSON payload received. Unknown name "gpus"'
    ):
        gcloud.submit("odd", "us-central1", gpus=1)
    with pytest.raises(Refused, match=r"INVALID_ARGUMENT: .*goal.*MAX"):
        gcloud.submit("odd", "us-central1", pythonModule="a", hyperparameters={"goal": "MAX"})
    image = {
        "masterConfig": {"imageUri": "gcr.io/p/image"},
        "scaleTier": "CUSTOM",
        "masterType": "n1-standard-4",
    }
    with pytest.raises(Refused, match=r"INVALID_ARGUMENT: .*containers"):
        gcloud.submit("image", "us-central1", **image)
