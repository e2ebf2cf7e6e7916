"""The service for tests: its real application, over a real database, behind a real HTTP server."""

import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from api_schemas.outputs import TrainingOutput
from api_schemas.wire import to_wire
from cli.listening import listen
from service.app import make_api
from service.config import DoorConfig
from store.database import Database

MAX_BODY_BYTES = 256 * 1024
ANYTHING_GOES = DoorConfig(
    max_body_bytes=MAX_BODY_BYTES,
    allowed_hosts=frozenset({"127.0.0.1", "localhost"}),
    local_paths=None,
    runs_containers=False,
)


@dataclass(frozen=True, slots=True)
class Door:
    """A service that listens at `address`."""

    address: str
    database: Database
    notified: list[int]
    """Keys of jobs that the worker was told of."""


@contextmanager
def open_door(database: Database, config: DoorConfig = ANYTHING_GOES) -> Iterator[Door]:
    notified: list[int] = []
    api = make_api(database, config, notified.append)
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(
        uvicorn.Config(api, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=2)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        # It listens already: who comes before the server has started waits in the kernel's queue.
        yield Door(f"http://127.0.0.1:{listener.getsockname()[1]}", database, notified)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@contextmanager
def restricted(database: Database, *local_paths: Path) -> Iterator[Door]:
    """A door that lets jobs name these directories only."""
    with open_door(database, replace(ANYTHING_GOES, local_paths=local_paths)) as door:
        yield door


def client(address: str) -> httpx.Client:
    # There is no TLS to verify here, and reading the certificates for it takes longer than most tests.
    return httpx.Client(base_url=address, timeout=30.0, trust_env=False, verify=False)


class Project:
    """One project of a service, and short ways to ask for what tests ask for."""

    def __init__(self, door: Door, name: str, package: Path) -> None:
        self.door, self.name, self.package = door, name, package
        self.http = client(f"{door.address}/v1/projects/{name}")
        self._numbers = itertools.count(1)

    def body(self, job_id: str | None = None, **training: Any) -> dict[str, Any]:
        """A job that the door takes, with these fields of trainingInput besides."""
        least = {"packageUris": [str(self.package)], "pythonModule": "trainer.task"}
        return {"jobId": job_id or f"job_{next(self._numbers)}", "trainingInput": {**least, **training}}

    def create(self, job_id: str | None = None, **training: Any) -> dict[str, Any]:
        return answer_of(self.http.post("/jobs", json=self.body(job_id, **training)))

    def get(self, job_id: str) -> dict[str, Any]:
        return answer_of(self.http.get(f"/jobs/{job_id}"))

    def refusal(self, **training: Any) -> list[dict[str, str]]:
        """The violations that a job with these fields is refused with."""
        return violations(self.http.post("/jobs", json=self.body(**training)))


def answer_of(response: httpx.Response) -> dict[str, Any]:
    """The JSON of a good answer; a job in it has the shape that the contract gives."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json; charset=UTF-8"
    answer: dict[str, Any] = response.json()
    for job in answer.get("jobs", [answer] if "jobId" in answer else []):
        check_shape(job)
    return answer


def check_shape(job: dict[str, Any]) -> None:
    assert job["state"]
    assert ("errorMessage" in job) == (job["state"] in ("FAILED", "CANCELLING", "CANCELLED"))
    assert all(job[time].endswith("Z") for time in ("createTime", "startTime", "endTime") if time in job)
    if "trainingOutput" in job:
        # Zero objectives are written although they are defaults, and the one thing that to_wire would drop.
        output = job["trainingOutput"]
        expected = to_wire(TrainingOutput.model_validate(output))
        for trial, written in zip(output.get("trials", []), expected.get("trials", []), strict=True):
            for metric, canonical in zip(_metrics(trial), _metrics(written), strict=True):
                canonical.setdefault("objectiveValue", 0.0)
                assert isinstance(metric["objectiveValue"], float)
        assert output == expected


def _metrics(trial: dict[str, Any]) -> Sequence[dict[str, Any]]:
    return [*([trial["finalMetric"]] if "finalMetric" in trial else []), *trial.get("allMetrics", [])]


def error_of(response: httpx.Response, http_status: int, status: str) -> dict[str, Any]:
    """The error of a bad answer, in the shape of google.rpc."""
    assert response.status_code == http_status, response.text
    assert response.headers["content-type"] == "application/json; charset=UTF-8"
    error: dict[str, Any] = response.json()["error"]
    assert (error["code"], error["status"]) == (http_status, status)
    assert error["message"]
    return error


def violations(response: httpx.Response) -> list[dict[str, str]]:
    """What was wrong with which fields of a request."""
    (details,) = error_of(response, 400, "INVALID_ARGUMENT")["details"]
    assert details["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    listed: list[dict[str, str]] = details["fieldViolations"]
    return listed
