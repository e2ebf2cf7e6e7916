"""The command as a process of its own."""

import os
import pty
import signal
import subprocess
import sys
import threading
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.cli.jobs_for_show import trial, tuning_job
from tests.client.fake_service import FakeService

COMMAND = (sys.executable, "-m", "cli.main")
SLOW = ("httpx", "rich", "yaml", "pydantic", "numpy", "sqlalchemy", "celery")


def environment(service: FakeService) -> dict[str, str]:
    return {**os.environ, "VERNIER_API": service.address, "TERM": "xterm", "COLUMNS": "120"}


def test_help_loads_nothing_that_takes_long() -> None:
    code = (
        "import sys\nfrom cli.main import main\nsys.argv = ['vernier', '--help']\n"
        "try:\n    main()\nfinally:\n    print(sorted(set(sys.modules) & set(sys.argv[2:])), file=sys.stderr)"
    )
    script = code.replace("sys.argv[2:]", repr(SLOW))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert "jobs" in done.stdout
    assert done.stderr == "[]\n"


def test_it_tells_its_version() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"vernier {version('vernier')}\n"


@pytest.mark.parametrize("group", [(), ("jobs",), ("jobs", "submit"), ("db",)])
def test_help_tells_in_a_whole_sentence_what_each_command_is_for(group: tuple[str, ...]) -> None:
    told = CliRunner().invoke(app, [*group, "--help"], terminal_width=80).stdout
    commands = told.partition("Commands:\n")[2].splitlines()
    assert commands
    assert [line for line in commands if not line.endswith(".") or line.endswith("...")] == []


@pytest.mark.parametrize(
    ("words", "code"),
    [((), 2), (("--help",), 0), (("jobs", "describe", "j"), 0), (("jobs", "describe", "k"), 1)],
)
def test_the_exit_code_tells_how_it_went(service: FakeService, words: tuple[str, ...], code: int) -> None:
    service.add("j")
    done = subprocess.run([*COMMAND, *words], env=environment(service), capture_output=True, check=False)
    assert done.returncode == code


def test_a_reader_that_stops_reading_is_no_error(service: FakeService) -> None:
    for number in range(3000):
        service.add(f"a_rather_long_name_of_a_job_{number}")
    listing = f"{sys.executable} -m cli.main jobs list | head -n 1"
    done = subprocess.run(
        listing, shell=True, env=environment(service), capture_output=True, text=True, check=True
    )
    assert (done.stdout.split(), done.stderr) == (["JOB_ID", "STATUS", "CREATED"], "")


class Terminal:
    """Runs a command on a pseudo terminal and gathers what it shows."""

    def __init__(self, service: FakeService, *words: str) -> None:
        ours, theirs = pty.openpty()
        self.shown = ""
        self.process = subprocess.Popen(
            [*COMMAND, *words],
            env=environment(service),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, args=(ours,))
        self._reader.start()

    def _read(self, ours: int) -> None:
        with os.fdopen(ours, "rb", buffering=0) as screen:
            while True:
                try:
                    chunk = screen.read(4096)
                except OSError:  # how Linux tells that the other side is closed
                    chunk = b""
                with self._changed:
                    self.shown += chunk.decode(errors="replace")
                    self._changed.notify_all()
                if not chunk:
                    return

    def wait_for(self, text: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: text in self.shown, timeout=60), self.shown

    def end(self) -> int:
        code = self.process.wait(timeout=60)
        self._reader.join()
        return code


def test_on_a_terminal_a_job_is_described_for_people(service: FakeService) -> None:
    service.add(**tuning_job(trial(1, "SUCCEEDED", 0.5)))
    terminal = Terminal(service, "jobs", "describe", "census_hp_1")

    assert terminal.end() == 0
    assert "OBJECTIVE" in terminal.shown
    assert "trainingInput" not in terminal.shown


def test_watching_can_be_stopped_while_the_job_goes_on(service: FakeService) -> None:
    service.stories["j"] = [tuning_job(trial(1, "RUNNING"), jobId="j")]
    words = ("jobs", "submit", "training", "j", "--master-image-uri", "i", "--watch")
    terminal = Terminal(service, *words)

    terminal.wait_for("0/20 trials")
    terminal.process.send_signal(signal.SIGINT)

    assert terminal.end() == 130
    assert "vernier jobs cancel j" in terminal.shown
    assert service.jobs["local", "j"]["state"] == "RUNNING"
