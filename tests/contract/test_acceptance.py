"""What a host of this contract must do, check by check, against a running service.

Check 19, gcloud's own requests, has a file of its own: test_gcloud.py.
"""

import http.client
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from googleapiclient.errors import HttpError  # type: ignore[import-untyped]

from tests.contract.conftest import ENDED, Lab, X
from tests.running_service import RunningService, wait_until
from tests.service.door import Project

TIMES = ("createTime", "startTime", "endTime")


def violated(lab: Lab, **training: Any) -> list[str]:
    """The fields that a job with these inputs is refused for."""
    answer = lab.post(lab.body("refused", **training))
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["status"] == "INVALID_ARGUMENT"
    return [violation["field"] for violation in error["details"][0]["fieldViolations"]]


def test_check_01_every_method_decodes_in_googleapiclient(lab: Lab, jobs: Any) -> None:
    hold = f"--hold={lab.folder / 'go'}"
    created = jobs.create(parent=lab.parent, body=lab.body("first", hold)).execute()
    assert created["state"] == "QUEUED"
    jobs.create(parent=lab.parent, body=lab.body("second", hold)).execute()
    name = f"{lab.parent}/jobs/first"
    assert jobs.get(name=name).execute()["jobId"] == "first"

    listed, request = [], jobs.list(parent=lab.parent, pageSize=1)
    while request is not None:
        page = request.execute()
        listed += [job["jobId"] for job in page.get("jobs", [])]
        request = jobs.list_next(request, page)
    assert listed == ["second", "first"]

    patched = jobs.patch(name=name, updateMask="labels", body={"labels": {"owner": "ana"}}).execute()
    assert patched["labels"] == {"owner": "ana"}

    policy = {"bindings": [{"role": "roles/ml.viewer", "members": ["user:ana@example.com"]}]}
    before = jobs.getIamPolicy(resource=name).execute()
    assert set(before) <= {"etag", "version"}
    kept = jobs.setIamPolicy(resource=name, body={"policy": policy}).execute()
    assert kept["bindings"] == policy["bindings"]
    assert jobs.getIamPolicy(resource=name).execute() == kept
    asked = {"permissions": ["ml.jobs.get", "ml.jobs.cancel"]}
    assert jobs.testIamPermissions(resource=name, body=asked).execute() == asked

    for job_id in ("first", "second"):
        assert jobs.cancel(name=f"{lab.parent}/jobs/{job_id}").execute() == {}
        assert lab.ended(job_id)["state"] == "CANCELLED"


def test_check_02_cancel_takes_no_body_a_name_and_an_empty_object(lab: Lab) -> None:
    job_id = lab.submit(lab.body("held", f"--hold={lab.folder / 'go'}"))
    path = f"/v1/{lab.parent}/jobs/{job_id}:cancel"
    connection = http.client.HTTPConnection(urlsplit(lab.service.address).netloc, timeout=30)
    # As googleapiclient sends it: a length of 0, and no content type at all.
    connection.putrequest("POST", path)
    connection.putheader("Content-Length", "0")
    connection.endheaders()
    bare = connection.getresponse()
    assert (bare.status, bare.read()) == (200, b"{}")
    connection.close()
    for body in ({"name": f"{lab.parent}/jobs/{job_id}"}, {}):
        answer = lab.http.post(f"{lab.url}/{job_id}:cancel", json=body)
        assert (answer.status_code, answer.json()) == (200, {})
    assert lab.ended(job_id)["state"] == "CANCELLED"


def test_check_03_cancelling_what_has_succeeded_changes_nothing(lab: Lab) -> None:
    before = lab.ended(lab.submit(lab.body("quick")))
    assert before["state"] == "SUCCEEDED"
    assert lab.http.post(f"{lab.url}/quick:cancel").status_code == 200
    assert lab.get("quick") == before


