"""Batches: many requests in one, as Google's own client sends them, and as nobody should."""

import time
from collections.abc import Iterator, Sequence
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from googleapiclient.errors import HttpError  # type: ignore[import-untyped]
from googleapiclient.http import BatchHttpRequest  # type: ignore[import-untyped]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from api_schemas.errors import InvalidArgument
from service.batch import read_parts
from store.database import Database
from tests.google_client import build_ml
from tests.service.door import MAX_BODY_BYTES, Project, client, error_of, open_door, violations


@pytest.fixture
def ml(project: Project) -> Iterator[Any]:
    with build_ml(project.door.address) as ml:
        yield ml


def part(request: str, content_id: str = "<a + 1>", **headers: str) -> str:
    given = {"Content_Type": "application/http", "Content_ID": content_id, **headers}
    return "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in given.items()) + f"\n{request}"


def multipart(parts: Sequence[str], boundary: str = "b") -> bytes:
    return ("".join(f"--{boundary}\n{each}\n" for each in parts) + f"--{boundary}--\n").encode()


def send(project: Project, body: bytes, content_type: str = "multipart/mixed; boundary=b") -> httpx.Response:
    return project.http.post(
        f"{project.door.address}/batch", content=body, headers={"Content-Type": content_type}
    )


def answers(response: httpx.Response) -> list[tuple[str, int, bytes]]:
    """The content id, the status and the body of each part of a batch's answer."""
    assert response.status_code == 200, response.text
    header = f"Content-Type: {response.headers['content-type']}\r\n\r\n".encode()
    parsed = BytesParser().parsebytes(header + response.content)
    assert parsed.get_content_type() == "multipart/mixed"
    assert not parsed.defects
    listed = []
    for each in parsed.get_payload():
        assert each.get_content_type() == "application/http"
        payload = each.get_payload(decode=True)
        head, _, body = payload.partition(b"\n\n" if b"\r\n" not in payload else b"\r\n\r\n")
        listed.append((each["Content-ID"], int(head.split()[1]), body))
    return listed


def test_the_clients_own_batch_is_answered_in_order(project: Project, ml: Any) -> None:
    parent = f"projects/{project.name}"
    told: list[tuple[str, Any, HttpError | None]] = []
    batch = BatchHttpRequest(
        callback=lambda *each: told.append(each), batch_uri=f"{project.door.address}/batch"
    )
    jobs = ml.projects().jobs()
    batch.add(jobs.create(parent=parent, body=project.body("ä_is_refused")))
    batch.add(jobs.create(parent=parent, body=project.body("first", args=["--name", "Zoë ☃"])))
    batch.add(jobs.get(name=f"{parent}/jobs/first"), request_id="of / mine + ü")
    batch.add(jobs.get(name=f"{parent}/jobs/none"))
    batch.add(jobs.list(parent=parent, fields="jobs(jobId)"))
    batch.add(jobs.cancel(name=f"{parent}/jobs/first"))
    batch.execute()

    assert [name for name, _, _ in told] == ["1", "2", "of / mine + ü", "3", "4", "5"]
    failures = [error.status_code if error else 200 for _, _, error in told]
    assert failures == [400, 200, 200, 404, 200, 200]
    assert told[2][1] == told[1][1]
    assert told[1][1]["trainingInput"]["args"] == ["--name", "Zoë ☃"]
    assert told[4][1] == {"jobs": [{"jobId": "first"}]}
    assert "none" in str(told[3][2])
    assert project.get("first")["state"] == "CANCELLING"


def test_a_thousand_requests_fit_and_no_more(project: Project) -> None:
    one = part("GET /healthz")
    listed = answers(send(project, multipart([one] * 1000)))
    assert [status for _, status, _ in listed] == [400] * 1000
    (violation,) = violations(send(project, multipart([one] * 1001)))
    assert "at most 1000" in violation["description"]


