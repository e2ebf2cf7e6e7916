"""Bodies that no client means to send are refused clearly and quickly, and cost the service little."""

import gzip
import json
import math
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from store.database import Database
from tests.api_schemas.job_strategies import jobs
from tests.running_service import RunningService
from tests.service.door import MAX_BODY_BYTES, Door, Project, error_of, open_door, violations

TEN_MEGABYTES = 10 * 2**20
SECONDS = 30.0
"""In which an answer must come; more than it takes on a machine that is busy."""


MANY = settings(
    max_examples=40,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def post(project: Project, body: bytes | Iterator[bytes], **headers: str) -> httpx.Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return project.http.post("/jobs", content=body, headers=given, timeout=SECONDS)


def nested(levels: int) -> bytes:
    return b'{"jobId":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def job(project: Project, **training: Any) -> bytes:
    return json.dumps(project.body(**training)).encode()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "Expecting value"),
        (b"\xff\xfe{\0}\0", "can't decode"),
        (b'{"jobId": "\xc3"}', "can't decode"),
        (b'{"jobId": "\xed\xa0\x80"}', "can't decode"),
        (rb'{"jobId": "\ud800"}', "surrogates"),
        (rb'{"\udfff": 1}', "surrogates"),
        (b'\xef\xbb\xbf{"jobId": "a"}', "BOM"),
        (nested(64), "job.job_id"),
        (nested(65), "deeper than 64"),
        (nested(100_000), "deeper than 64"),
        (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "deeper than 64"),
        (b'{"jobId": NaN}', "NaN is not JSON"),
        (b'{"jobId": Infinity}', "Infinity is not JSON"),
        (b'{"jobId": -Infinity}', "-Infinity is not JSON"),
        (b'{"jobId": ' + b"9" * 5000 + b"}", "digits"),
        (b'{"jobId": "a", "jobId": "b"}', 'Duplicate name "jobId"'),
        (b'{"trainingInput": {"args": ["a"], "args": ["b"]}}', 'Duplicate name "args"'),
        (b'{"labels": {"a": "x", "a": "y"}}', 'Duplicate name "a"'),
        (b'{"jobId": "a", "job_id": "b"}', "two spellings"),
        (b"jobId=a&trainingInput=b", "Expecting value"),
        (b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--b--", "No number"),
        (b"<job/>", "Expecting value"),
        (b"\0", "Expecting value"),
        (b"null", "must be a JSON object"),
        (b"0", "must be a JSON object"),
    ],
)
def test_what_is_no_job_is_refused_in_words(project: Project, body: bytes, said: str) -> None:
    response = post(project, body)
    listed = violations(response)
    if said != "No number":
        assert said in response.json()["error"]["message"]
    assert all(violation["field"].startswith("job") for violation in listed)
    assert len(response.content) < 2000


@pytest.mark.parametrize(
    ("training", "field"),
    [
        ({"workerCount": 2**63}, "job.training_input.worker_count"),
        ({"workerCount": str(2**63)}, "job.training_input.worker_count"),
        ({"scheduling": {"priority": 2**31}}, "job.training_input.scheduling.priority"),
        ({"scheduling": {"priority": 1e308}}, "job.training_input.scheduling.priority"),
        (
            {"scheduling": {"maxRunningTime": "9" * 5000 + "s"}},
            "job.training_input.scheduling.max_running_time",
        ),
        ({"args": ["\0"]}, "job.training_input.args[0]"),
        ({"jobDir": "/a\0b"}, "job.training_input.job_dir"),
    ],
)
def test_numbers_and_texts_beyond_their_kind_are_refused_by_name(
    project: Project, training: dict[str, Any], field: str
) -> None:
    (violation,) = violations(post(project, job(project, **training)))
    assert violation["field"] == field
    assert len(violation["description"]) < 400