def test_check_04_a_job_id_is_taken_for_ever_and_its_input_comes_back_equal(lab: Lab) -> None:
    body = lab.body(
        "taken",
        scaleTier="CUSTOM",
        masterType="n1-standard-4",
        masterConfig={"acceleratorConfig": {"count": "1", "type": "NVIDIA_TESLA_T4"}},
        runtimeVersion="2.1",
        pythonVersion="3.7",
        scheduling={"maxRunningTime": "3600s", "priority": 3},
        jobDir=str(lab.folder / "taken"),
        hyperparameters={
            "goal": "MAXIMIZE",
            "maxTrials": 1,
            "hyperparameterMetricTag": "score",
            "params": [
                X,
                {"parameterName": "batch_size", "type": "DISCRETE", "discreteValues": [16.0, 32.0]},
            ],
        },
    )
    lab.submit(body)
    for again in (body, lab.body("taken")):
        answer = lab.post(again)
        assert answer.status_code == 409
        assert answer.json()["error"]["status"] == "ALREADY_EXISTS"
    assert lab.get("taken")["trainingInput"] == body["trainingInput"]
    assert lab.ended("taken")["trainingInput"] == body["trainingInput"]


def test_check_05_snake_case_lower_case_and_nulls_are_read(lab: Lab) -> None:
    answer = lab.post(
        {
            "job_id": "snakes",
            "training_input": {
                "scaleTier": "custom",
                "master_type": "n1-standard-4",
                "package_uris": [lab.package],
                "python_module": "trainer.task",
                "job_dir": None,
                "hyperparameters": None,
                "use_chief_in_tf_config": True,
            },
            "labels": None,
        }
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["trainingInput"] == {
        "scaleTier": "CUSTOM",
        "masterType": "n1-standard-4",
        "packageUris": [lab.package],
        "pythonModule": "trainer.task",
        "useChiefInTfConfig": True,
    }
    # chillpill's way of not resuming.
    not_resuming = lab.tuning("not_resuming", maxTrials=1, resumePreviousJobId=None)
    assert lab.post(not_resuming).status_code == 200


def test_check_06_an_unknown_field_is_told_as_the_old_service_told_it(lab: Lab) -> None:
    answer = lab.post({"jobId": "odd", "parameter_server_type": "standard"})
    message = (
        "Invalid JSON payload received. Unknown name \"parameter_server_type\" at 'job': Cannot find field."
    )
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json; charset=UTF-8"
    assert answer.json() == {
        "error": {
            "code": 400,
            "status": "INVALID_ARGUMENT",
            "message": message,
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.BadRequest",
                    "fieldViolations": [{"field": "job", "description": message}],
                }
            ],
        }
    }
    body = lab.body("odd", hyperparameters={"params": [], "trials": 4})
    assert "at 'job.training_input.hyperparameters'" in lab.post(body).json()["error"]["message"]


def test_check_07_lists_are_empty_objects_or_pages_of_20_and_at_most_100(project: Project) -> None:
    """Against the door alone: nobody needs 101 jobs to be run for this."""
    assert project.http.get("/jobs").json() == {}
    for number in range(101):
        project.create(f"job_{number}")
    sizes = {None: 20, 0: 20, 7: 7, 100: 100, 1000: 100}
    for asked, given in sizes.items():
        page = project.http.get("/jobs", params={} if asked is None else {"pageSize": asked}).json()
        assert len(page["jobs"]) == given
    rest = project.http.get("/jobs", params={"pageSize": 100, "pageToken": page["nextPageToken"]}).json()
    assert [job["jobId"] for job in rest["jobs"]] == ["job_0"]
    assert "nextPageToken" not in rest


