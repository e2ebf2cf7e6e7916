"""A machine that can't build or run a cluster is told what it lacks, in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kubernetes import programs
from tests.kubernetes.programs import NoKubernetes


def _said(tmp_path: Path, path: str) -> str:
    """What `make kubernetes` tells, where nothing has been built yet."""
    environment = {**os.environ, "PATH": path, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "tests.kubernetes.programs"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_without_go_it_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for each in programs.PACKAGES:
        (folder / each).symlink_to(programs.program(each))
    said = _said(tmp_path, str(folder))
    assert said == "the tests on Kubernetes need Go, 1.21 or newer: see https://go.dev/dl\n"


def test_where_go_can_not_build_it_says_what_go_says_last(tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for each in programs.PACKAGES:
        (folder / each).symlink_to(programs.program(each))
    (folder / "go").write_text("#!/bin/sh\necho trying >&2\necho no way to the modules >&2\nexit 1\n")
    (folder / "go").chmod(0o755)
    said = _said(tmp_path, f"{folder}:/bin")
    assert said.endswith("go mod download failed: no way to the modules\n")


@pytest.mark.parametrize(("name", "package"), sorted(programs.PACKAGES.items()))
def test_a_program_that_is_missing_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    monkeypatch.setattr(programs, "SYSTEM", "/nowhere")
    with pytest.raises(NoKubernetes, match=f"need {name}: install it, as with apt-get install {package}$"):
        programs.program(name)


def test_who_is_not_root_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NoKubernetes, match="needs root"):
        programs.check()
