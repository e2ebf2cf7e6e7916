"""What Airflow, Kubeflow Pipelines and TFX send and expect, call by call (docs/contract.md 8.2).

Those packages dropped their part for the old service, so their calls are made here as they made them, through
the client that they all used: googleapiclient.
"""

from typing import Any

import pytest
from googleapiclient.errors import HttpError  # type: ignore[import-untyped]
from googleapiclient.http import BatchHttpRequest  # type: ignore[import-untyped]

from tests.contract.conftest import ENDED, Lab
from tests.running_service import wait_until


class Airflow:
    """The MLEngine hook: create or take over, poll, raise what the job says; cancel when it is killed."""

    def __init__(self, lab: Lab, jobs: Any) -> None:
        self.lab = lab
        self.jobs = jobs

    def create_job(self, job: dict[str, Any]) -> dict[str, Any]:
        labels = {**job.get("labels", {}), "airflow-version": "v2-11-0-composer"}
        try:
            self.jobs.create(parent=self.lab.parent, body={**job, "labels": labels}).execute(num_retries=5)
        except HttpError as error:
            # A job of that name is taken over: a retried task must not start it twice.
            if error.resp.status != 409:
                raise
        return self.wait_for(job["jobId"])

    def wait_for(self, job_id: str) -> dict[str, Any]:
        name = f"{self.lab.parent}/jobs/{job_id}"

        def ended() -> dict[str, Any] | None:
            job: dict[str, Any] = self.jobs.get(name=name).execute(num_retries=5)
            return job if job["state"] in ENDED else None

        job = wait_until(ended)
        assert job is not None
        if job["state"] != "SUCCEEDED":
            raise RuntimeError(job["errorMessage"])
        return job

    def on_kill(self, job_id: str) -> None:
        try:
            self.jobs.cancel(name=f"{self.lab.parent}/jobs/{job_id}").execute(num_retries=5)
        except HttpError as error:
            # 400 means "over already" to it; of an unknown job it wants to hear.
            if error.resp.status != 400:
                raise


class TestAirflow:
    def test_a_task_runs_its_job_and_a_retried_one_takes_it_over(self, lab: Lab, jobs: Any) -> None:
        airflow = Airflow(lab, jobs)
        job = airflow.create_job(lab.body("nightly"))
        assert job["labels"] == {"airflow-version": "v2-11-0-composer"}
        assert airflow.create_job(lab.body("nightly"))["createTime"] == job["createTime"]

    def test_a_failed_job_is_raised_with_its_message(self, lab: Lab, jobs: Any) -> None:
        with pytest.raises(RuntimeError, match="no convergence"):
            Airflow(lab, jobs).create_job(lab.body("failing", "--fail"))

    def test_a_killed_task_cancels_its_job_whatever_became_of_it(self, lab: Lab, jobs: Any) -> None:
        airflow = Airflow(lab, jobs)
        lab.submit(lab.body("held", f"--hold={lab.folder / 'go'}"))
        airflow.on_kill("held")
        with pytest.raises(RuntimeError, match="cancelled"):
            airflow.wait_for("held")
        airflow.on_kill("held")
        with pytest.raises(HttpError) as unknown:
            airflow.on_kill("never_there")
        assert unknown.value.resp.status == 404


class Kubeflow:
    """The ml_engine component: a step that was restarted adopts its job, if it is the same job."""

    def __init__(self, lab: Lab, jobs: Any) -> None:
        self.lab = lab
        self.jobs = jobs

    def train(self, job: dict[str, Any]) -> dict[str, Any]:
        name = f"{self.lab.parent}/jobs/{job['jobId']}"
        try:
            self.jobs.create(parent=self.lab.parent, body=job).execute()
        except HttpError as error:
            if error.resp.status != 409:
                raise
            existing = self.jobs.get(name=name).execute()
            same = (
                existing.get("trainingInput") == job.get("trainingInput"),
                existing.get("predictionInput") == job.get("predictionInput"),
            )
            if not all(same):
                raise RuntimeError(f"{job['jobId']} is another job") from error
        return wait_until(lambda: self._ended(name))  # type: ignore[return-value]

    def _ended(self, name: str) -> dict[str, Any] | None:
        job: dict[str, Any] = self.jobs.get(name=name).execute()
        return job if job["state"] in ENDED else None

    def on_cancel(self, job_id: str) -> None:
        name = f"{self.lab.parent}/jobs/{job_id}"
        self.jobs.cancel(name=name, body={"name": name}).execute()


