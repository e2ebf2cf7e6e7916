"""What each role of a job runs in."""

from typing import Any

from api_schemas.jobs import TrainingInput
from worker.cluster import Role
from worker.containers import containers_of
from worker.launchers.protocol import Container

FLAGS = ("--lr=0.5", "--job-dir", "/out/3")


def _of(**wire: Any) -> dict[Role, Container]:
    return containers_of(TrainingInput.model_validate(wire), FLAGS)


def test_a_module_runs_in_the_platforms_own() -> None:
    assert _of(pythonModule="trainer.task", args=["--epochs=3"]) == {Role.MASTER: Container()}


def test_an_image_gets_its_arguments_or_the_jobs_and_then_the_flags() -> None:
    own = _of(
        masterConfig={"imageUri": "i", "containerCommand": ["run"], "containerArgs": ["-v"]}, args=["x"]
    )
    assert own == {Role.MASTER: Container("i", ("run",), ("-v", *FLAGS))}
    assert _of(masterConfig={"imageUri": "i"}, args=["x"]) == {Role.MASTER: Container("i", (), ("x", *FLAGS))}


def test_a_role_without_an_image_runs_the_masters_and_only_roles_with_replicas_run() -> None:
    found = _of(
        masterConfig={"imageUri": "i", "containerArgs": ["-v"]},
        workerCount=2,
        workerConfig={"acceleratorConfig": {"count": 2, "type": "NVIDIA_TESLA_T4"}},
        parameterServerConfig={"imageUri": "unused"},
        evaluatorCount=1,
        evaluatorConfig={"imageUri": "e"},
    )
    assert found == {
        Role.MASTER: Container("i", (), ("-v", *FLAGS)),
        Role.WORKER: Container("i", (), ("-v", *FLAGS), "NVIDIA_TESLA_T4", 2),
        Role.EVALUATOR: Container("e", (), FLAGS),
    }