def test_the_address_below_the_apis_name_is_the_same(project: Project) -> None:
    body = multipart([part(f"GET /v1/projects/{project.name}/jobs")])
    response = project.http.post(
        f"{project.door.address}/batch/ml/v1",
        content=body,
        headers={"Content-Type": 'multipart/mixed; boundary="b"'},
    )
    assert answers(response) == [("<response-a + 1>", 200, b"{}")]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ("GET /v1/projects/{}/jobs HTTP/1.1\nHost: evil.example\n\n", 403),
        ("GET /v1/projects/{}/jobs HTTP/1.1\nOrigin: http://evil.example\n\n", 403),
        ("GET /v1/projects/{}/jobs\n\n", 200),
        ("GET /projects/{}/jobs HTTP/1.1\r\nAccept: */*\r\n\r\n", 200),
        ("\r\n\r\nGET /v1/projects/{}/jobs HTTP/1.1\r\n\r\n", 200),
        ("GET /v1/projects/{}/jobs?foo=1 HTTP/1.1\n\n", 400),
        ("GET /v1/projects/{}/jobs?callback=x HTTP/1.1\n\n", 400),
        ("POST /v1/projects/{}/jobs HTTP/1.1\nContent-Length: 99999\n\n{{}}", 400),
        ("POST /v1/projects/{}/jobs HTTP/1.1\nTransfer-Encoding: chunked\n\n5\n", 400),
        ("PUT /v1/projects/{}/jobs HTTP/1.1\n\n", 501),
        ("POST /batch HTTP/1.1\nContent-Type: multipart/mixed; boundary=c\n\n--c--", 400),
        ("POST /v1/../batch HTTP/1.1\n\n", 400),
        ("POST /v1/%2e%2e/batch HTTP/1.1\n\n", 404),
        ("POST /batch/ml/v1 HTTP/1.1\n\n", 400),
        ("GET /healthz HTTP/1.1\n\n", 400),
        ("GET /storage/v1/b HTTP/1.1\n\n", 400),
        ("GET http://evil.example/v1/projects/{}/jobs HTTP/1.1\n\n", 400),
        ("GET //evil.example/v1/projects/{}/jobs HTTP/1.1\n\n", 400),
        ("GET /v1/projects/%zz/jobs HTTP/1.1\n\n", 400),
        ("GET /v1/projects/{}/jobs/%00%ff HTTP/1.1\n\n", 404),
        ("get /v1/projects/{}/jobs HTTP/1.1\n\n", 400),
        ("GET /v1/projects/{}/jobs HTTP/2\n\n", 400),
        ("GET /v1/projects/{}/jobs HTTP/1.1\nX-Ü: ü\n\n", 400),
        ("GET /v1/projects/{}/jobs HTTP/1.1\n" + "A: b\n" * 200 + "\n", 400),
        ("GET /v1/projects/{}/jobs HTTP/1.1\nA: " + "b" * 70_000 + "\n\n", 400),
        ("GET /v1/projects/{}/jobs?" + "a" * 70_000 + " HTTP/1.1\n\n", 400),
        ("", 400),
        ("\0", 400),
        ("{{}}", 400),
    ],
)
def test_a_parts_failure_is_its_own(project: Project, request_: str, status: int) -> None:
    fine = part(f"GET /v1/projects/{project.name}/jobs\n", "<z + 2>")
    odd = part(request_.format(project.name))
    (first, second) = answers(send(project, multipart([odd, fine])))
    assert first[:2] == ("<response-a + 1>", status)
    if status != 200:
        assert b'"error":{' in first[2]
    assert second == ("<response-z + 2>", 200, b"{}")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Type": "text/plain"},
        {"Content_Transfer_Encoding": "base64"},
        {"Content_Type": "multipart/mixed"},
    ],
)
def test_a_part_of_another_kind_is_refused(project: Project, headers: dict[str, str]) -> None:
    ((_, status, body),) = answers(send(project, multipart([part("GET /v1/projects/p/jobs", **headers)])))
    assert status == 400
    assert b"application/http" in body


@pytest.mark.parametrize("content_id", ["", "<a\n b>", "<a>", "b", "<\x07>", "<ü>"])
def test_a_content_id_is_echoed_and_breaks_no_line(project: Project, content_id: str) -> None:
    body = multipart([part("GET /v1/projects/p/jobs", content_id)])
    ((echoed, status, _),) = answers(send(project, body))
    assert status == 200
    assert echoed in {None, "<response-a b>", "<response-a>", "response-b"}


