"""projects.getConfig (docs/contract.md 1.2)."""

import re
from typing import Any

from tests.google_client import build_ml
from tests.service.door import Project, answer_of, client, violations


def config_of(project: Project, name: str) -> dict[str, Any]:
    with client(project.door.address) as http:
        return answer_of(http.get(f"/v1/projects/{name}:getConfig"))


def test_a_project_has_accounts_that_nobody_can_own(project: Project) -> None:
    config = config_of(project, "p")
    accounts = [config["serviceAccount"], config["config"]["tpuServiceAccount"]]
    assert all(account.endswith(".invalid") for account in accounts)
    assert re.fullmatch(r"\d{12}", config["serviceAccountProject"])


def test_they_are_always_the_same_and_of_the_project_alone(project: Project) -> None:
    names = ["p", "q", "example.com:ml"]
    assert [config_of(project, name) for name in names] == [config_of(project, name) for name in names]
    assert len({config_of(project, name)["serviceAccountProject"] for name in names}) == 3


def test_the_old_client_reads_them(project: Project) -> None:
    with build_ml(project.door.address) as ml:
        config = ml.projects().getConfig(name=f"projects/{project.name}").execute()
    assert config == config_of(project, project.name)


def test_what_is_no_project_has_none(project: Project) -> None:
    with client(project.door.address) as http:
        assert violations(http.get("/v1/projects/P:getConfig"))[0]["field"] == "parent"
