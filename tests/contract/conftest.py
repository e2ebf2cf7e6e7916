"""A running service, and what the tests of real clients submit to it."""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from store.database import Database
from tests.contract.trainer import SOURCE
from tests.google_client import build_ml
from tests.running_service import RunningService, wait_until
from tests.service.door import Project, open_door
from tests.trainer_packages import write_trainer

ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
NUMBERS = itertools.count(1)
X = {"parameterName": "x", "type": "DOUBLE", "minValue": 0.25, "maxValue": 1.0}


@dataclass
class Lab:
    """A project of its own on the running service."""

    service: RunningService
    package: str
    folder: Path
    project: str = field(default_factory=lambda: f"lab-{next(NUMBERS)}")
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30.0, trust_env=False))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    @property
    def parent(self) -> str:
        return f"projects/{self.project}"

    @property
    def url(self) -> str:
        return f"{self.service.address}/v1/{self.parent}/jobs"

    def body(self, job_id: str, *args: str, **training: Any) -> dict[str, Any]:
        """A job in canonical form: what comes back equals what was sent."""
        inputs: dict[str, Any] = {"packageUris": [self.package], "pythonModule": "trainer.task"}
        if args:
            inputs["args"] = list(args)
        return {"jobId": job_id, "trainingInput": {**inputs, "region": "us-central1", **training}}

    def tuning(self, job_id: str, *args: str, **spec: Any) -> dict[str, Any]:
        hyperparameters = {
            "goal": "MAXIMIZE",
            "hyperparameterMetricTag": "score",
            "maxTrials": 3,
            "maxParallelTrials": 3,
            "params": [X],
            **spec,
        }
        return self.body(
            job_id,
            "--report=hypertune",
            *args,
            jobDir=str(self.folder / job_id),
            hyperparameters=hyperparameters,
        )

    def post(self, body: dict[str, Any]) -> httpx.Response:
        return self.http.post(self.url, json=body)

    def submit(self, body: dict[str, Any]) -> str:
        answer = self.post(body)
        assert answer.status_code == 200, answer.text
        job_id: str = body["jobId"]
        return job_id

    def get(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self.http.get(f"{self.url}/{job_id}").json()
        return job

    def wait(self, job_id: str, found: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            job = self.get(job_id)
            assert job["state"], "every answer has a state"
            return job if found(job) else None

        job = wait_until(look)
        assert job is not None
        return job

    def ended(self, job_id: str) -> dict[str, Any]:
        return self.wait(job_id, lambda job: job["state"] in ENDED)

    def running(self, job_id: str) -> dict[str, Any]:
        return self.wait(job_id, lambda job: job["state"] == "RUNNING")

    def trials(self, job_id: str) -> list[dict[str, Any]]:
        trials: list[dict[str, Any]] = self.ended(job_id)["trainingOutput"]["trials"]
        return trials

    def seen(self, trial: str = "plain") -> dict[str, Any]:
        """What a trainer that was told to note it saw of its arguments and its environment."""
        noted: dict[str, Any] = json.loads((self.folder / f"seen-{trial}.json").read_text())
        return noted


@pytest.fixture(scope="session")
def contract_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("contract")
    with RunningService(folder / "data", slots=4, stop_grace_seconds=2) as service:
        yield service
        assert service.stop() == 0


@pytest.fixture(scope="session")
def contract_package(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_trainer(tmp_path_factory.mktemp("contract-package"), SOURCE)


@pytest.fixture
def lab(contract_service: RunningService, contract_package: str, tmp_path: Path) -> Iterator[Lab]:
    with Lab(contract_service, contract_package, tmp_path) as made:
        yield made


@pytest.fixture
def project(tmp_path: Path, contract_package: str) -> Iterator[Project]:
    """A project of a service that takes jobs and runs none."""
    database = Database(f"sqlite:///{tmp_path / 'vernier.sqlite3'}")
    database.upgrade()
    with open_door(database) as door:
        made = Project(door, "idle", Path(contract_package))
        with made.http:
            yield made
    database.close()


@pytest.fixture
def jobs(lab: Lab) -> Iterator[Any]:
    """projects.jobs of Google's client."""
    with build_ml(lab.service.address) as ml:
        yield ml.projects().jobs()
