"""projects.jobs.create."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.service.door import MAX_BODY_BYTES, Project, answer_of, error_of, violations


def test_an_accepted_job_is_answered_with_what_the_service_adds(project: Project) -> None:
    job = project.create("census_1")
    assert job["state"] == "QUEUED"
    assert set(job) == {"jobId", "trainingInput", "createTime", "state", "etag", "jobPosition"}
    assert project.get("census_1") == job


def test_the_worker_is_told_of_an_accepted_job_and_of_no_other(project: Project) -> None:
    before = len(project.door.notified)
    project.create("once")
    error_of(project.http.post("/jobs", json=project.body("once")), 409, "ALREADY_EXISTS")
    project.refusal(region=1)
    assert len(project.door.notified) == before + 1


def test_the_training_input_comes_back_as_it_was_posted(project: Project) -> None:
    posted = project.body(
        region="us-central1",
        args=["--train-files", "gs://b/adult.csv", ""],
        jobDir="/tmp/census",
        runtimeVersion="1.15",
        scheduling={"maxRunningTime": "7200s"},
        hyperparameters={
            "goal": "MINIMIZE",
            "maxTrials": 20,
            "enableTrialEarlyStopping": True,
            "params": [
                {"parameterName": "b", "type": "DOUBLE", "minValue": 1e-4, "maxValue": 0.1},
                {"parameterName": "a", "type": "DISCRETE", "discreteValues": [0.0, 32.0]},
            ],
        },
    )
    posted["labels"] = {"owner": "ana", "spot": ""}
    created = answer_of(project.http.post("/jobs", json=posted))
    for answer in (created, project.get(created["jobId"])):
        assert answer["trainingInput"] == posted["trainingInput"]
        assert answer["labels"] == posted["labels"]
        assert answer["trainingOutput"] == {
            "isHyperparameterTuningJob": True,
            "hyperparameterMetricTag": "training/hptuning/metric",
        }


def test_a_body_in_snake_case_with_nulls_is_taken(project: Project) -> None:
    body = {
        "job_id": "snake",
        "training_input": {
            "package_uris": [str(project.package)],
            "python_module": "trainer.task",
            "scaleTier": "custom",
            "master_type": "standard",
            "args": None,
            "hyperparameters": None,
        },
    }
    assert answer_of(project.http.post("/jobs", json=body))["trainingInput"] == {
        "packageUris": [str(project.package)],
        "pythonModule": "trainer.task",
        "scaleTier": "CUSTOM",
        "masterType": "standard",
    }


def test_the_content_type_of_a_body_does_not_matter(project: Project) -> None:
    body = json.dumps(project.body("bare")).encode()
    assert answer_of(project.http.post("/jobs", content=body))["jobId"] == "bare"


def test_a_name_can_be_used_once_in_a_project(project: Project) -> None:
    first = project.create("taken", region="a")
    error = error_of(
        project.http.post("/jobs", json=project.body("taken", region="b")), 409, "ALREADY_EXISTS"
    )
    assert f"projects/{project.name}/jobs/taken" in error["message"]
    assert project.get("taken") == first


def test_a_name_is_taken_whatever_has_become_of_the_packages_since(project: Project, tmp_path: Path) -> None:
    package = tmp_path / "trainer.tar.gz"
    package.touch()
    first = project.create("taken", packageUris=[str(package)])
    package.unlink()
    again = project.http.post("/jobs", json=project.body("taken", packageUris=[str(package)]))
    error_of(again, 409, "ALREADY_EXISTS")
    assert project.get("taken") == first


def test_projects_do_not_share_names(project: Project) -> None:
    project.create("shared")
    other = project.http.base_url.copy_with(path=f"/v1/projects/{project.name}-b/jobs")
    assert answer_of(project.http.post(other, json=project.body("shared")))["jobId"] == "shared"


def test_of_jobs_of_one_name_posted_at_once_one_is_accepted(project: Project) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: project.http.post("/jobs", json=project.body("raced")).status_code, range(8))
        )
    assert sorted(answers) == [200] + [409] * 7


def test_an_unknown_field_is_refused_as_the_old_service_did(project: Project) -> None:
    response = project.http.post("/jobs", json=project.body("a") | {"parameter_server_type": "standard"})
    said = (
        "Invalid JSON payload received. Unknown name \"parameter_server_type\" at 'job': Cannot find field."
    )
    assert error_of(response, 400, "INVALID_ARGUMENT")["message"] == said
    assert violations(response) == [{"field": "job", "description": said}]


@pytest.mark.parametrize(
    ("training", "field"),
    [
        ({"maxTrials": 3}, "job.training_input"),
        ({"scaleTier": "HUGE"}, "job.training_input.scale_tier"),
        ({"scheduling": {"maxWaitTime": "60s"}}, "scheduling.max_wait_time"),
        ({"hyperparameters": {"params": []}}, "hyperparameters.params"),
    ],
)
def test_a_refused_job_does_not_exist(project: Project, training: dict[str, Any], field: str) -> None:
    refused = project.http.post("/jobs", json=project.body("refused", **training))
    assert [violation["field"] for violation in violations(refused)] == [field]
    error_of(project.http.get("/jobs/refused"), 404, "NOT_FOUND")
    assert answer_of(project.http.get("/jobs")) == {}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"jobId": "a\\ud800"}', b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(project: Project, body: bytes) -> None:
    assert [violation["field"] for violation in violations(project.http.post("/jobs", content=body))] == [
        "job"
    ]


def test_a_body_beyond_the_limit_is_refused_and_says_which_setting_it_is(project: Project) -> None:
    body = json.dumps(project.body("large")).encode()
    fits = body + b" " * (MAX_BODY_BYTES - len(body))
    error = error_of(project.http.post("/jobs", content=fits + b" "), 413, "INVALID_ARGUMENT")
    assert "VERNIER_MAX_BODY_BYTES" in error["message"]
    assert answer_of(project.http.post("/jobs", content=fits))["jobId"] == "large"


def test_a_body_far_beyond_the_limit_is_answered_all_the_same(project: Project) -> None:
    chunks = (b" " * 65_536 for _ in range(200))
    error_of(project.http.post("/jobs", content=chunks), 413, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    ("training", "field", "said"),
    [
        ({"masterConfig": {"imageUri": "r/trainer:1"}}, "master_config.image_uri", "runs Python packages"),
        ({"masterConfig": {"imageUri": "r/trainer:1"}}, "master_config.image_uri", "launcher for Kubernetes"),
        ({"workerConfig": {"imageUri": "r/trainer:1"}}, "worker_config.image_uri", "launcher for Kubernetes"),
        (
            {"scaleTier": "CUSTOM", "masterType": "standard", "workerType": "standard", "workerCount": "32"},
            "worker_count",
            "33 replicas, the master included; this service runs at most 32",
        ),
        (
            {
                "scaleTier": "CUSTOM",
                "masterType": "standard",
                "workerType": "standard",
                "workerCount": "1",
                "parameterServerType": "standard",
                "parameterServerCount": str(2**62),
            },
            "parameter_server_count",
            "VERNIER_MAX_REPLICAS",
        ),
    ],
)
def test_what_the_launcher_can_not_run_is_refused_with_a_sentence(
    project: Project, training: dict[str, Any], field: str, said: str
) -> None:
    (violation,) = project.refusal(**training)
    assert violation["field"] == field
    assert said in violation["description"]