def test_check_08_numbers_enums_and_times_have_their_canonical_form(lab: Lab) -> None:
    job_id = lab.submit(
        lab.body(
            "forms",
            "--report=hypertune",
            scaleTier=5,
            masterType="n1-standard-4",
            workerType="n1-standard-4",
            workerCount=0,
            masterConfig={"acceleratorConfig": {"count": 2, "type": "nvidia-tesla-t4"}},
            hyperparameters={"params": [X], "hyperparameterMetricTag": "score", "maxTrials": "1"},
        )
    )
    job = lab.ended(job_id)
    given = job["trainingInput"]
    assert given["scaleTier"] == "CUSTOM"
    assert given["masterConfig"]["acceleratorConfig"] == {"count": "2", "type": "NVIDIA_TESLA_T4"}
    assert given["hyperparameters"]["maxTrials"] == 1
    assert "workerCount" not in given, "zero is a default"
    (trial,) = job["trainingOutput"]["trials"]
    assert job["trainingOutput"]["completedTrialCount"] == "1"
    assert trial["finalMetric"]["trainingStep"] == "1"
    for holder, names in ((job, TIMES), (trial, TIMES[1:])):
        for name in names:
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", holder[name])
    assert job["createTime"] <= job["startTime"] <= job["endTime"]


def test_check_09_what_failed_or_was_cancelled_says_why(lab: Lab) -> None:
    lab.submit(lab.body("failing", "--fail"))
    lab.submit(lab.body("held", f"--hold={lab.folder / 'go'}"))
    failed = lab.ended("failing")
    assert failed["state"] == "FAILED"
    assert "exited with a non-zero status of 1" in failed["errorMessage"]
    assert "no convergence" in failed["errorMessage"]
    lab.running("held")
    lab.http.post(f"{lab.url}/held:cancel")
    cancelling = lab.get("held")
    assert cancelling["state"] in ("CANCELLING", "CANCELLED")
    assert cancelling["errorMessage"]
    cancelled = lab.ended("held")
    assert (cancelled["state"], bool(cancelled["errorMessage"])) == ("CANCELLED", True)
    assert all(job["state"] in ENDED for job in lab.http.get(lab.url).json()["jobs"])


def test_check_10_a_wait_of_less_than_half_an_hour_is_refused(lab: Lab) -> None:
    assert violated(lab, scheduling={"maxWaitTime": "60s"}) == ["scheduling.max_wait_time"]
    assert lab.post(lab.body("patient", scheduling={"maxWaitTime": "1800s"})).status_code == 200


def test_check_11_jobs_without_accelerators_are_taken_however_they_say_so(lab: Lab) -> None:
    assert lab.post(lab.body("basic", scaleTier="BASIC")).status_code == 200
    none = {"acceleratorConfig": {"count": "0", "type": "ACCELERATOR_TYPE_UNSPECIFIED"}}
    custom = lab.body(
        "custom",
        scaleTier="CUSTOM",
        masterType="n1-standard-8",
        workerType="n1-standard-8",
        workerCount="0",
        masterConfig=none,
        workerConfig=none,
    )
    assert lab.post(custom).status_code == 200


@pytest.mark.parametrize(
    ("algorithm", "param", "wrong"),
    [
        ("GRID_SEARCH", X, "hyperparameters.params[0].type"),
        (
            None,
            {**X, "minValue": 0.0, "scaleType": "UNIT_LOG_SCALE"},
            "hyperparameters.params[0].min_value",
        ),
        (
            None,
            {"parameterName": "n", "type": "DISCRETE", "discreteValues": [2.0, 1.0]},
            "hyperparameters.params[0].discrete_values",
        ),
    ],
)
def test_check_12_impossible_searches_are_refused(
    lab: Lab, algorithm: str | None, param: dict[str, Any], wrong: str
) -> None:
    spec: dict[str, Any] = {"params": [param], "algorithm": algorithm}
    (field,) = violated(lab, hyperparameters=spec)
    assert field.startswith(wrong)


def test_check_12_a_scale_on_a_discrete_parameter_is_tolerated(lab: Lab) -> None:
    scaled = {
        "parameterName": "batch_size",
        "type": "DISCRETE",
        "discreteValues": [8.0, 16.0],
        "scaleType": "UNIT_LINEAR_SCALE",
    }
    assert lab.post(lab.tuning("scaled", params=[scaled], maxTrials=1)).status_code == 200


