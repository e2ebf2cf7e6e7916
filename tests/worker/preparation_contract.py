"""What every launcher must do with a job's packages, whatever it installs them on.

A platform's tests derive from `PreparationContract` and bring a fixture `platform`.
"""

import http.server
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.running_service import wait_until
from tests.trainer_packages import write_trainer
from tests.worker.launcher_contract import end_of, lines
from tests.worker.trainer_archives import (
    source_archive,
    source_tree,
    tar_of,
    wheel_members,
    zip_of,
)
from worker.launchers.protocol import (
    AttemptRef,
    AttemptSpec,
    JobRef,
    Launcher,
    PackagesSpec,
    Preparation,
    PreparationPhase,
)

READY = Preparation(PreparationPhase.READY)
UNDER_WAY = Preparation(PreparationPhase.UNDER_WAY)
JOB = JobRef("a-project", "with_packages")

# Stands at the head of a setup.py: tells that it runs, and runs on when it may.
HELD_SETUP = """
import pathlib, time
folder = pathlib.Path({folder!r})
with (folder / "begun").open("a") as file:
    file.write("\\n")
while not (folder / "go").exists():
    time.sleep(0.01)
"""

HEEDLESS = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
"""
"""It takes a while to be rid of."""


class Platform(Protocol):
    """What the tests need of a platform besides its launcher."""

    folder: Path
    """A folder that packages may be in, and trainers may write to."""

    def launcher(self, ended: Callable[[JobRef], None] = ..., *, max_package_bytes: int = ...) -> Launcher:
        """Another launcher on the same platform, as after a restart of the service."""
        ...

    def wipe_out_preparation(self, job: JobRef) -> None:
        """End everything of the job's installation at once, as a machine that restarts would."""
        ...


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and under /moved/ says that things are elsewhere."""

    def do_GET(self) -> None:
        if self.path.startswith("/moved/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/moved"))
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *_: Any) -> None:
        """Into no test's output."""


def prepared(launcher: Launcher, *uris: str | Path, job: JobRef = JOB) -> Preparation:
    """How preparing the job ends, asking again and again, as the reconciler does."""
    spec = PackagesSpec(job, tuple(str(uri) for uri in uris))

    def look() -> Preparation | None:
        preparation = launcher.prepare(spec)
        return None if preparation.phase is PreparationPhase.UNDER_WAY else preparation

    preparation = wait_until(look, 180)
    assert preparation is not None
    return preparation


def begun(launcher: Launcher, spec: PackagesSpec, folder: Path) -> None:
    """Wait until the job's setup.py runs, asking again and again."""
    wait_until(lambda: launcher.prepare(spec) == UNDER_WAY and lines(folder, "begun"), 60)


def attempt(module: str, trial: int = 1, has_packages: bool = True) -> AttemptSpec:
    return AttemptSpec(AttemptRef(JOB, trial, 1), module, (), {}, None, has_packages)


