"""Trials as processes of this machine: they outlive the service, and leave nothing behind."""

import errno
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running_service import wait_until
from tests.worker.launcher_contract import (
    CLUSTER,
    GRACE,
    HELD,
    LONG,
    LauncherContract,
    end_of,
    lines,
    phase,
    stopped,
)
from tests.worker.local_platform import JOB, LocalPlatform, local_platform
from tests.worker.preparation_contract import HEEDLESS, HELD_SETUP
from tests.worker.trainer_archives import source_archive
from worker.cluster import Cluster
from worker.launchers.process_group import ProcessGroup
from worker.launchers.protocol import AttemptPhase, AttemptRef, AttemptStatus, LaunchFailed, PackagesSpec
from worker.launchers.replica_groups import ReplicaGroups

# A service in short: launches what it is given and goes on.
SERVICE = """
import pickle, sys, time
from pathlib import Path
from worker.launchers.local import LocalLauncher

jobs_dir, python, spec = pickle.load(open(sys.argv[1], "rb"))
LocalLauncher(jobs_dir, python, 4, 10**8).launch(spec)
print("launched", flush=True)
time.sleep(60)
"""

# Starts one process of each kind that is hard to be rid of, and tells their ids.
SPAWNING = """
import subprocess
quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

def forked(*steps):
    reading, writing = os.pipe()
    if os.fork():
        return int(os.read(reading, 20))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for step in steps:
        if step() and step is os.fork:
            os._exit(0)
    os.write(writing, str(os.getpid()).encode())
    time.sleep(60)

pids = {
    "child": subprocess.Popen(["sleep", "60"], **quiet).pid,
    "without our variables": subprocess.Popen(["env", "-i", "sleep", "60"], **quiet).pid,
    "in a session of its own": subprocess.Popen(["sleep", "60"], start_new_session=True, **quiet).pid,
    "deaf grandchild": forked(os.fork),
    "daemon": forked(os.setsid, os.fork),
}
tell("pids", json.dumps(pids))
"""


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[LocalPlatform]:
    with local_platform(tmp_path) as platform:
        yield platform


@pytest.fixture
def standard_input() -> Iterator[int]:
    """A terminal's stand-in at the service's standard input: it stays open, and nobody types."""
    before = os.dup(0)
    reading, writing = os.pipe()
    os.dup2(reading, 0)
    yield writing
    os.dup2(before, 0)
    for descriptor in (before, reading, writing):
        os.close(descriptor)


class TestContract(LauncherContract):
    """See there."""


