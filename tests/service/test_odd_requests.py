"""Whatever is asked for, the answer is in the shape of google.rpc and never a 500."""

import socket
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.service.door import Door, Project, error_of


def status_of(door: Door, method: str, target: str, body: bytes = b"") -> int:
    """The status of an answer to a request whose target is sent as it is: no client tidies it up."""
    with socket.create_connection(("127.0.0.1", urlsplit(door.address).port or 0)) as connection:
        head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body)
        answer = connection.makefile("rb").read()
    return int(answer.split()[1])


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/v1/projects/../jobs", 400),
        ("/v1/projects/%2e%2e/jobs", 400),
        ("/v1/projects/p/jobs/..", 404),
        ("/v1/projects/p/jobs/%2e%2e%2f%2e%2e", 404),
        ("/v1/projects/p%00/jobs", 400),
        ("/v1/projects/p/jobs/%00", 404),
        ("/v1/projects/p/jobs/%ff%fe", 404),
        ("/v1/projects/p/jobs/%ed%a0%80", 404),
        ("/v1/projects/p/jobs/" + quote("Zensus_ü_名"), 404),
        ("/v1/projects/p/jobs/" + "a" * 20_000, 404),
        ("/v1/projects/" + "a" * 20_000 + "/jobs", 400),
        ("/v1/projects/P/jobs", 400),
        ("/v1/projects//jobs", 404),
        ("/v1/projects/p/jobs/a/b", 404),
        ("/v1/projects/p/jobs/a:cancel", 404),
        ("/v1/projects/p", 404),
        ("/v2/projects/p/jobs", 404),
        ("/", 404),
        ("/%", 404),
        ("/v1/projects/p/jobs?pageSize=%00", 400),
        ("/v1/projects/p/jobs?pageToken=%ff", 400),
        ("/v1/projects/p/jobs?" + "a=1&" * 5000, 400),
    ],
)
def test_odd_targets(door: Door, target: str, status: int) -> None:
    assert status_of(door, "GET", target) == status


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/jobs/a:frobnicate"),
        ("POST", "/jobs/a"),
        ("DELETE", "/jobs/a"),
        ("PUT", "/jobs/a"),
        ("DELETE", "/jobs"),
    ],
)
def test_methods_that_are_not_served_say_so(project: Project, method: str, path: str) -> None:
    error = error_of(project.http.request(method, path), 501, "UNIMPLEMENTED")
    assert f"{method} is not served" in error["message"]


def test_a_path_that_is_none_says_so(project: Project) -> None:
    error = error_of(project.http.get("/rockets"), 404, "NOT_FOUND")
    assert f"/v1/projects/{project.name}/rockets" in error["message"]


def test_a_long_name_is_cut_where_it_is_quoted(project: Project) -> None:
    assert len(error_of(project.http.get("/jobs/" + "a" * 10_000), 404, "NOT_FOUND")["message"]) < 300
    assert (
        len(error_of(project.http.post("/jobs/" + "a" * 10_000 + ":cancel"), 404, "NOT_FOUND")["message"])
        < 300
    )


@settings(max_examples=60)
@given(
    st.sampled_from(["GET", "POST", "PATCH", "DELETE"]),
    st.lists(
        st.text(max_size=8) | st.sampled_from(["v1", "projects", "p", "jobs", "a", ":cancel"]), max_size=6
    ),
    st.dictionaries(st.sampled_from(["pageSize", "pageToken", "alt"]), st.text(max_size=8), max_size=2),
)
def test_no_path_fails(door: Door, method: str, parts: list[str], query: dict[str, str]) -> None:
    written = [quote(part.encode("utf-8", "replace"), safe=":") for part in parts]
    asked = "&".join(f"{key}={quote(value.encode('utf-8', 'replace'))}" for key, value in query.items())
    assert status_of(door, method, f"/{'/'.join(written)}?{asked}", b"{}") != 500