@pytest.mark.parametrize(
    ("bounds", "field"),
    [
        ((-1e308, 1e308), "max_value"),
        ((1e308, 1.7e308), "max_value"),
        ((0, 10**400), "max_value"),
        ((5e-324, 1), None),
    ],
)
def test_ranges_at_the_edge_of_doubles(
    project: Project, bounds: tuple[float, float], field: str | None
) -> None:
    low, high = bounds
    spec = {"parameterName": "x", "type": "DOUBLE", "minValue": low, "maxValue": high, "scaleType": "NONE"}
    response = post(project, job(project, hyperparameters={"params": [spec]}))
    if field is None:
        assert response.status_code == 200, response.text
        assert math.isfinite(response.json()["trainingInput"]["hyperparameters"]["params"][0]["minValue"])
    else:
        assert [found["field"].rpartition(".")[2] for found in violations(response)] == [field]


def test_ten_thousand_categories_are_a_job(project: Project) -> None:
    names = [f"c{number}" for number in range(10_000)]
    spec = {"parameterName": "x", "type": "CATEGORICAL", "categoricalValues": names}
    response = post(project, job(project, hyperparameters={"params": [spec]}))
    assert response.json()["trainingInput"]["hyperparameters"]["params"][0]["categoricalValues"] == names


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "text/plain",
        "application/json; charset=latin-1",
        "?",
        "",
        "a/b; c",
    ],
)
def test_what_a_body_is_said_to_be_does_not_matter(project: Project, content_type: str) -> None:
    assert post(project, job(project), Content_Type=content_type).status_code == 200
    assert violations(post(project, b"jobId=a", Content_Type=content_type))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP", "identity, gzip", "x" * 1000])
def test_a_compressed_body_is_not_read(project: Project, encoding: str) -> None:
    bomb = gzip.compress(b" " * TEN_MEGABYTES)
    error = error_of(post(project, bomb, Content_Encoding=encoding), 415, "INVALID_ARGUMENT")
    assert "Content-Encoding" in error["message"]
    assert len(error["message"]) < 300


def test_a_body_that_says_it_is_not_compressed_is_read(project: Project) -> None:
    assert post(project, job(project), Content_Encoding="identity").status_code == 200


def test_a_body_in_chunks_is_read_as_one(project: Project) -> None:
    body = job(project)
    assert post(project, iter([body[:7], body[7:9], body[9:]])).status_code == 200