class PreparationContract:
    """Fetching, installing, and refusing to."""

    @pytest.fixture(autouse=True)
    def _without_an_index(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is installed here needs nothing from anywhere; a proxy would not find the test's server."""
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    @pytest.fixture
    def folder(self, platform: Platform) -> Path:
        return platform.folder

    @pytest.fixture
    def launcher(self, platform: Platform) -> Launcher:
        return platform.launcher()

    @pytest.fixture
    def served(self, tmp_path: Path) -> Iterator[tuple[Path, str]]:
        """A folder, and the address under which a real HTTP server gives its files."""
        folder = tmp_path / "served"
        folder.mkdir()
        handler = partial(QuietHandler, directory=str(folder))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            yield folder, f"http://127.0.0.1:{server.server_port}"
            server.shutdown()
            thread.join()

    # Installing

    def test_a_job_without_packages_is_ready_at_once(self, launcher: Launcher) -> None:
        assert launcher.prepare(PackagesSpec(JOB, ())) == READY
        assert launcher.abandon_preparation(JOB)

    def test_wheels_archives_and_folders_are_installed_once_for_all_trials(
        self, launcher: Launcher, platform: Platform, folder: Path
    ) -> None:
        setups = folder / "setups"
        count = f"open({str(setups)!r}, 'a').write('ran\\n')\n"
        wheel = write_trainer(folder / "a b", "import in_archive.task, in_folder.task, numpy", "in_wheel")
        archive = source_archive(folder, "in_archive", "", count)
        tree = source_tree(folder, "in_folder", "")
        before = sorted(tree.rglob("*"))
        assert prepared(launcher, wheel, f"file://{archive}", tree) == READY
        assert sorted(tree.rglob("*")) == before, "a user's own sources stay as they are"

        ran = lines(folder, "setups")
        again = platform.launcher()
        for each in (launcher, again):
            assert each.prepare(PackagesSpec(JOB, (wheel, str(archive), str(tree)))) == READY
        for trial in (1, 2):
            spec = attempt("in_wheel.task", trial=trial)
            launcher.launch(spec)
            assert end_of(launcher, spec.ref).exit_code == 0, launcher.last_lines(spec.ref, 2000)
        assert lines(folder, "setups") == ran != []

    def test_it_says_that_it_is_under_way_and_calls_out_its_end(
        self, platform: Platform, folder: Path
    ) -> None:
        called: list[JobRef] = []
        launcher = platform.launcher(called.append)
        package = source_archive(folder, "held", "", HELD_SETUP.format(folder=str(folder)))
        spec = PackagesSpec(JOB, (str(package),))
        assert launcher.prepare(spec) == UNDER_WAY
        begun(launcher, spec, folder)
        assert launcher.prepare(spec) == UNDER_WAY
        assert called == []
        (folder / "go").touch()
        wait_until(lambda: called, 60)
        assert launcher.prepare(spec) == READY
        assert called == [JOB]

    def test_an_installation_that_vanished_is_begun_anew(
        self, launcher: Launcher, platform: Platform, folder: Path
    ) -> None:
        package = source_archive(folder, "held", "", HELD_SETUP.format(folder=str(folder)))
        spec = PackagesSpec(JOB, (str(package),))
        begun(launcher, spec, folder)
        platform.wipe_out_preparation(JOB)
        (folder / "go").touch()
        assert prepared(platform.launcher(), package) == READY
        ref = attempt("held.task").ref
        launcher.launch(attempt("held.task"))
        assert end_of(launcher, ref).exit_code == 0

    def test_what_is_no_longer_wanted_is_abandoned(
        self, launcher: Launcher, platform: Platform, folder: Path
    ) -> None:
        package = source_archive(folder, "held", "", HEEDLESS + HELD_SETUP.format(folder=str(folder)))
        begun(launcher, PackagesSpec(JOB, (str(package),)), folder)
        wait_until(lambda: platform.launcher().abandon_preparation(JOB), 30)
        assert launcher.abandon_preparation(JOB), "again and again"

    # Fetching over HTTP

    def test_packages_are_fetched_over_http_through_redirects(
        self, launcher: Launcher, served: tuple[Path, str]
    ) -> None:
        folder, address = served
        wheel = Path(write_trainer(folder, "", "fetched"))
        assert prepared(launcher, f"{address}/moved/{wheel.name}") == READY
        inside, outside = attempt("fetched.task"), attempt("fetched.task", trial=2, has_packages=False)
        for spec in (inside, outside):
            launcher.launch(spec)
        assert end_of(launcher, inside.ref).exit_code == 0
        assert end_of(launcher, outside.ref).exit_code == 1, "it is there for this job alone"
        assert "No module named 'fetched'" in launcher.last_lines(outside.ref, 1000)

    def test_a_package_larger_than_allowed_names_the_setting(
        self, platform: Platform, served: tuple[Path, str]
    ) -> None:
        folder, address = served
        (folder / "large-1.0.tar.gz").write_bytes(b"x" * 2001)
        preparation = prepared(platform.launcher(max_package_bytes=2000), f"{address}/large-1.0.tar.gz")
        assert preparation.phase is PreparationPhase.FAILED
        assert "larger than 2000 bytes (VERNIER_MAX_PACKAGE_BYTES)" in preparation.message

    @pytest.mark.parametrize(
        ("uri", "reason"),
        [
            ("{address}/absent-1.0.tar.gz", "404"),
            ("http://127.0.0.1:1/absent-1.0.tar.gz", "can't be fetched"),
        ],
    )
    def test_a_package_that_cannot_be_fetched_is_named(
        self, launcher: Launcher, served: tuple[Path, str], uri: str, reason: str
    ) -> None:
        preparation = prepared(launcher, uri.format(address=served[1]))
        assert preparation.phase is PreparationPhase.FAILED
        assert "absent-1.0.tar.gz" in preparation.message
        assert reason in preparation.message
        assert "Traceback" not in preparation.message

    # Refusing

    def test_a_package_that_does_not_build_says_why_and_is_not_tried_again(
        self, launcher: Launcher, platform: Platform, folder: Path
    ) -> None:
        setup = (
            f"open({str(folder / 'begun')!r}, 'a').write('ran\\n')\n"
            "raise RuntimeError('needs a compiler that is not here')\n"
        )
        package = source_archive(folder, "broken", "", setup)
        preparation = prepared(launcher, package)
        assert preparation.phase is PreparationPhase.FAILED
        assert preparation.message.startswith("broken-1.0.tar.gz can't be installed")
        assert "needs a compiler that is not here" in preparation.message
        ran = lines(folder, "begun")
        assert prepared(platform.launcher(), package) == preparation
        assert lines(folder, "begun") == ran

    def test_nothing_is_written_outside_by_an_archive_that_climbs_up(
        self, launcher: Launcher, folder: Path
    ) -> None:
        up = "../" * 30 + str(folder).lstrip("/")
        setup = "from setuptools import setup\nsetup(name='evil', version='1.0')\n"
        archives = [
            tar_of(folder / "1/evil-1.0.tar.gz", {"evil-1.0/setup.py": setup, f"evil-1.0/{up}/1.out": "x"}),
            tar_of(
                folder / "2/evil-1.0.tar.gz",
                {"evil-1.0/setup.py": setup, "evil-1.0/link/2.out": "x"},
                links={"evil-1.0/link": str(folder)},
            ),
            zip_of(folder / "3/evil-1.0.zip", {"evil-1.0/setup.py": setup, f"evil-1.0/{up}/3.out": "x"}),
            zip_of(folder / "4/evil-1.0-py3-none-any.whl", {**wheel_members("evil", ""), f"{up}/4.out": "x"}),
        ]
        jobs = [JobRef("a-project", f"evil_{number}") for number in range(len(archives))]
        for job, archive in zip(jobs, archives, strict=True):
            preparation = prepared(launcher, archive, job=job)
            assert preparation.phase is PreparationPhase.FAILED
            assert f"{archive.name} can't be installed" in preparation.message
        assert list(folder.rglob("*.out")) == []
