"""Who may come in: nothing but this machine's own user."""

import socket
from urllib.parse import urlsplit

import pytest

from tests.service.door import Door, Project, answer_of, error_of


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "localhost.evil",
        "0.0.0.0",
        "[::1",
        "[::2]",
    ],
)
def test_a_host_name_that_is_not_ours_is_refused(project: Project, host: str) -> None:
    error_of(project.http.get("/jobs", headers={"Host": host}), 403, "PERMISSION_DENIED")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1:1"])
def test_our_own_names_are_let_in_on_any_port(project: Project, host: str) -> None:
    assert answer_of(project.http.get("/jobs", headers={"Host": host})) == {}


def test_a_request_without_a_host_is_refused(door: Door) -> None:
    with socket.create_connection(("127.0.0.1", urlsplit(door.address).port or 0)) as connection:
        connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        answer = connection.makefile("rb").read()
    assert b" 403 " in answer.splitlines()[0]


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://evil.example:8080", "null", "", "http://localhost.evil.example"],
)
def test_a_page_of_another_site_can_not_create_or_cancel_jobs(project: Project, origin: str) -> None:
    project.create("a")
    headers = {"Origin": origin, "Content-Type": "text/plain"}
    error_of(project.http.post("/jobs", json=project.body("b"), headers=headers), 403, "PERMISSION_DENIED")
    error_of(project.http.post("/jobs/a:cancel", headers=headers), 403, "PERMISSION_DENIED")
    error_of(project.http.get("/jobs/b"), 404, "NOT_FOUND")
    assert project.get("a")["state"] == "QUEUED"


@pytest.mark.parametrize(
    ("site", "mode", "dest", "status"),
    [
        ("cross-site", "no-cors", "script", 403),
        ("cross-site", "no-cors", "image", 403),
        ("cross-site", "navigate", "iframe", 403),
        ("cross-site", "navigate", "document", 200),
        ("same-site", "cors", "empty", 200),
        ("same-origin", "no-cors", "script", 200),
        ("none", "navigate", "document", 200),
    ],
)
def test_a_page_of_another_site_can_not_load_what_is_here(
    project: Project, site: str, mode: str, dest: str, status: int
) -> None:
    # Scripts and pictures are asked for without an Origin.
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
    assert project.http.get("/jobs", headers=headers).status_code == status


def test_a_page_of_our_own_may(project: Project) -> None:
    headers = {"Origin": project.door.address}
    assert answer_of(project.http.post("/jobs", json=project.body("a"), headers=headers))["jobId"] == "a"


def test_every_path_is_guarded(project: Project) -> None:
    for path in ("/healthz", "/openapi.json", "/batch", "/$discovery/rest", "/nowhere"):
        url = project.door.address + path
        error_of(project.http.get(url, headers={"Host": "evil.example"}), 403, "PERMISSION_DENIED")
