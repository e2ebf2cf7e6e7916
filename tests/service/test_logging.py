"""entries.list of the Logging API, as gcloud and people with a filter ask it."""

import re
from collections.abc import Sequence
from typing import Any

import pytest

from store.log_entries import NewEntry, add_log_entries
from store.models import Job
from tests.service.door import Project, answer_of, client, error_of, violations
from tests.stored_rows import add_job

LONG_AGO = 1_561_370_789.6
"""Seconds; long before anything that the door writes by itself."""
MASTER = "master-replica-0"

Entry = dict[str, Any]


class Log:
    """The logs of one project's jobs."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.http = client(project.door.address)

    def job(self, job_id: str = "j") -> Job:
        with self.project.door.database.write() as session:
            return add_job(session, job_id, project=self.project.name)

    def add(self, job: Job, *messages: str, at: float = LONG_AGO, **fields: Any) -> None:
        entries = [
            NewEntry(fields.get("task", MASTER), fields.get("trial"), fields.get("severity", "INFO"), message)
            for message in messages
        ]
        with self.project.door.database.write() as session:
            add_log_entries(session, self.project.name, job.id, entries, at)

    def post(self, **body: Any) -> Any:
        whole = {"resourceNames": [f"projects/{self.project.name}"], **body}
        return self.http.post("/v2/entries:list", json=whole)

    def entries(self, where: str = "", **body: Any) -> list[Entry]:
        """The entries of all pages."""
        found: list[Entry] = []
        while True:
            answer = answer_of(self.post(filter=where, **body))
            found += answer.get("entries", [])
            if "nextPageToken" not in answer:
                return found
            body["pageToken"] = answer["nextPageToken"]

    def messages(self, where: str = "", **body: Any) -> list[str]:
        return [entry["jsonPayload"]["message"] for entry in self.entries(where, **body)]


@pytest.fixture
def log(project: Project) -> Any:
    made = Log(project)
    with made.http:
        yield made


@pytest.fixture
def filled(log: Log) -> Log:
    """Two jobs: `j`, with two trials, and `k`."""
    job = log.job("j")
    log.add(job, "Job j is queued.", task="service")
    log.add(job, "first", trial=1, at=LONG_AGO + 1)
    log.add(job, "second 50%", trial=2, severity="WARNING", at=LONG_AGO + 2)
    log.add(job, "Third", trial=1, severity="ERROR", at=LONG_AGO + 3)
    log.add(log.job("k"), "of another job", at=LONG_AGO + 4)
    return log


ALL = ["Job j is queued.", "first", "second 50%", "Third", "of another job"]


def test_an_entry_has_the_shape_of_the_contract(log: Log) -> None:
    log.add(log.job(), "TypeError: …\n  at 2", trial=2, severity="ERROR")
    (entry,) = log.entries()
    assert re.fullmatch(r"\d{20}", entry.pop("insertId"))
    assert entry.pop("timestamp") == entry.pop("receiveTimestamp") == "2019-06-24T10:06:29.600000000Z"
    name = log.project.name
    assert entry == {
        "logName": f"projects/{name}/logs/master-replica-0",
        "severity": "ERROR",
        "resource": {
            "type": "ml_job",
            "labels": {"task_name": "master-replica-0", "job_id": "j", "project_id": name},
        },
        "labels": {"ml.googleapis.com/trial_id": "2", "ml.googleapis.com/job_id/log_area": "root"},
        "jsonPayload": {
            "message": "TypeError: …\n  at 2",
            "levelname": "ERROR",
            "created": pytest.approx(LONG_AGO),
        },
    }


def test_entries_of_plain_training_have_an_empty_trial_id(log: Log) -> None:
    log.add(log.job(), "x")
    assert log.entries()[0]["labels"]["ml.googleapis.com/trial_id"] == ""


def test_a_new_job_says_that_it_was_checked_and_is_queued(log: Log) -> None:
    log.project.create("new_1")
    assert log.messages('resource.labels.job_id="new_1" AND resource.labels.task_name="service"') == [
        "Validating job requirements...",
        "Job creation request has been successfully validated.",
        "Job new_1 is queued.",
    ]


def test_a_job_that_is_refused_says_nothing(log: Log) -> None:
    log.project.create("taken")
    assert log.project.http.post("/jobs", json=log.project.body("taken")).status_code == 409
    assert len(log.messages('resource.labels.job_id="taken"')) == 3


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("", ALL),
        ("   -- nothing but a comment\n", ALL),
        ('resource.labels.job_id="j"', ALL[:4]),
        ("resource.labels.job_id=j", ALL[:4]),
        ("resource.labels.job_id=J", []),
        ("resource.labels.job_id:*", ALL),
        ('resource.labels.job_id=("j" OR "k")', ALL),
        ('resource.labels.job_id!="j"', ALL[4:]),
        ('NOT resource.labels.job_id="j"', ALL[4:]),
        ('-resource.labels.job_id="j"', ALL[4:]),
        ('resource.type="ml_job"', ALL),
        ('(resource.type="ml_job" OR resource.type="cloudml_job")', ALL),
        ('resource.type="gce_instance"', []),
        ('resource.type!="gce_instance"', ALL),
        ('resource.labels.task_name="service"', ALL[:1]),
        ('labels.task_name="service"', ALL[:1]),
        ('labels."ml.googleapis.com/task_name"="service"', ALL[:1]),
        ('labels."ml.googleapis.com/trial_id"="2"', ALL[2:3]),
        ('labels."ml.googleapis.com/trial_id"=""', [ALL[0], ALL[4]]),
        ('labels."ml.googleapis.com/trial_id"=("1" OR "2")', ALL[1:4]),
        ("labels.trial_id=1", [ALL[1], ALL[3]]),
        ("severity>=WARNING", ALL[2:4]),
        ("severity>200", ALL[2:4]),
        ('severity="error"', ALL[3:4]),
        ("severity=(WARNING OR ERROR)", ALL[2:4]),
        ("severity<WARNING", [*ALL[:2], ALL[4]]),
        ("severity!=INFO", ALL[2:4]),
        ("jsonPayload.levelname=warning", ALL[2:3]),
        ('textPayload="THIRD"', ALL[3:4]),
        ('jsonPayload.message:"50%"', ALL[2:3]),
        ('jsonPayload.message:"5_%"', []),
        ("third", ALL[3:4]),
        ('"another job"', ALL[4:]),
        ("another job", [*ALL[4:]]),
        ("NOT job", ALL[1:4]),
        ("-job -third", ALL[1:3]),
        ("first OR third AND severity=ERROR", ALL[3:4]),
        ("severity=ERROR AND third OR first", ALL[3:4]),
        ("(severity=ERROR AND third) OR first", [ALL[1], ALL[3]]),
        ("severity=INFO\nAND first -- the one\n", ALL[1:2]),
        ('timestamp>="2019-06-24T10:06:32Z"', ALL[3:]),
        ('timestamp>="2019-06-24T12:06:32+02:00"', ALL[3:]),
        ('timestamp>="2019-06-24T10:06:32.000000+0000"', ALL[3:]),  # google-cloud-logging's
        ('timestamp>"2019-06-24" AND timestamp<"2019-06-24T10:06:31Z"', ALL[:2]),
        ('timestamp<"9999-12-31"', ALL),
        ('timestamp>"9999-12-31"', []),
        ('timestamp>"0001-01-01T00:00:00Z"', ALL),
        ('insertId>"00000000000000000000"', ALL),
        ('insertId<"1"', ALL),
        ('insertId>"abc"', []),
        ('insertId>""', ALL),
        ('insertId="x"', []),
        ("logName:service", ALL[:1]),
        ("unknown.field=1", []),
        ("unknown.field!=1", []),
        ("unknown.field:*", []),
        ("NOT unknown.field=1", ALL),
        ("unknown.field=1 OR first", ALL[1:2]),
        ("résumé", []),
        (r'jsonPayload.message="fi\x72st"', ALL[1:2]),
        (r'"\u0066irst"', ALL[1:2]),
        ("'first'", ALL[1:2]),
    ],
)
def test_a_filter_finds(filled: Log, where: str, found: Sequence[str]) -> None:
    assert filled.messages(where) == list(found)


@pytest.mark.parametrize(
    ("where", "at", "says"),
    [
        ("severity>=", 11, "the end stands where a value should be"),
        ("severity>=LOUD", 1, "'LOUD' is no severity"),
        ("a AND", 6, "a comparison"),
        ("OR a", 1, "'OR' stands where a comparison"),
        ("(a", 3, "a closing parenthesis"),
        ("a)", 2, "')' stands where"),
        ("()", 2, "')' stands where"),
        ('a="b', 3, "never closed"),
        ("a=b=c", 4, "must be quoted"),
        ("timestamp>2019-06-24T10:06:32Z", 24, "must be quoted"),
        ('timestamp>"yesterday"', 1, "'yesterday' is no time"),
        ('timestamp>"2019-02-30"', 1, "is no time"),
        ('jsonPayload.message=~"x.*"', 20, "Regular expressions (=~) are not served"),
        ("jsonPayload.message>a", 1, "=, != and : only"),
        ("a!b", 2, "'!' can stand in quotes only"),
        (r'"\ud800"', 2, "is no character"),
        (r'"\x00"', 1, "NUL"),
        ("(" * 5000 + "a", 32, "deeper than 30 levels"),
        ("NOT " * 4000 + "a", 125, "deeper than 30 levels"),
        (" a" * 300, 402, "at most 200 comparisons"),
        ("a" * 20_001, 20_001, "at most 20000 characters"),
    ],
)
def test_a_filter_that_is_none_is_refused_with_the_place(log: Log, where: str, at: int, says: str) -> None:
    (violation,) = violations(log.post(filter=where))
    assert violation["field"] == "filter"
    assert violation["description"].startswith(f"At character {at}: ")
    assert says in violation["description"]


def test_gclouds_filters_page_through_a_log_and_meet_each_entry_once(log: Log) -> None:
    job = log.job("census_1")
    for start in range(0, 40, 8):
        log.add(job, *[f"line {number}" for number in range(start, start + 8)])
    of_job = (
        '(resource.type="ml_job" OR resource.type="cloudml_job") AND resource.labels.job_id="census_1"'
        ' AND (resource.labels.task_name="master-replica-0" OR labels.task_name="master-replica-0")'
        ' AND {after} AND timestamp<"2030-01-01T00:00:00.000000Z"'
    )
    after = 'timestamp>="2019-06-24T00:00:00Z"'
    told: list[str] = []
    while entries := answer_of(
        log.post(filter=of_job.format(after=after), orderBy="timestamp asc", pageSize=7)
    ).get("entries", []):
        told += [entry["jsonPayload"]["message"] for entry in entries]
        stamp, number = entries[-1]["timestamp"], entries[-1]["insertId"]
        after = f'((timestamp="{stamp}" AND insertId>"{number}") OR timestamp>"{stamp}")'
    assert told == [f"line {number}" for number in range(40)]


@pytest.mark.parametrize(("order", "first"), [("timestamp asc", 0), ("timestamp desc", 29), ("", 0)])
def test_pages_follow_each_other_in_either_order(log: Log, order: str, first: int) -> None:
    log.add(log.job(), *[str(number) for number in range(30)])
    answer = answer_of(log.post(orderBy=order, pageSize=4))
    assert len(answer["entries"]) == 4
    found = [int(message) for message in log.messages(orderBy=order, pageSize=4)]
    assert found == sorted(found, reverse=first > 0)
    assert (len(found), found[0]) == (30, first)


def test_a_page_has_fifty_entries_unless_asked_otherwise(log: Log) -> None:
    log.add(log.job(), *["x"] * 60)
    assert len(answer_of(log.post())["entries"]) == 50
    assert len(answer_of(log.post(pageSize=0))["entries"]) == 50
    assert len(answer_of(log.post(pageSize="55"))["entries"]) == 55
    assert answer_of(log.post(pageSize=1000)).keys() == {"entries"}


def test_large_messages_make_short_pages(log: Log) -> None:
    log.add(log.job(), *["x" * 250_000] * 40)
    answer = answer_of(log.post(pageSize=1000))
    assert 10 <= len(answer["entries"]) <= 20
    assert len(log.entries(pageSize=1000)) == 40


def test_no_entries_are_an_empty_object(log: Log) -> None:
    assert answer_of(log.post()) == {}
    assert answer_of(log.post(filter='resource.labels.job_id="never_there"')) == {}


def test_entries_of_several_jobs_wait_until_none_can_come_before_them(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long a busy machine takes from here to the first list.
    monkeypatch.setattr("service.logging.routes.SETTLED_SECONDS", 1000.0)
    log.project.create("young")
    assert log.messages() == []
    assert len(log.messages('resource.labels.job_id="young"')) == 3
    assert len(log.messages(orderBy="timestamp desc")) == 3


def test_projects_are_apart_and_can_be_listed_together(filled: Log) -> None:
    other = f"{filled.project.name}-b"
    with filled.project.door.database.write() as session:
        job = add_job(session, "j", project=other)
        add_log_entries(session, other, job.id, [NewEntry(MASTER, None, "INFO", "theirs")], LONG_AGO + 2.5)
    assert "theirs" not in filled.messages()
    assert "theirs" not in filled.messages(f'resource.labels.project_id="{other}"')
    assert filled.messages(resourceNames=[f"projects/{other}"]) == ["theirs"]
    names = [f"projects/{filled.project.name}", f"projects/{other}"]
    for size in (1, 2, 50):
        assert filled.messages(resourceNames=names, pageSize=size) == [*ALL[:3], "theirs", *ALL[3:]]
        newest_first = filled.messages(resourceNames=names, pageSize=size, orderBy="timestamp desc")
        assert newest_first == [*ALL[:3], "theirs", *ALL[3:]][::-1]
    assert filled.messages('resource.labels.job_id="j"', resourceNames=names, pageSize=2) == [
        *ALL[:3],
        "theirs",
        ALL[3],
    ]
    assert filled.messages(resourceNames=[], projectIds=[other]) == ["theirs"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"resourceNames": []}, "resource_names"),
        ({"resourceNames": None}, "resource_names"),
        ({"resourceNames": ["p"]}, "resource_names[0]"),
        ({"resourceNames": ["projects/p/logs/service"]}, "resource_names[0]"),
        ({"resourceNames": ["projects/p", "folders/1"]}, "resource_names[1]"),
        ({"resourceNames": ["projects/../p"]}, "resource_names[0]"),
        ({"resourceNames": [f"projects/p{number}" for number in range(21)]}, "resource_names"),
        ({"resourceNames": "projects/p"}, "resource_names"),
        ({"projectIds": ["P!"]}, "project_ids[0]"),
        ({"orderBy": "severity"}, "order_by"),
        ({"pageSize": -1}, "page_size"),
        ({"pageSize": 1001}, "page_size"),
        ({"pageSize": "many"}, "page_size"),
        ({"pageToken": "x"}, "page_token"),
        ({"pageToken": "é"}, "page_token"),
        ({"filter": 3}, "filter"),
        ({"filter": "a\0"}, "filter"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_request_that_is_wrong_is_refused_with_its_field(
    log: Log, body: dict[str, Any], field: str
) -> None:
    assert [violation["field"] for violation in violations(log.post(**body))] == [field]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"filter": "\\ud800"}', b"\xff"])
def test_a_body_that_is_no_request_is_refused(log: Log, body: bytes) -> None:
    error_of(log.http.post("/v2/entries:list", content=body), 400, "INVALID_ARGUMENT")


def test_fields_are_read_in_snake_case_too(log: Log) -> None:
    log.add(log.job(), "a", "b", "c")
    names = [f"projects/{log.project.name}"]
    body = {"resource_names": names, "page_size": 2, "order_by": "timestamp desc"}
    answer = answer_of(log.http.post("/v2/entries:list?alt=json", json=body))
    assert [entry["jsonPayload"]["message"] for entry in answer["entries"]] == ["c", "b"]


def test_a_token_holds_for_its_own_list_only(log: Log) -> None:
    log.add(log.job(), *["x"] * 9)
    token = answer_of(log.post(pageSize=2))["nextPageToken"]
    assert len(answer_of(log.post(pageSize=3, pageToken=token))["entries"]) == 3
    for other in ({"filter": "x"}, {"orderBy": "timestamp desc"}, {"resourceNames": ["projects/p"]}):
        assert violations(log.post(pageToken=token, **other))[0]["field"] == "page_token"
