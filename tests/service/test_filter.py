"""The filter of projects.jobs.list (docs/contract.md 1.3). What it means in SQL is tested with the store."""

from typing import Any

import httpx
import pytest

from store.jobs import NewJob, create_job, set_state
from store.states import State
from tests.service.door import Project, answer_of, violations
from tests.stored_rows import PATHS

TUNING = {"hyperparameters": {"goal": "MINIMIZE", "maxTrials": 8, "params": []}}
CUSTOM = {
    "scaleTier": "CUSTOM",
    "workerCount": "2",
    "masterConfig": {"acceleratorConfig": {"type": "TPU_V2"}},
}
SPOT = {"scheduling": {"maxRunningTime": "7200s"}, "enableWebAccess": True, "region": "us-central1"}
MIDNIGHT = 1_583_107_200.25  # 2020-03-02T00:00:00.25Z


@pytest.fixture
def four(project: Project) -> Project:
    """Created an hour apart, from midnight of 2020-03-02 on; the last one is listed first."""
    with project.door.database.write() as session:
        for number, (job_id, state, training, labels) in enumerate(
            [
                ("rnn_1", State.FAILED, TUNING, {"owner": "ana"}),
                ("rnn_2", State.RUNNING, CUSTOM, {"owner": "bo", "a-b": ""}),
                ("RNN_3", State.QUEUED, SPOT, {}),
                ("census", State.CANCELLED, {}, {"owner": "an_a"}),
            ]
        ):
            created = NewJob(project.name, job_id, training, training.get("hyperparameters"), labels, 0)
            job = create_job(session, created, MIDNIGHT + 3600 * number)
            for step in PATHS[state]:
                set_state(job, step)
            if state == State.FAILED:
                job.end_time = MIDNIGHT + 7200
    return project


def listed(project: Project, filter_: str, **query: Any) -> httpx.Response:
    return project.http.get("/jobs", params={"filter": filter_, **query})


def found(project: Project, filter_: str) -> str:
    """The jobs found, by their last characters, in the order of the list."""
    return "".join(job["jobId"][-1] for job in answer_of(listed(project, filter_)).get("jobs", []))


@pytest.mark.parametrize(
    ("filter_", "jobs"),
    [
        # The two examples that the old service's own documentation gave.
        ("jobId:rnn*", "21"),
        ("jobId:rnn* AND state:FAILED", "1"),
        ("", "s321"),
        ("  ", "s321"),
        # Precedence.
        ("state=FAILED OR state=RUNNING", "21"),
        ("jobId:rnn* state=FAILED OR state=QUEUED", "1"),
        ("state=FAILED OR state=QUEUED AND jobId:rnn*", "1"),
        ("(jobId:rnn* AND state=FAILED) OR state=QUEUED", "31"),
        ("NOT state=FAILED OR state=FAILED", "s321"),
        ("NOT (state=FAILED OR state=RUNNING)", "s3"),
        ("-state=FAILED -state=RUNNING", "s3"),
        ("-(state:F* OR state:R*)", "s3"),
        ("NOT(state=FAILED)AND(NOT(state=QUEUED))", "s2"),
        ("state != FAILED", "s32"),
        ("((((state=FAILED))))", "1"),
        # Spellings.
        ("job_id=census", "s"),
        ("training_input.scale_tier=custom", "2"),
        ("state:cancelled", "s"),
        ('jobId="census"', "s"),
        ("jobId='census'", "s"),
        (r'jobId="cen\"sus"', ""),
        ("\tstate\n=\tFAILED ", "1"),
        # Texts: the case counts, and so does every other character.
        ("jobId:RNN*", "3"),
        ("jobId:nn_", "21"),
        ("jobId:%", ""),
        ("jobId:rnn%*", ""),
        ("jobId:r_n*", ""),
        (r'jobId:"rnn\*"', ""),
        ("jobId:*", "s321"),
        ("jobId<a", "3"),
        ("jobId>=rnn_1", "21"),
        # Times, as they are shown.
        ("createTime=2020-03-02T00:00:00Z", "1"),
        ("createTime>2020-03-02T00:00:00Z", "s32"),
        ("createTime<=2020-03-02T01:00:00Z", "21"),
        ('createTime >= "2020-03-02T03:00:00+01:00" AND createTime < "2020-03-02T03:00:00.5Z"', "s3"),
        ("createTime=2020-03-02T00:00:00.25Z", ""),
        ("endTime:*", "1"),
        ("NOT endTime:*", "s32"),
        ("endTime<2030-01-01T00:00:00Z", "1"),
        ("NOT startTime<2030-01-01t00:00:00z", "s321"),
        # Labels.
        ("labels.owner=ana", "1"),
        ("labels.owner:an*", "s1"),
        ("labels.owner:*", "s21"),
        ("labels.a-b:*", "2"),
        ('labels."a-b"=""', "2"),
        ("labels.owner != ana", "s32"),
        ("labels.nobody=x", ""),
        ("labels:*", "s21"),
        ("NOT labels:*", "3"),
        # trainingInput, with its defaults.
        ("trainingInput.scaleTier=CUSTOM", "2"),
        ("trainingInput.scaleTier=BASIC", "s31"),
        ("trainingInput.scaleTier:BASIC*", "s31"),
        ("trainingInput.scaleTier:*", "2"),
        ("trainingInput.workerCount>1", "2"),
        ("trainingInput.workerCount=0", "s31"),
        ("trainingInput.hyperparameters:*", "1"),
        ("trainingInput.hyperparameters.goal=minimize", "1"),
        ("trainingInput.hyperparameters.maxTrials<100", "1"),
        ("NOT trainingInput.hyperparameters.maxTrials<100", "s32"),
        ("trainingInput.hyperparameters.maxParallelTrials=0", "1"),
        ("trainingInput.scheduling.maxRunningTime>=3600s", "3"),
        ("trainingInput.enableWebAccess=true", "3"),
        ("trainingInput.enableWebAccess=false", "s21"),
        ("trainingInput.region=us-central1", "3"),
        ("trainingInput.region:central", "3"),
        ('trainingInput.region=""', "s21"),
        ("trainingInput.masterConfig.acceleratorConfig.type=tpu-v2", "2"),
        ("trainingInput.masterConfig.acceleratorConfig.count=0", "2"),
    ],
)
def test_jobs_that_match(four: Project, filter_: str, jobs: str) -> None:
    assert found(four, filter_) == jobs


