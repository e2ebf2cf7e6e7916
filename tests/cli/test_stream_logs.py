"""`vernier jobs stream-logs`, and `--stream-logs` of submit, as their user sees them."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.stream_logs import lines_of, print_log
from client import VernierClient
from tests.cli.conftest import Run
from tests.client.fake_service import FakeService
from tests.running_service import wait_until

QUICKLY = ("--polling-interval", "0.1")


def entry(message: str, number: int = 1, severity: str = "INFO", trial: str = "") -> dict[str, Any]:
    return {
        "insertId": f"{number:020d}",
        "timestamp": f"2019-06-24T10:06:{number:02d}.600425481Z",
        "severity": severity,
        "resource": {"type": "ml_job", "labels": {"task_name": "master-replica-0", "job_id": "j"}},
        "labels": {"ml.googleapis.com/trial_id": trial},
        "jsonPayload": {"message": message},
    }


def page(*entries: dict[str, Any], **more: str) -> dict[str, Any]:
    return {"entries": list(entries), **more}


def line(message: str, number: int = 1, severity: str = "INFO", trial: str = "") -> str:
    return f"{severity}\t2019-06-24 10:06:{number:02d} +0000\tmaster-replica-0\t{trial}\t{message}\n"


def filters(service: FakeService) -> list[str]:
    return [body["filter"] for method, path, _, body in service.requests if path == "/v2/entries:list"]


@pytest.fixture(autouse=True)
def in_utc() -> Iterator[None]:
    """Here, as for the command."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def ended(service: FakeService) -> FakeService:
    service.add("j", state="FAILED", endTime="2019-06-24T10:07:00Z")
    return service


def test_entries_are_printed_as_gcloud_does_and_the_status_is_0_however_the_job_ended(
    ended: FakeService, vernier: Run
) -> None:
    ended.log_pages = [page(entry("first", trial="2"), entry("second", 2, "ERROR"))]
    result = vernier("jobs", "stream-logs", "j", *QUICKLY)
    assert result.exit_code == 0
    assert result.stdout == line("first", trial="2") + line("second", 2, "ERROR")


def test_all_pages_are_read_and_each_look_goes_on_after_the_last_entry(
    ended: FakeService, vernier: Run
) -> None:
    ended.log_pages = [
        page(entry("first"), nextPageToken="t"),
        page(entry("second", 2)),
        page(entry("third", 3)),
    ]
    result = vernier("jobs", "stream-logs", "j", *QUICKLY)
    assert result.stdout == line("first") + line("second", 2) + line("third", 3)
    of_job = 'resource.type="ml_job" AND resource.labels.job_id="j"'
    stamp = "2019-06-24T10:06:02.600425481Z"
    after = f'((timestamp="{stamp}" AND insertId>"{2:020d}") OR timestamp>"{stamp}")'
    assert filters(ended)[:3] == [of_job, of_job, f"{of_job} AND {after}"]


def test_what_comes_between_the_last_look_and_the_end_is_printed_too(
    service: FakeService, vernier: Run
) -> None:
    service.add("j", state="RUNNING")
    service.stories["j"] = [{"state": "RUNNING"}, {"state": "SUCCEEDED", "endTime": "2019-06-24T10:07:00Z"}]
    service.log_pages = [page(), page(entry("last words"))]
    result = vernier("jobs", "stream-logs", "j", *QUICKLY)
    assert result.stdout == line("last words")


def test_one_task_can_be_asked_for(ended: FakeService, vernier: Run) -> None:
    assert vernier("jobs", "stream-logs", "j", "--task-name", 'a"b\\', *QUICKLY).exit_code == 0
    assert filters(ended)[0].endswith(r'AND resource.labels.task_name="a\"b\\"')


def test_messages_of_several_lines_are_split_unless_asked_otherwise(ended: FakeService, vernier: Run) -> None:
    ended.log_pages = [page(entry("a\nb"))]
    assert vernier("jobs", "stream-logs", "j", *QUICKLY).stdout == line("a") + line("b")
    ended.log_pages = [page(entry("a\nb"))]
    assert vernier("jobs", "stream-logs", "j", "--allow-multiline-logs", *QUICKLY).stdout == line("a\nb")


