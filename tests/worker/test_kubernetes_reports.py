"""Reports that come as the last words of a pod."""

from pathlib import Path
from typing import Any

import pytest

from worker.launchers.kubernetes.reports import LIMIT_BYTES, keep_reports


def _pod(created: str = "2026-01-01T00:00:00Z", **end: Any) -> dict[str, Any]:
    status = {"containerStatuses": [{"state": {"terminated": end} if end else {"running": {}}}]}
    return {"metadata": {"creationTimestamp": created}, "status": status}


def test_they_are_written_as_they_came(tmp_path: Path) -> None:
    file = tmp_path / "hypertune" / "output.metrics"
    keep_reports([_pod(exitCode=0, reason="Completed", message='{"score": "é"}\n')], file)
    assert file.read_text() == '{"score": "é"}\n'
    keep_reports([_pod(exitCode=1, reason="Error", message='{"score": "1"}\n')], file)
    assert file.read_text() == '{"score": "1"}\n'


def test_what_is_no_text_is_no_reason_to_fail(tmp_path: Path) -> None:
    keep_reports([_pod(exitCode=0, reason="Completed", message="\ud800\0\n")], tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"?\0\n"


def test_what_was_cut_at_the_limit_begins_with_a_whole_line(tmp_path: Path) -> None:
    words = ('"1"}\n' + '{"score": "2"}\n' * 1000)[-LIMIT_BYTES:]
    keep_reports([_pod(exitCode=0, reason="Completed", message=words)], tmp_path / "file")
    lines = (tmp_path / "file").read_text().splitlines()
    assert set(lines) == {'{"score": "2"}'}


@pytest.mark.parametrize(
    "pods",
    [
        [],
        [_pod()],
        [_pod(exitCode=0, reason="Completed")],
        [_pod(exitCode=128, reason="StartError", message="exec: not found")],
        [_pod(exitCode=0, message="of an earlier one"), _pod("2026-01-02T00:00:00Z")],
    ],
    ids=["no pod", "running", "said nothing", "never began", "another runs"],
)
def test_of_others_nothing_is_written(pods: list[dict[str, Any]], tmp_path: Path) -> None:
    keep_reports(pods, tmp_path / "file")
    assert not (tmp_path / "file").exists()
