"""What of v1 is not served says so, and what to do instead (docs/contract.md 1.2)."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import googleapiclient  # type: ignore[import-untyped]
import pytest

from tests.service.door import Project, client, error_of

DOCUMENT = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents" / "ml.v1.json"
SERVED = {"ml.projects.getConfig"} | {
    f"ml.projects.jobs.{method}"
    for method in (
        "cancel",
        "create",
        "get",
        "getIamPolicy",
        "list",
        "patch",
        "setIamPolicy",
        "testIamPermissions",
    )
}


def methods_of_v1(resource: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(id, HTTP method, path) of everything that v1 had."""
    for method in resource.get("methods", {}).values():
        yield method["id"], method["httpMethod"], method["flatPath"]
    for below in resource.get("resources", {}).values():
        yield from methods_of_v1(below)


METHODS = sorted(methods_of_v1(json.loads(DOCUMENT.read_text())))


def test_v1_had_what_is_served() -> None:
    assert {name for name, *_ in METHODS} >= SERVED


@pytest.mark.parametrize(("name", "method", "path"), METHODS, ids=[name for name, *_ in METHODS])
def test_every_method_of_v1_is_served_or_says_what_to_do_instead(
    project: Project, name: str, method: str, path: str
) -> None:
    filled = re.sub(r"\{\w+\}", "unknown", path.replace("{projectsId}", project.name))
    with client(project.door.address) as http:
        for target in (f"/{filled}", f"/{filled.removeprefix('v1/')}"):
            response = http.request(method, target, json={} if method in ("POST", "PATCH") else None)
            if name in SERVED:
                assert response.status_code in (200, 400, 404)
                assert "nothing at" not in response.text
            else:
                message = error_of(response, 501, "UNIMPLEMENTED")["message"]
                assert "not served" in message
                assert len(message.split(". ")) > 1, message


@pytest.mark.parametrize(
    "path",
    ["", "/rockets", "/models", "/models/m:predict", "/jobs", "/jobs/a", "/jobs/a:cancel", ":getConfig"],
)
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
def test_no_method_fails_at_any_path(project: Project, method: str, path: str) -> None:
    project.create("a")
    response = project.http.request(
        method, project.http.base_url.copy_with(path=f"/v1/projects/{project.name}{path}")
    )
    assert response.status_code in (400, 404, 501)
    if method != "HEAD":
        assert response.json()["error"]["message"]


@pytest.mark.parametrize(("method", "instead"), [("DELETE", ":cancel"), ("PUT", "PATCH")])
def test_a_job_says_what_to_do_instead(project: Project, method: str, instead: str) -> None:
    project.create("a")
    assert instead in error_of(project.http.request(method, "/jobs/a"), 501, "UNIMPLEMENTED")["message"]


def test_what_v1_never_had_is_not_found(project: Project) -> None:
    for path in ("/rockets", "/jobs/a/trials", "/modelsx"):
        error_of(project.http.get(path), 404, "NOT_FOUND")
