"""An algorithm of one's own, from the page that tells of it: installed, tested, and searched with."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.docs.pages import ROOT
from tests.docs.plugged_in import install
from tests.jobs.conftest import Jobs
from tests.running_service import RunningService


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return install(tmp_path_factory.mktemp("plugged_in"))


@pytest.fixture
def its_jobs(installed: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    paths = [str(installed[1]), str(ROOT), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    with RunningService(tmp_path / "data") as service, service.client() as client:
        yield Jobs(client, tmp_path)
        assert service.stop() == 0


def test_it_passes_the_suite_that_is_published(installed: tuple[Path, Path]) -> None:
    source, target = installed
    paths = [str(target), str(ROOT), os.environ.get("PYTHONPATH", "")]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_halfway.py"],
        cwd=source,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert ran.returncode == 0, ran.stdout[-3000:]
    assert " passed" in ran.stdout


def test_a_job_searches_with_it(its_jobs: Jobs) -> None:
    search = {
        "searchAlgorithm": {"name": "halfway", "arguments": {"start": 3}},
        "maxTrials": 5,
        "enableTrialEarlyStopping": False,
    }
    job_id = its_jobs.submit('report(1, -abs(float(flags["x"]) - 0.4))', search)
    trials = its_jobs.trials(job_id)
    assert len(trials) == 5
    assert said(its_jobs.client, job_id, "gave no suggestion") == []


def test_arguments_that_it_refuses_stall_nothing(its_jobs: Jobs) -> None:
    search = {"searchAlgorithm": {"name": "HALFWAY", "arguments": {"start": 1}}, "maxTrials": 2}
    job_id = its_jobs.submit("report(1, 0.5)", search)
    assert len(its_jobs.trials(job_id)) == 2
    assert all("start is 2 or more" in line for line in said(its_jobs.client, job_id, "gave no suggestion"))
    assert said(its_jobs.client, job_id, "quasi-random")


def said(client: httpx.Client, job_id: str, part: str) -> list[str]:
    """Lines of a job's log that have this part."""
    base = str(client.base_url).partition("/v1/")[0]
    body = {
        "resourceNames": ["projects/p"],
        "filter": f'resource.labels.job_id="{job_id}" AND resource.labels.task_name="service"',
        "pageSize": 1000,
    }
    entries = client.post(f"{base}/v2/entries:list", json=body).json().get("entries", [])
    lines = [
        str(entry.get("textPayload") or entry.get("jsonPayload", {}).get("message")) for entry in entries
    ]
    return [line for line in lines if part in line]