@pytest.mark.parametrize(
    ("filter_", "at", "said"),
    [
        ("state", 1, "and a value must follow"),
        ("state FAILED", 1, "and a value must follow"),
        ("state=", 7, "A value is needed"),
        ("state==FAILED", 7, "A value is needed"),
        ("=FAILED", 1, "A field is needed"),
        ("state=FAILED AND", 17, "A field is needed"),
        ("OR state=FAILED", 1, "A field is needed"),
        ("state=FAILED OR OR state=QUEUED", 17, "A field is needed"),
        ("NOT NOT state=FAILED", 5, "A field is needed"),
        ("state= AND jobId:a", 8, "A value is needed"),
        ("state=FAILED and jobId:a", 14, "Write AND in capitals"),
        ("state=FAILED or jobId:a", 14, "Write OR in capitals"),
        ("(state=FAILED", 14, "closing parenthesis"),
        ("state=FAILED)", 13, "not expected"),
        ("()", 2, "A field is needed"),
        ('jobId="a', 7, "closing quote"),
        ("jobId='a", 7, "closing quote"),
        ('jobId=a"b"', 8, "A space must follow"),
        ("state=(FAILED OR QUEUED)", 7, "A value is needed"),
        ("jobId:a*b", 8, r"\*"),
        ("jobId=a*", 7, r"\*"),
        (r'jobId="a\n"', 9, r"write \\"),
        ("jobId=a\\", 8, r"write \\"),
        ("colour=red", 1, "jobId, state, createTime"),
        ("jobId.x=a", 1, "no field to filter by"),
        ("labels.Owner=a", 1, "lower-case"),
        ("labels.=a", 8, "A field is needed"),
        ("labels=a", 8, "labels:*"),
        ("trainingInput.gpus=1", 1, "'trainingInput.gpus' is no field"),
        ("trainingInput.region.x=1", 1, "no field to filter by"),
        ("trainingInput=1", 15, "trainingInput:*"),
        ("trainingInput.hyperparameters=1", 31, "is a message"),
        ("trainingInput.args:x", 20, "is a list"),
        ("trainingInput.hyperparameters.params.parameterName=lr", 1, "no field to filter by"),
        ("state=DONE", 7, "QUEUED, PREPARING"),
        ("state:X*", 7, "QUEUED, PREPARING"),
        ("state<FAILED", 7, "by =, != and : only"),
        ("trainingInput.scaleTier=HUGE", 25, "STANDARD_1"),
        ("trainingInput.enableWebAccess=1", 31, "true or false"),
        ("trainingInput.enableWebAccess>true", 31, "by =, != and : only"),
        ("trainingInput.workerCount=two", 27, "integer"),
        ("trainingInput.workerCount=9223372036854775808", 27, "9223372036854775807"),
        ("trainingInput.workerCount:1*", 27, "no beginning"),
        ("trainingInput.scheduling.maxRunningTime>3600", 41, '"3600s"'),
        ("createTime>yesterday", 12, "2020-03-02T10:00:00Z"),
        ("createTime>2020-03-02", 12, "RFC 3339"),
        ("createTime>2020-02-30T00:00:00Z", 12, "RFC 3339"),
        ("createTime>2020-03-02T00:00:00", 12, "RFC 3339"),
        ("createTime:2020*", 12, "no beginning"),
        ('jobId:""', 7, "An empty text"),
        ("jobId=a\0", 8, "NUL"),
        ("(" * 17 + "state=FAILED" + ")" * 17, 17, "deeper than 16"),
        (" OR ".join(["state=FAILED"] * 101), 1601, "more than 100"),
        ("jobId=" + "a" * 4091, 4097, "longer than 4096"),
    ],
)
def test_a_filter_that_is_none_is_refused_with_its_place(
    project: Project, filter_: str, at: int, said: str
) -> None:
    (violation,) = violations(listed(project, filter_))
    assert violation["field"] == "filter"
    assert violation["description"].startswith(f"At character {at}: ")
    assert said in violation["description"]
    assert len(violation["description"]) < 400


