"""Which GPUs trials are given."""

from pathlib import Path

import pytest

from worker.launchers.gpus import find_gpus


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ("0,1", ("0", "1")),
        (" 2 ,GPU-8f2a,2,", ("2", "GPU-8f2a")),
        ("none", ()),
        ("ignore", None),
    ],
)
def test_a_setting_may_say(setting: str, found: tuple[str, ...] | None) -> None:
    assert find_gpus(setting) == found


@pytest.mark.parametrize(
    ("program", "found"),
    [
        ("printf '0\\n1\\n'", ("0", "1")),
        ("echo 'No devices were found'", None),
        ("echo broken >&2; exit 9", None),
        (None, None),
    ],
    ids=["two", "none", "a driver that fails", "no driver"],
)
def test_or_else_nvidia_smi_is_asked(
    program: str | None, found: tuple[str, ...] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if program is not None:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{program}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_gpus("auto") == found