@pytest.mark.parametrize(
    ("content_type", "body", "said"),
    [
        ("application/json", b"{}", "multipart/mixed"),
        ("multipart/form-data; boundary=b", multipart([part("GET /v1/")]), "multipart/mixed"),
        ("multipart/mixed", multipart([part("GET /v1/")]), "boundary"),
        ('multipart/mixed; boundary=""', b"----", "boundary"),
        (f"multipart/mixed; boundary={'b' * 71}", b"", "at most 70"),
        ("multipart/mixed; boundary=b", b"", "ends before its last boundary"),
        ("multipart/mixed; boundary=b", b"--b\n\nGET /v1/", "ends before its last boundary"),
        ("multipart/mixed; boundary=b", b"--b--", "no part"),
        ("multipart/mixed; boundary=b", b"\0\xff" * 1000, "ends before its last boundary"),
        ("multipart/mixed; boundary=b", b"--b\n" + b"A: b\n" * 200 + b"\n--b--", "more than 100 headers"),
        ("multipart/mixed; boundary=b", b"--b\n" * 30_000, "at most 1000"),
    ],
)
def test_what_is_no_batch_is_refused(project: Project, content_type: str, body: bytes, said: str) -> None:
    (violation,) = violations(send(project, body, content_type))
    assert said in violation["description"]


def test_multiparts_within_multiparts_are_not_gone_into(project: Project) -> None:
    nested = "".join(f"Content-Type: multipart/mixed; boundary=c{n}\n\n--c{n}\n" for n in range(3000))
    ((_, status, _),) = answers(send(project, b"--b\n" + nested.encode() + b"\n--b--"))
    assert status == 400


tokens = st.sampled_from(
    ["--b", "--b--", "\n", "\r\n", "Content-Type: application/http", "GET /v1/", " HTTP/1.1"]
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content_type=st.just("multipart/mixed; boundary=b")
    | st.text(alphabet="multipart/xed;bony*='%0\"\\ ", max_size=30).map(
        lambda text: f"multipart/mixed;{text}".rstrip()
    ),
    body=st.lists(tokens | st.text(max_size=3), max_size=12).map(lambda parts: "".join(parts).encode()),
)
def test_any_bytes_are_a_batch_or_refused(project: Project, content_type: str, body: bytes) -> None:
    response = send(project, body, content_type)
    if response.status_code == 200:
        assert all(status in (200, 400, 404, 501) for _, status, _ in answers(response))
    else:
        assert violations(response)


def test_a_batch_that_is_too_large_is_refused(project: Project) -> None:
    error_of(send(project, b"x" * (MAX_BODY_BYTES + 1)), 413, "INVALID_ARGUMENT")


def test_a_part_that_breaks_the_service_is_told_as_such(tmp_path: Path) -> None:
    # A database that was never brought up to date: every query of a job fails.
    database = Database(f"sqlite:///{tmp_path / 'empty.sqlite3'}")
    with capture_logs() as logged, open_door(database) as door, client(door.address) as http:
        body = multipart([part("GET /v1/projects/p/jobs"), part("GET /v1/projects/p/jobs?foo=1")])
        response = http.post("/batch", content=body, headers={"Content-Type": "multipart/mixed; boundary=b"})
    database.close()
    (broke, fine) = answers(response)
    assert broke[1] == 500
    assert b'"status":"INTERNAL"' in broke[2]
    assert b"no such table" not in broke[2]
    assert fine[1] == 400
    assert [line["path"] for line in logged] == ["/v1/projects/p/jobs"]


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/mixed; boundary*=idna''b",
        "multipart/mixed; boundary*=undefined''b",
        "multipart/mixed; boundary*=utf-8''b",
        "multipart/mixed; boundary",
        'multipart/mixed; boundary="b',
        'multipart/mixed; x="; boundary=b"',
    ],
)
def test_a_boundary_that_is_none_is_refused(project: Project, content_type: str) -> None:
    (violation,) = violations(send(project, multipart([part("GET /v1/projects/p/jobs")]), content_type))
    assert violation["field"] == "content_type"


@pytest.mark.parametrize(
    "content_type",
    [
        'Multipart/Mixed;BOUNDARY="b"',
        "multipart/mixed; x; y=; boundary=b ; z=1",
        'multipart/mixed; boundary="\\b"',
    ],
)
def test_a_boundary_is_found_among_other_parameters(project: Project, content_type: str) -> None:
    response = send(project, multipart([part("GET /v1/projects/p/jobs")]), content_type)
    assert [status for _, status, _ in answers(response)] == [200]


def test_a_long_content_type_is_read_at_once() -> None:
    began = time.process_time()
    for long in ('; boundary="' + ";" * 60_000, "; a" * 20_000, '; a="' * 15_000, ";" * 60_000):
        with pytest.raises(InvalidArgument):
            list(read_parts("multipart/mixed" + long, b""))
    assert time.process_time() - began < 0.5