def test_after_a_body_that_is_too_large_the_connection_still_serves(project: Project) -> None:
    for path in ("/jobs", "/jobs/a:cancel", "/jobs/a:setIamPolicy"):
        for body in (b"x" * (MAX_BODY_BYTES + 1), iter([b"x" * 1000] * (MAX_BODY_BYTES // 1000 + 1))):
            response = project.http.post(path, content=body)
            error_of(response, 413, "INVALID_ARGUMENT")
            assert project.http.get("/jobs").status_code == 200


@contextmanager
def connected(door: Door) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", urlsplit(door.address).port or 0), SECONDS) as connection:
        yield connection


def head(*lines: str, target: str = "/v1/projects/p/jobs", verb: str = "POST", then: str = "close") -> bytes:
    told = [f"{verb} {target} HTTP/1.1", "Host: localhost", f"Connection: {then}", *lines, "", ""]
    return "\r\n".join(told).encode("latin-1")


def answers_to(door: Door, sent: bytes) -> list[int]:
    """The statuses of the answers until the connection is closed."""
    answer = b""
    # A door that closes before it has read all resets the connection, after what it had to say.
    with connected(door) as connection, suppress(ConnectionError):
        with suppress(ConnectionError):
            connection.sendall(sent)
        while more := connection.recv(65536):
            answer += more
    return [int(part.split()[0]) for part in answer.split(b"HTTP/1.1 ")[1:]]


def test_who_says_that_too_much_will_come_is_answered_at_once(door: Door) -> None:
    with connected(door) as connection:
        connection.sendall(head(f"Content-Length: {2**40}"))
        assert connection.recv(12) == b"HTTP/1.1 413"


@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        # What comes after the length that was told is a request of its own, or none.
        (head("Content-Length: 2", then="keep-alive") + b'{}{"jobId": 1}\r\n\r\n', [400, 400]),
        (head("Content-Length: 2", then="keep-alive") + b"{}" + head(verb="GET"), [400, 200]),
        (head("Content-Length: 2") + b'{}{"jobId": 1}', [400]),
        (head("Content-Length: -1") + b"{}", [400]),
        (head("Content-Length: two") + b"{}", [400]),
        (head("Content-Length: 2", "Content-Length: 3") + b"{}", [400]),
        (head("Content-Length: 2", "Transfer-Encoding: chunked") + b"0\r\n\r\n", [400]),
        (head("Transfer-Encoding: chunked") + b"zz\r\n{}\r\n0\r\n\r\n", [400]),
        (head("Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\n\r\n", [400]),
        (head("A: " + "b" * 100_000), [400]),
        (head(target="/v1/projects/p/jobs?" + "a" * 100_000, verb="GET"), [400]),
        (head(target="/v1/projects/p/jobs?a=%zz&%=%", verb="GET"), [400]),
        (head(target="/v1/projects/p%2Fjobs", verb="GET"), [200]),
        (head(target="/v1/projects/p%2f..%2fq/jobs", verb="GET"), [404]),
        (head(target="/v1/projects/p/jobs/a%2Fb", verb="GET"), [404]),
        (head(target="/v1/projects/p/jobs/a%00", verb="GET"), [404]),
        (head(target="/v1/projects/p/jobs/a%", verb="GET"), [404]),
        (head(target="/v1/projects/%f0%9f/jobs", verb="GET"), [400]),
        (head(target="/v1/projects/p/jobs/", verb="GET"), [404]),
        (head(target="*", verb="OPTIONS"), [404]),
        (head(target="http://localhost/v1/projects/p/jobs", verb="GET"), [404]),
        (head(verb="TRACE"), [501]),
        (head(verb="OPTIONS"), [501]),
        (head(verb="HEAD"), [501]),
        (head(verb="FROB"), [501]),
    ],
)
def test_what_is_sent_to_the_socket_as_it_is(door: Door, sent: bytes, statuses: list[int]) -> None:
    assert answers_to(door, sent) == statuses


def test_an_upload_that_breaks_off_is_no_failure_of_the_service(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    # The door has looked after all that was begun before it closes.
    with capture_logs() as logged, open_door(database) as door:
        for header, begun in (("Content-Length: 99", b"{"), ("Transfer-Encoding: chunked", b"5\r\n{")):
            with connected(door) as connection:
                connection.sendall(head(header) + begun)
        assert answers_to(door, head(verb="GET")) == [200]
    assert logged == []
    assert "Traceback" not in caplog.text


def test_large_bodies_take_a_bounded_share_of_memory(tmp_path: Path) -> None:
    bodies = [
        b'{"jobId":"' + b"a" * (TEN_MEGABYTES - 100) + b'"}',
        b'{"a":[' + b"{}," * (TEN_MEGABYTES // 3 - 100) + b"{}]}",
        b"{" + b",".join(b'"k%d":0' % number for number in range(TEN_MEGABYTES // 14)) + b"}",
    ]
    with RunningService(tmp_path / "data") as service, service.client() as http:
        for body in bodies:
            assert violations(http.post("/jobs", content=body))
        status = Path(f"/proc/{service.process.pid}/status").read_text()
    largest_kib = int(status.partition("VmHWM:")[2].split()[0])
    assert largest_kib < 800 * 1024


@MANY
@given(body=jobs)
def test_any_job_is_taken_or_told_what_is_wrong_with_it(project: Project, body: dict[str, Any]) -> None:
    body["trainingInput"]["packageUris"] = [str(project.package)]
    response = project.http.post("/jobs", json=body)
    assert "Traceback" not in response.text
    if response.status_code == 400:
        assert all(violation["field"] for violation in violations(response))
    else:
        assert response.status_code in (200, 409), response.text


@MANY
@given(
    verb=st.sampled_from(["POST", "PATCH"]),
    path=st.sampled_from(["", "/a", "/a:cancel", "/a:setIamPolicy", "/a:testIamPermissions", "/none:cancel"]),
    body=st.binary(max_size=30) | st.text(alphabet='{}[]",:\\u0d8ab1-', max_size=40).map(str.encode),
)
def test_any_bytes_to_any_method_are_answered_in_our_shape(
    project: Project, verb: str, path: str, body: bytes
) -> None:
    if not project.http.get("/jobs").json():
        project.create("a")
    response = project.http.request(verb, f"/jobs{path}", content=body)
    assert response.status_code in (200, 400, 404, 501), response.text
    if response.status_code != 200:
        assert error_of(response, response.status_code, response.json()["error"]["status"])["message"]