@pytest.mark.parametrize("goal", ["MAXIMIZE", "MINIMIZE"])
def test_check_13_trials_come_best_first_and_without_a_metric_last(lab: Lab, goal: str) -> None:
    trials = lab.trials(lab.submit(lab.tuning(f"job_{goal}", "--silent-trial=2", goal=goal)))
    assert lab.get(f"job_{goal}")["state"] == "SUCCEEDED"
    assert len(trials) == 3
    values = [trial["finalMetric"]["objectiveValue"] for trial in trials[:2]]
    assert values == sorted(values, reverse=goal == "MAXIMIZE")
    assert trials[2]["trialId"] == "2"
    assert "finalMetric" not in trials[2]
    assert {trial["state"] for trial in trials} == {"SUCCEEDED"}


def test_check_14_arguments_are_the_users_then_the_tuned_then_the_job_dir(lab: Lab) -> None:
    tuned = {"parameterName": "batch_size", "type": "DISCRETE", "discreteValues": [64.0]}
    note = f"--note={lab.folder}"
    job_dir = lab.folder / "argued"
    lab.trials(lab.submit(lab.tuning("argued", note, "--batch_size", "2", params=[tuned], maxTrials=1)))
    assert lab.seen("1")["argv"] == [
        *("--report=hypertune", note, "--batch_size", "2"),
        "--batch_size=64",
        *("--job-dir", str(job_dir / "1")),
    ]
    assert lab.seen("1")["batch_size"] == 64, "argparse takes the last of two"
    assert lab.get("argued")["trainingInput"]["jobDir"] == str(job_dir)


def test_check_15_the_trials_number_is_text_and_missing_where_nothing_is_tuned(lab: Lab) -> None:
    lab.submit(lab.tuning("tuned", f"--note={lab.folder}", maxTrials=1))
    lab.submit(lab.body("plain", f"--note={lab.folder}"))
    assert lab.ended("tuned")["state"] == lab.ended("plain")["state"] == "SUCCEEDED"
    assert lab.seen("1")["TF_CONFIG"]["task"]["trial"] == "1"
    assert lab.seen("1")["CLOUD_ML_TRIAL_ID"] == "1"
    assert "trial" not in lab.seen()["TF_CONFIG"]["task"]
    assert lab.seen()["CLOUD_ML_TRIAL_ID"] is None


def test_check_16_the_last_of_250_hypertune_reports_is_final(lab: Lab) -> None:
    (trial,) = lab.trials(lab.submit(lab.tuning("reports", "--reports=250", maxTrials=1)))
    x = float(trial["hyperparameters"]["x"])
    assert trial["finalMetric"] == {"trainingStep": "250", "objectiveValue": x + 250}


def test_check_17_event_files_below_eval_are_read_by_their_exact_tag(lab: Lab) -> None:
    lab.submit(lab.tuning("events", "--report=events", "--reports=3", maxTrials=1))
    lab.submit(lab.tuning("other_tag", "--report=events", maxTrials=1, hyperparameterMetricTag="sco"))
    (trial,) = lab.trials("events")
    x = float(trial["hyperparameters"]["x"])
    assert [point["trainingStep"] for point in trial["allMetrics"]] == ["1", "2", "3"]
    assert trial["finalMetric"]["objectiveValue"] == pytest.approx(x + 3, rel=1e-6)  # Summaries have 32 bits.
    (other,) = lab.trials("other_tag")
    assert "finalMetric" not in other
    assert "'score'" in other["errorMessage"]


def test_check_18_a_study_goes_on_with_its_id_and_a_number_of_trials(lab: Lab) -> None:
    exhausted = {"parameterName": "batch_size", "type": "DISCRETE", "discreteValues": [1.0, 2.0, 3.0]}
    lab.submit(lab.tuning("study", params=[exhausted], maxTrials=2, algorithm="GRID_SEARCH"))
    first = lab.trials("study")
    resumed = lab.body(
        "resumed",
        "--report=hypertune",
        hyperparameters={"resumePreviousJobId": "study", "maxTrials": 5},
    )
    second = lab.trials(lab.submit(resumed))
    # The grid has three points; two were taken, so the earlier results were used if one was left.
    tried = [trial["hyperparameters"]["batch_size"] for trial in (*first, *second)]
    assert sorted(tried) == ["1", "2", "3"]
    assert lab.get("resumed")["trainingOutput"]["hyperparameterMetricTag"] == "score"