class TestKubeflowPipelines:
    def test_a_restarted_step_adopts_its_own_job_and_no_other(self, lab: Lab, jobs: Any) -> None:
        kubeflow = Kubeflow(lab, jobs)
        job = lab.tuning("component", maxTrials=1)
        first = kubeflow.train(job)
        assert first["state"] == "SUCCEEDED"
        assert first["trainingInput"]["jobDir"] == job["trainingInput"]["jobDir"], "its second output"
        assert kubeflow.train(job) == first
        with pytest.raises(RuntimeError, match="another job"):
            kubeflow.train(lab.body("component"))

    def test_a_stopped_step_cancels_its_job(self, lab: Lab, jobs: Any) -> None:
        kubeflow = Kubeflow(lab, jobs)
        lab.submit(lab.body("stopped", f"--hold={lab.folder / 'go'}"))
        kubeflow.on_cancel("stopped")
        assert lab.ended("stopped").get("errorMessage")


class TestTfx:
    def test_the_runner_creates_in_snake_case_and_polls_the_state(self, lab: Lab, jobs: Any) -> None:
        body = {
            "job_id": "tfx_20261121120000",
            "training_input": {
                "region": "us-central1",
                "packageUris": [lab.package],
                "pythonModule": "trainer.task",
                "scaleTier": "CUSTOM",
                "masterType": "standard",
                "workerType": "standard",
                "workerCount": 0,
            },
            "labels": {"tfx_executor": "trainer", "tfx_py_version": "3-11"},
        }
        created = jobs.create(body=body, parent=lab.parent).execute()
        assert created["state"] == "QUEUED", "it reads the state of the very first answer"
        name = f"{lab.parent}/jobs/{body['job_id']}"
        job = wait_until(
            lambda: found if (found := jobs.get(name=name).execute())["state"] in ENDED else None
        )
        assert job is not None
        assert job["state"] == "SUCCEEDED"
        assert job["labels"] == body["labels"]

    def test_a_container_is_refused_with_a_sentence_where_none_can_be_run(self, lab: Lab, jobs: Any) -> None:
        image = {"imageUri": "gcr.io/tfx-oss-public/tfx:0.30.0", "containerCommand": ["python", "-m", "tfx"]}
        body = {
            "job_id": "tfx_image",
            "training_input": {
                "region": "us-central1",
                "scaleTier": "CUSTOM",
                "masterType": "n1-standard-4",
                "masterConfig": image,
            },
        }
        with pytest.raises(HttpError) as refused:
            jobs.create(body=body, parent=lab.parent).execute()
        assert refused.value.resp.status == 400
        (violation,) = refused.value.error_details[0]["fieldViolations"]
        assert violation["field"] == "master_config.image_uri"
        assert "launcher" in violation["description"]


def test_a_batch_of_calls_is_answered_call_by_call(lab: Lab, jobs: Any) -> None:
    lab.submit(lab.body("batched"))
    answers: dict[str, Any] = {}

    def keep(request_id: str, answer: Any, error: HttpError | None) -> None:
        answers[request_id] = answer if error is None else error.resp.status

    # The static discovery document knows the old host only, so its users say where batches go.
    batch = BatchHttpRequest(callback=keep, batch_uri=f"{lab.service.address}/batch")
    batch.add(jobs.get(name=f"{lab.parent}/jobs/batched"), request_id="there")
    batch.add(jobs.get(name=f"{lab.parent}/jobs/missing"), request_id="missing")
    batch.add(jobs.list(parent=lab.parent), request_id="all")
    batch.add(jobs.create(parent=lab.parent, body=lab.body("by_batch")), request_id="new")
    batch.execute()
    assert answers["there"]["jobId"] == "batched"
    assert answers["missing"] == 404
    assert [job["jobId"] for job in answers["all"]["jobs"]] == ["batched"]
    assert answers["new"]["state"] == "QUEUED"
    assert lab.ended("by_batch")["state"] == "SUCCEEDED"