def _status(pid: int) -> str | None:
    """The process's state letter; None if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None  # The second: it was reaped between the opening and the reading.


def _held(platform: LocalPlatform, source: str = HELD) -> AttemptRef:
    spec = platform.spec(source)
    platform.launcher().launch(spec)
    wait_until(lambda: lines(platform.folder, "begun"), 30)
    return spec.ref


class TestOutlivingTheService:
    def test_a_trial_goes_on_when_the_service_is_killed_and_is_found_by_the_next(
        self, platform: LocalPlatform, tmp_path: Path
    ) -> None:
        spec = platform.spec(HELD + "sys.exit(7)")
        (tmp_path / "pickled").write_bytes(pickle.dumps((platform.jobs_dir, Path(sys.executable), spec)))
        with subprocess.Popen(
            [sys.executable, "-c", SERVICE, str(tmp_path / "pickled")], stdout=subprocess.PIPE, text=True
        ) as service:
            assert service.stdout is not None
            assert service.stdout.readline() == "launched\n"
            service.kill()
        launcher = platform.launcher()
        wait_until(lambda: lines(platform.folder, "begun"), 30)
        launcher.launch(spec)
        assert phase(launcher, spec.ref) is AttemptPhase.RUNNING
        (platform.folder / "go").touch()
        assert end_of(launcher, spec.ref) == AttemptStatus(AttemptPhase.ENDED, 7)
        assert lines(platform.folder, "begun") == [""]

    def test_a_trial_is_out_of_reach_of_the_services_terminal(self, platform: LocalPlatform) -> None:
        ref = _held(platform)
        leader = ProcessGroup(platform.attempt_dir(ref)).leader()
        session = Path(f"/proc/{leader}/stat").read_text().rpartition(")")[2].split()[3]
        assert int(session) == leader

    def test_a_trial_whose_wrapper_was_killed_goes_on_and_is_lost_when_it_ends(
        self, platform: LocalPlatform
    ) -> None:
        ref = _held(platform)
        leader = ProcessGroup(platform.attempt_dir(ref)).leader()
        assert leader is not None
        subprocess.run(["kill", "-KILL", str(leader)], check=True)
        called: list[object] = []
        launcher = platform.launcher(called.append)
        wait_until(lambda: _status(leader) in (None, "Z"))
        wait_until(lambda: _status(leader) is None)  # Reaped by the launcher that started it.
        for _ in range(5):
            assert phase(launcher, ref) is AttemptPhase.RUNNING
        assert called == [], "nobody is sent to look at what has not changed"
        (platform.folder / "go").touch()
        assert end_of(launcher, ref) == AttemptStatus(AttemptPhase.LOST)


class TestLeavingNothingBehind:
    @staticmethod
    def _pids(platform: LocalPlatform) -> dict[str, int]:
        (line,) = wait_until(lambda: lines(platform.folder, "pids"), 30)
        pids: dict[str, int] = json.loads(line)
        return pids

    @staticmethod
    def _assert_gone(pids: dict[str, int]) -> None:
        wait_until(lambda: {_status(pid) for pid in pids.values()} <= {None, "Z"}, 10)

    def test_what_a_trainer_left_running_ends_with_it(self, platform: LocalPlatform) -> None:
        launcher, spec = platform.launcher(), platform.spec(SPAWNING + HELD)
        launcher.launch(spec)
        pids = self._pids(platform)
        assert all(_status(pid) not in (None, "Z") for pid in pids.values())
        (platform.folder / "go").touch()
        assert end_of(launcher, spec.ref).exit_code == 0
        self._assert_gone(pids)

    def test_stopping_ends_all_of_it(self, platform: LocalPlatform) -> None:
        launcher, spec = platform.launcher(), platform.spec(SPAWNING + HELD)
        launcher.launch(spec)
        pids = self._pids(platform)
        stopped(launcher, spec.ref, GRACE)
        self._assert_gone(pids)

    def test_what_left_the_group_is_asked_kindly_too(self, platform: LocalPlatform) -> None:
        source = (
            "if os.fork() == 0:\n    os.setsid()\n"
            "    signal.signal(signal.SIGTERM, lambda *_: (tell('asked'), os._exit(0)))\n"
            "    tell('begun')\n    signal.pause()\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwait_for('asked')\n"
        )
        ref = _held(platform, source)
        launcher = platform.launcher()
        launcher.stop(ref, LONG)
        assert end_of(launcher, ref).told_to_stop
        assert lines(platform.folder, "asked") == [""]

    def test_ended_trials_are_reaped(self, platform: LocalPlatform) -> None:
        launcher, leaders = platform.launcher(), []
        for trial in range(1, 4):
            spec = platform.spec("", trial=trial)
            launcher.launch(spec)
            end_of(launcher, spec.ref)
            leaders.append(ProcessGroup(platform.attempt_dir(spec.ref)).leader())
        wait_until(lambda: {_status(leader) for leader in leaders if leader is not None} == {None}, 10)

    def test_a_neighbour_is_not_taken_for_a_stray(self, platform: LocalPlatform) -> None:
        """The first attempt's directory begins the name of the eleventh's."""
        launcher = platform.launcher()
        specs = [platform.spec(HELD, attempt=attempt) for attempt in (1, 11)]
        for spec in specs:
            launcher.launch(spec)
        wait_until(lambda: len(lines(platform.folder, "begun")) == 2, 30)
        stopped(launcher, specs[0].ref, GRACE)
        assert phase(launcher, specs[1].ref) is AttemptPhase.RUNNING

    def test_a_process_id_that_was_given_to_somebody_else_is_left_alone(
        self, platform: LocalPlatform
    ) -> None:
        launcher, spec = platform.launcher(), platform.spec("")
        launcher.launch(spec)
        end_of(launcher, spec.ref)
        with subprocess.Popen(["sleep", "60"], start_new_session=True) as innocent:
            (platform.attempt_dir(spec.ref) / "pid").write_text(f"{innocent.pid}\n")
            launcher.stop(spec.ref, 0.0)
            launcher.observe([spec.ref])
            assert innocent.poll() is None
            innocent.kill()


class TestTrouble:
    def test_a_trainer_that_asks_for_input_gets_none_instead_of_the_services(
        self, platform: LocalPlatform, standard_input: int
    ) -> None:
        launcher, spec = platform.launcher(), platform.spec("sys.exit(len(sys.stdin.read()))")
        launcher.launch(spec)
        assert end_of(launcher, spec.ref).exit_code == 0

    def test_a_module_that_is_not_there_is_named(self, platform: LocalPlatform) -> None:
        launcher, spec = platform.launcher(), platform.spec("")
        (platform.folder.parent / "modules" / f"{spec.module}.py").unlink()
        launcher.launch(spec)
        assert end_of(launcher, spec.ref).exit_code == 1
        assert f"No module named {spec.module}" in launcher.last_lines(spec.ref, 1000)

    def test_a_job_dir_that_cannot_be_made_is_a_refusal_that_names_it(self, platform: LocalPlatform) -> None:
        (platform.folder / "file").touch()
        job_dir = platform.folder / "file" / "out"
        with pytest.raises(LaunchFailed, match=f"Not a directory: {job_dir}"):
            platform.launcher().launch(platform.spec("", job_dir=job_dir))

    @pytest.mark.parametrize(
        ("argument", "reason"), [("a\0b", "null byte"), ("x" * 3_000_000, "Argument list too long")]
    )
    def test_arguments_that_no_program_can_be_given_are_a_refusal(
        self, platform: LocalPlatform, argument: str, reason: str
    ) -> None:
        launcher, spec = platform.launcher(), platform.spec("", argument)
        with pytest.raises(LaunchFailed, match=reason):
            launcher.launch(spec)
        assert phase(launcher, spec.ref) is AttemptPhase.ABSENT

    def test_an_interpreter_that_is_not_there_is_a_refusal_for_good(self, platform: LocalPlatform) -> None:
        launcher, spec = platform.launcher(python=Path("/nowhere/python")), platform.spec("")
        with pytest.raises(LaunchFailed, match="there is no Python at /nowhere/python") as refused:
            launcher.launch(spec)
        assert not refused.value.for_now
        assert phase(launcher, spec.ref) is AttemptPhase.ABSENT

    def test_what_runs_is_not_refused_since_its_interpreter_is_gone(self, platform: LocalPlatform) -> None:
        launcher, spec = platform.launcher(), platform.spec(HELD)
        launcher.launch(spec)
        platform.launcher(python=Path("/nowhere/python")).launch(spec)
        assert phase(launcher, spec.ref) is AttemptPhase.RUNNING

    @pytest.mark.parametrize(
        ("number", "for_now"),
        [(errno.EAGAIN, True), (errno.ENOMEM, True), (errno.ENFILE, True), (errno.EACCES, False)],
    )
    def test_what_the_system_lacks_for_now_is_told_from_what_it_never_has(
        self, platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch, number: int, for_now: bool
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(subprocess, "Popen", refuse)
        with pytest.raises(LaunchFailed) as refused:
            platform.launcher().launch(platform.spec(""))
        assert refused.value.for_now == for_now

    def test_a_refused_attempt_can_be_launched_once_the_trouble_is_over(
        self, platform: LocalPlatform
    ) -> None:
        launcher, job_dir = platform.launcher(), platform.folder / "out"
        job_dir.touch()
        spec = platform.spec("", job_dir=job_dir / "1")
        with pytest.raises(LaunchFailed):
            launcher.launch(spec)
        job_dir.unlink()
        launcher.launch(spec)
        assert end_of(launcher, spec.ref).exit_code == 0

    def test_a_half_written_status_is_not_believed(self, platform: LocalPlatform) -> None:
        ref = _held(platform)
        status = platform.attempt_dir(ref) / "status"
        status.write_text("1")
        assert phase(platform.launcher(), ref) is AttemptPhase.RUNNING


class TestPlaces:
    def test_each_attempt_has_a_working_directory_of_its_own(self, platform: LocalPlatform) -> None:
        launcher = platform.launcher()
        for trial, attempt in ((1, 1), (1, 2), (2, 1)):
            spec = platform.spec("tell('cwd', os.getcwd())", trial=trial, attempt=attempt)
            launcher.launch(spec)
            end_of(launcher, spec.ref)
        assert len(set(lines(platform.folder, "cwd"))) == 3

    def test_outputs_are_files_beside_it(self, platform: LocalPlatform) -> None:
        launcher = platform.launcher()
        spec = platform.spec("print('out'); print('err', file=sys.stderr)")
        launcher.launch(spec)
        end_of(launcher, spec.ref)
        directory = platform.attempt_dir(spec.ref)
        assert (directory / "stdout.log").read_text() == "out\n"
        assert (directory / "stderr.log").read_text() == "err\n"

    def test_what_is_printed_is_there_at_once(
        self, platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
        ref = _held(platform, "print('epoch 1')\n" + HELD)
        assert platform.launcher().last_lines(ref, 100) == "epoch 1\n"


@pytest.mark.parametrize("cluster", [Cluster(), CLUSTER], ids=["one replica", "several"])
def test_what_was_stopped_before_it_was_launched_is_not_launched_by_who_comes_late(
    platform: LocalPlatform, cluster: Cluster
) -> None:
    """As a worker that meant to, and slept while another closed the attempt."""
    launcher = platform.launcher()
    spec = platform.spec(HELD, cluster=cluster)
    launcher.stop(spec.ref, GRACE)
    for _ in range(2):
        platform.launcher().launch(spec)
        assert launcher.observe([spec.ref])[spec.ref] == AttemptStatus(AttemptPhase.ABSENT)
        launcher.stop(spec.ref, GRACE)
        assert launcher.observe([spec.ref])[spec.ref].phase is AttemptPhase.ABSENT


def test_a_launch_that_was_cut_short_and_then_stopped_is_not_done_again(platform: LocalPlatform) -> None:
    launcher, spec = platform.launcher(), platform.spec(HELD, cluster=CLUSTER)
    groups = ReplicaGroups(platform.attempt_dir(spec.ref))
    with pytest.raises(MemoryError), groups.starting(CLUSTER.replicas, lambda count: ["a:1"] * count):
        raise MemoryError
    launcher.stop(spec.ref, GRACE)
    launcher.launch(spec)
    assert launcher.observe([spec.ref])[spec.ref] == AttemptStatus(AttemptPhase.ABSENT)


def test_an_installation_that_was_abandoned_before_it_began_does_not_begin(platform: LocalPlatform) -> None:
    launcher = platform.launcher()
    assert launcher.abandon_preparation(JOB)
    launcher.prepare(PackagesSpec(JOB, ("/nowhere/trainer.tar.gz",)))
    assert not list(platform.jobs_dir.rglob("install/pid"))
    assert launcher.abandon_preparation(JOB)


def test_what_is_left_of_an_installation_is_killed_before_it_counts_as_abandoned(
    platform: LocalPlatform,
) -> None:
    launcher = platform.launcher()
    setup = HEEDLESS + HELD_SETUP.format(folder=str(platform.folder))
    launcher.prepare(PackagesSpec(JOB, (str(source_archive(platform.folder, "held", "", setup)),)))
    wait_until(lambda: lines(platform.folder, "begun"), 30)
    [pid] = platform.jobs_dir.rglob("install/pid")
    wait_until(lambda: launcher.abandon_preparation(JOB), 30)
    assert ProcessGroup(pid.parent).processes() == []


def test_an_installation_that_was_killed_and_abandoned_does_not_begin_again(platform: LocalPlatform) -> None:
    """As a worker that meant to begin it again, and slept while another ended the job."""
    launcher = platform.launcher()
    package = source_archive(platform.folder, "held", "", HELD_SETUP.format(folder=str(platform.folder)))
    spec = PackagesSpec(JOB, (str(package),))
    launcher.prepare(spec)
    wait_until(lambda: lines(platform.folder, "begun"), 30)
    platform.wipe_out_preparation(JOB)
    wait_until(lambda: launcher.abandon_preparation(JOB), 30)
    platform.launcher().prepare(spec)
    assert launcher.abandon_preparation(JOB)