@pytest.mark.parametrize("how", ["succeeds", "fails", "is_cancelled"])
def test_check_20_submit_with_stream_logs_tells_by_its_status_how_the_job_ended(lab: Lab, how: str) -> None:
    go = lab.folder / "go"
    flags = {"succeeds": [], "fails": ["--fail"], "is_cancelled": [f"--hold={go}"]}[how]
    command = [sys.executable, "-m", "cli.main", "jobs", "submit", "training", how]
    command += ["--project", lab.project, "--stream-logs", "--packages", lab.package]
    command += ["--module-name", "trainer.task", "--region", "us-central1", "--", "--note", "", *flags]
    environment = {**os.environ, "VERNIER_API": lab.service.address, "HOME": str(lab.folder)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as submitting:
        if how == "is_cancelled":
            wait_until(lambda: lab.http.get(f"{lab.url}/{how}").is_success)
            lab.running(how)
            lab.http.post(f"{lab.url}/{how}:cancel")
        _, said = submitting.communicate(timeout=120)
    assert submitting.returncode == (0 if how == "succeeds" else 1), said
    if how != "is_cancelled":
        assert "x is 0.5" in said, "the trainer's own lines are streamed"


def test_check_21_a_patch_with_another_etag_is_refused_and_labels_alone_always_win(lab: Lab) -> None:
    job_id = lab.submit(lab.body("labelled"))
    etag = lab.ended(job_id)["etag"]

    def patch(mask: str, body: dict[str, Any]) -> Any:
        return lab.http.patch(f"{lab.url}/{job_id}", params={"updateMask": mask}, json=body)

    first = patch("labels,etag", {"labels": {"a": "1"}, "etag": etag})
    assert first.status_code == 200
    assert first.json()["etag"] != etag
    stale = patch("labels,etag", {"labels": {"a": "2"}, "etag": etag})
    assert (stale.status_code, stale.json()["error"]["status"]) == (409, "ABORTED")
    assert lab.get(job_id)["labels"] == {"a": "1"}
    assert patch("labels", {"labels": {"a": "3"}, "etag": etag}).json()["labels"] == {"a": "3"}
    refused = patch("state", {"state": "SUCCEEDED"})
    assert refused.status_code == 400
    assert refused.json()["error"]["details"][0]["fieldViolations"][0]["field"] == "update_mask"


def test_check_22_a_restart_in_the_middle_of_a_job_keeps_it_and_its_trials(
    tmp_path: Path, contract_package: str
) -> None:
    go = tmp_path / "go"
    with (
        RunningService(tmp_path / "data", slots=4) as service,
        Lab(service, contract_package, tmp_path) as lab,
    ):
        lab.submit(lab.tuning("long", f"--hold={go}"))
        lab.submit(lab.body("plain", f"--hold={go}"))
        trials = lab.wait("long", lambda job: len(job.get("trainingOutput", {}).get("trials", ())) == 3)
        before = {trial["trialId"]: trial["hyperparameters"] for trial in trials["trainingOutput"]["trials"]}
        service.kill()
    with (
        RunningService(tmp_path / "data", slots=4) as service,
        Lab(service, contract_package, tmp_path, lab.project) as lab,
    ):
        go.touch()
        after = {trial["trialId"]: trial["hyperparameters"] for trial in lab.trials("long")}
        assert after == before
        assert lab.ended("long")["state"] == lab.ended("plain")["state"] == "SUCCEEDED"
        assert service.stop() == 0


def test_an_error_of_any_kind_is_read_by_googleapiclient_with_its_details(lab: Lab, jobs: Any) -> None:
    with pytest.raises(HttpError) as refused:
        jobs.create(parent=lab.parent, body=lab.body("bad", scheduling={"maxWaitTime": "60s"})).execute()
    (detail,) = refused.value.error_details
    assert detail["fieldViolations"][0]["field"] == "scheduling.max_wait_time"
    assert json.loads(refused.value.content)["error"]["code"] == refused.value.status_code == 400