def test_as_much_as_is_allowed_can_be_asked(four: Project) -> None:
    assert found(four, "(" * 16 + "state=FAILED" + ")" * 16) == "1"
    assert found(four, " OR ".join(["jobId:rnn_1*"] * 100)) == "1"
    assert found(four, " ".join(["-trainingInput.scheduling.priority=1"] * 100)) == "s321"
    assert found(four, "jobId=" + "a" * 4090) == ""


def test_pages_are_pages_of_what_was_found(four: Project) -> None:
    first = answer_of(listed(four, "jobId:rnn*", pageSize=1))
    assert [job["jobId"] for job in first["jobs"]] == ["rnn_2"]
    second = answer_of(listed(four, "jobId:rnn*", pageSize=1, pageToken=first["nextPageToken"]))
    assert [job["jobId"] for job in second["jobs"]] == ["rnn_1"]
    assert "nextPageToken" not in second


def test_a_page_that_has_looked_long_enough_says_where_to_go_on(
    four: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.jobs.FILTER_SECONDS", 0.0)
    monkeypatch.setattr("store.jobs.FIRST_WINDOW", 2)
    first = answer_of(listed(four, "jobId=rnn_1"))
    assert list(first) == ["nextPageToken"]
    second = answer_of(listed(four, "jobId=rnn_1", pageToken=first["nextPageToken"]))
    assert [job["jobId"] for job in second["jobs"]] == ["rnn_1"]
    assert answer_of(listed(four, "jobId=rnn_1", pageToken=second["nextPageToken"])) == {}


def test_a_token_of_another_filter_is_refused(four: Project) -> None:
    token = answer_of(listed(four, "jobId:rnn*", pageSize=1))["nextPageToken"]
    for other in ("", "jobId:rn*"):
        (violation,) = violations(listed(four, other, pageSize=1, pageToken=token))
        assert violation["field"] == "page_token"


def test_jobs_that_come_or_leave_the_filter_while_paging_shift_nothing(four: Project) -> None:
    first = answer_of(listed(four, "jobId:rnn* OR jobId:RNN*", pageSize=2))
    assert [job["jobId"] for job in first["jobs"]] == ["RNN_3", "rnn_2"]
    four.create("rnn_4")
    second = answer_of(listed(four, "jobId:rnn* OR jobId:RNN*", pageSize=2, pageToken=first["nextPageToken"]))
    assert [job["jobId"] for job in second["jobs"]] == ["rnn_1"]


def test_a_filter_stays_in_its_project(four: Project) -> None:
    other = four.http.base_url.copy_with(path=f"/v1/projects/{four.name}-b/jobs")
    assert answer_of(four.http.get(other, params={"filter": "jobId:* OR NOT jobId:*"})) == {}