def test_a_job_that_is_not_there_is_an_error(vernier: Run) -> None:
    result = vernier("jobs", "stream-logs", "missing")
    assert result.exit_code == 1
    assert result.stderr.startswith("ERROR: (vernier.jobs.stream-logs) NOT_FOUND: ")
    assert result.stdout == ""


def test_an_outage_is_outlived_without_losing_or_repeating_a_line(ended: FakeService, vernier: Run) -> None:
    ended.log_pages = [page(entry("first"), nextPageToken="t"), page(entry("second", 2))]
    # The job and the first page come; then the service is away for longer than one call retries.
    ended.faults = ["none", "none", *[503] * 5]
    result = vernier("jobs", "stream-logs", "j", *QUICKLY)
    assert result.stdout == line("first") + line("second", 2)
    assert result.stderr.count("trying again") == 1


def test_nothing_in_a_message_moves_the_terminals_cursor(vernier: Run, ended: FakeService) -> None:
    ended.log_pages = [page(entry("a\x1b[31mb\x1b[0m\x1b[2J\x07\x9bc\r\td\x1b]0;title\x07e"))]
    assert vernier("jobs", "stream-logs", "j", *QUICKLY).stdout == line("abc\tde")


def test_levels_are_coloured_on_a_terminal_only(ended: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def shown() -> str:
        ended.log_pages = [page(entry("good"), entry("bad", 2, "ERROR"))]
        out = Terminal()
        with VernierClient(ended.address) as client:
            print_log(client, "j", out, poll=0.1)
        return out.getvalue()

    monkeypatch.delenv("NO_COLOR", raising=False)
    good, bad = shown().splitlines(keepends=True)
    assert good == line("good")
    assert bad == f"\x1b[31m{line('bad', 2, 'ERROR')[:-1]}\x1b[0m\n"
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in shown()


def test_an_entry_of_another_service_is_printed_as_far_as_it_goes() -> None:
    assert list(lines_of({})) == ["DEFAULT\t\tunknown_task\t\t"]
    assert list(lines_of({"textPayload": "x", "timestamp": "soon"})) == ["DEFAULT\tsoon\tunknown_task\t\tx"]


@pytest.mark.parametrize(("state", "status"), [("SUCCEEDED", 0), ("CANCELLED", 1)])
def test_submit_streams_to_stderr_and_its_status_says_how_the_job_ended(
    service: FakeService, vernier: Run, state: str, status: int
) -> None:
    service.stories["j"] = [{"state": "RUNNING"}, {"state": state, "endTime": "2019-06-24T10:07:00Z"}]
    service.log_pages = [page(entry("first"))]
    result = vernier("jobs", "submit", "training", "j", "--master-image-uri", "i", "--stream-logs")
    assert result.exit_code == status
    assert result.stderr == f"Job [j] submitted successfully.\n{line('first')}"
    assert f"state: {state}" in result.stdout


def _streaming(service: FakeService, tmp_path: Path) -> subprocess.Popen[str]:
    """The command as a process of its own, of which the first line has been read."""
    service.add("j", state="RUNNING")
    service.log_pages = [page(entry("first"))]
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "jobs", "stream-logs", "j", "--polling-interval", "0.1"],
        env={**os.environ, "VERNIER_API": service.address, "XDG_DATA_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().endswith("first\n"), "each line comes at once"
    return process


def test_interrupting_stops_quietly(service: FakeService, tmp_path: Path) -> None:
    with _streaming(service, tmp_path) as process:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "")


def test_a_reader_that_goes_away_stops_it_quietly(service: FakeService, tmp_path: Path) -> None:
    with _streaming(service, tmp_path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        service.log_pages = [page(entry("second", 2))]
        wait_until(lambda: process.poll() is not None)
        assert (process.returncode, process.stderr.read()) == (141, "")
