"""What every launcher must do with attempts, whatever it runs them on.

A platform's tests derive from `LauncherContract` and bring a fixture `platform`.
"""

import json
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.running_service import wait_until
from worker.cluster import PRIMARY, Cluster, Replica, Role
from worker.launchers.protocol import (
    AttemptPhase,
    AttemptRef,
    AttemptSpec,
    AttemptStatus,
    JobRef,
    Launcher,
    ReplicaEnd,
    Stream,
)

GRACE = 0.1
"""Seconds of grace, for a trainer that would not use them."""
LONG = 1000.0
ODD_ARGUMENTS = (
    "",
    " ",
    "two words",
    "--flag=with spaces",
    "-",
    "--",
    "-c",
    "'single' \"double\"",
    "back\\slash\\",
    "line\nbreak\r\ttab",
    "$(touch pwned) `touch pwned` ${HOME} $1 $@",
    "; touch pwned; & | > pwned < *",
    "!history ~ #comment %d {a,b}",
    "é 中文 🎉",
    "\x01\x7f",
    "x" * 100_000,
)


class Platform(Protocol):
    """What the tests need of a platform besides its launcher."""

    folder: Path
    """A folder that trainers may write to and tests may read."""
    streams_apart: bool
    """Whether errors are kept apart from the output; else all of it is output."""

    def launcher(self, ended: Callable[[JobRef], None] = ...) -> Launcher:
        """Another launcher on the same platform, as after a restart of the service."""
        ...

    def spec(
        self,
        source: str,
        *args: str,
        trial: int = 1,
        attempt: int = 1,
        job_dir: Path | None = None,
        environment: Mapping[str, str] | None = None,
        cluster: Cluster | None = None,
    ) -> AttemptSpec:
        """An attempt at running this source text as the job's module."""
        ...

    def wipe_out(self, ref: AttemptRef) -> None:
        """End everything of the attempt at once, as a machine that restarts would."""
        ...

    def is_running(self, pid: int) -> bool:
        """Whether a trainer's process, of this number to itself, still does anything."""
        ...

    def wipe_out_replica(self, ref: AttemptRef, replica: Replica) -> None:
        """End everything of one replica at once."""
        ...


# Trainers report by lines in files of their working folder, which the first argument names.
REPORTING = """
import json, os, pathlib, signal, sys, time
folder = pathlib.Path(sys.argv.pop(1))

def tell(name, what=""):
    with (folder / name).open("a") as file:
        file.write(f"{what}\\n")

def wait_for(name):
    while not (folder / name).exists():
        time.sleep(0.005)

"""
HELD = "tell('begun'); wait_for('go')\n"

FIRST_WORKER, SECOND_WORKER, SERVER, EVALUATOR = (
    Replica(Role.WORKER, 0),
    Replica(Role.WORKER, 1),
    Replica(Role.PS, 0),
    Replica(Role.EVALUATOR, 0),
)
CLUSTER = Cluster((PRIMARY, FIRST_WORKER, SECOND_WORKER, SERVER, EVALUATOR), trial="1")
# For trainers of a cluster: who one is, where one works, and a word that all have begun.
AS_A_REPLICA = """
config = json.loads(os.environ["TF_CONFIG"])
me = f"{config['task']['type']} {config['task']['index']}"
tell("begun", me)
while (folder / "begun").read_text().count("\\n") < 5:
    time.sleep(0.005)
"""


def lines(folder: Path, name: str) -> list[str]:
    """What trainers told under this name."""
    file = folder / name
    return file.read_text().splitlines() if file.exists() else []


def is_running(pid: int | None) -> bool:
    """Whether there is a process of this number that still does anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def phase(launcher: Launcher, ref: AttemptRef) -> AttemptPhase:
    return launcher.observe([ref])[ref].phase


def end_of(launcher: Launcher, ref: AttemptRef) -> AttemptStatus:
    """The attempt's status once it is over."""

    def look() -> AttemptStatus | None:
        status = launcher.observe([ref])[ref]
        return status if status.phase in (AttemptPhase.ENDED, AttemptPhase.LOST) else None

    status = wait_until(look, 30)
    assert status is not None
    return status


def stopped(launcher: Launcher, ref: AttemptRef, grace: float) -> AttemptStatus:
    """The attempt's status once it is over, being told to stop again and again, as the reconciler does."""

    def look() -> AttemptStatus | None:
        launcher.stop(ref, grace)
        status = launcher.observe([ref])[ref]
        return status if status.phase in (AttemptPhase.ENDED, AttemptPhase.LOST) else None

    status = wait_until(look, 30)
    assert status is not None
    return status


class LauncherContract:
    """Launching, observing and stopping."""

    @pytest.fixture
    def folder(self, platform: Platform) -> Path:
        return platform.folder

    @pytest.fixture
    def launcher(self, platform: Platform) -> Launcher:
        return platform.launcher()

    def run(
        self, launcher: Launcher, platform: Platform, source: str, *args: str, **given: Any
    ) -> AttemptRef:
        """Launch it and wait until its end."""
        spec = platform.spec(source, *args, **given)
        launcher.launch(spec)
        end_of(launcher, spec.ref)
        return spec.ref

    def held(self, launcher: Launcher, platform: Platform, source: str = "", **given: Any) -> AttemptRef:
        """Launch it and wait until it runs; it goes on when there is a file `go`."""
        spec = platform.spec(HELD + source, **given)
        launcher.launch(spec)
        wait_until(lambda: lines(platform.folder, "begun"), 30)
        return spec.ref

    # From the launch to the end

    def test_what_was_never_launched_is_absent(self, launcher: Launcher, platform: Platform) -> None:
        ref = platform.spec("").ref
        assert launcher.observe([ref]) == {ref: AttemptStatus(AttemptPhase.ABSENT)}
        assert launcher.observe([]) == {}

    @pytest.mark.parametrize(
        ("source", "exit_code"),
        [
            ("", 0),
            ("sys.exit(3)", 3),
            ("raise ValueError('bad')", 1),
            ("sys.exit(-1)", 255),
            ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
            ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ],
        ids=["well", "status 3", "exception", "status 255", "SIGKILL", "SIGTERM"],
    )
    def test_it_runs_and_ends_with_its_status(
        self, launcher: Launcher, platform: Platform, source: str, exit_code: int
    ) -> None:
        ref = self.held(launcher, platform, source)
        running = AttemptStatus(AttemptPhase.RUNNING)
        # A platform may hear a moment later that a program has begun.
        wait_until(lambda: launcher.observe([ref])[ref] == running, 30)
        (platform.folder / "go").touch()
        assert end_of(launcher, ref) == AttemptStatus(AttemptPhase.ENDED, exit_code)
        assert launcher.observe([ref])[ref] == AttemptStatus(AttemptPhase.ENDED, exit_code), "and stays so"

    def test_a_second_launch_changes_nothing(
        self, launcher: Launcher, platform: Platform, folder: Path
    ) -> None:
        spec = platform.spec(HELD)
        for again in (launcher, launcher, platform.launcher()):
            again.launch(spec)
        wait_until(lambda: lines(folder, "begun"), 30)
        platform.launcher().launch(spec)
        (folder / "go").touch()
        assert end_of(launcher, spec.ref).exit_code == 0
        for again in (launcher, platform.launcher()):
            again.launch(spec)
        assert end_of(platform.launcher(), spec.ref).exit_code == 0
        assert lines(folder, "begun") == [""]

    def test_attempts_are_apart(self, launcher: Launcher, platform: Platform) -> None:
        specs = [
            platform.spec(f"sys.exit({10 * trial + attempt})", trial=trial, attempt=attempt)
            for trial, attempt in ((1, 1), (1, 2), (2, 1))
        ]
        for spec in specs:
            launcher.launch(spec)
        assert [end_of(launcher, spec.ref).exit_code for spec in specs] == [11, 12, 21]

    def test_what_vanished_is_lost(self, launcher: Launcher, platform: Platform) -> None:
        ref = self.held(launcher, platform)
        platform.wipe_out(ref)
        assert end_of(launcher, ref) == AttemptStatus(AttemptPhase.LOST)
        assert end_of(platform.launcher(), ref) == AttemptStatus(AttemptPhase.LOST)

    def test_what_is_lost_is_not_started_again_but_the_next_attempt_is(
        self, launcher: Launcher, platform: Platform, folder: Path
    ) -> None:
        ref = self.held(launcher, platform)
        platform.wipe_out(ref)
        end_of(launcher, ref)
        launcher.launch(platform.spec(HELD))
        assert phase(launcher, ref) is AttemptPhase.LOST
        (folder / "go").touch()
        second = self.run(launcher, platform, HELD, attempt=2)
        assert launcher.observe([ref, second]) == {
            ref: AttemptStatus(AttemptPhase.LOST),
            second: AttemptStatus(AttemptPhase.ENDED, 0),
        }
        assert len(lines(folder, "begun")) == 2

    def test_the_next_launcher_finds_what_runs(
        self, launcher: Launcher, platform: Platform, folder: Path
    ) -> None:
        ref = self.held(launcher, platform, "sys.exit(7)")
        adopted = platform.launcher()
        assert phase(adopted, ref) is AttemptPhase.RUNNING
        (folder / "go").touch()
        assert end_of(adopted, ref) == AttemptStatus(AttemptPhase.ENDED, 7)

    def test_the_end_is_called_out_with_the_job(self, platform: Platform, folder: Path) -> None:
        called: list[JobRef] = []
        ref = self.held(platform.launcher(called.append), platform)
        adopted: list[JobRef] = []
        phase(platform.launcher(adopted.append), ref)
        assert called == adopted == []
        (folder / "go").touch()
        wait_until(lambda: called and adopted, 30)
        assert called == adopted == [ref.job]

    def test_an_end_too_quick_to_be_seen_is_called_out_too(self, platform: Platform) -> None:
        called: list[JobRef] = []
        spec = platform.spec("")
        platform.launcher(called.append).launch(spec)
        wait_until(lambda: called, 30)
        assert called == [spec.ref.job]

    # Stopping

    def test_a_trainer_may_use_its_grace(self, launcher: Launcher, platform: Platform, folder: Path) -> None:
        source = (
            "def save(*_):\n    tell('saved')\n    wait_for('go')\n    sys.exit(0)\n"
            "signal.signal(signal.SIGTERM, save)\ntell('begun')\nsignal.pause()\n"
        )
        spec = platform.spec(source)
        launcher.launch(spec)
        wait_until(lambda: lines(folder, "begun"), 30)
        launcher.stop(spec.ref, LONG)
        wait_until(lambda: lines(folder, "saved"), 30)
        for again in (launcher, platform.launcher()):
            again.stop(spec.ref, LONG)
            assert phase(again, spec.ref) is AttemptPhase.RUNNING
        (folder / "go").touch()
        assert end_of(launcher, spec.ref) == AttemptStatus(AttemptPhase.ENDED, 0, told_to_stop=True)
        assert lines(folder, "saved") == [""], "it is told once"

    def test_a_trainer_that_does_nothing_about_it_ends_at_once(
        self, launcher: Launcher, platform: Platform
    ) -> None:
        ref = self.held(launcher, platform)
        launcher.stop(ref, LONG)
        assert end_of(launcher, ref) == AttemptStatus(AttemptPhase.ENDED, -signal.SIGTERM, told_to_stop=True)

    def test_a_trainer_that_will_not_end_is_killed_after_its_grace(
        self, launcher: Launcher, platform: Platform
    ) -> None:
        ref = self._stubborn(launcher, platform)
        launcher.stop(ref, LONG)
        assert phase(launcher, ref) is AttemptPhase.RUNNING
        status = stopped(launcher, ref, GRACE)
        assert status.told_to_stop
        assert (status.phase, status.exit_code) in (
            (AttemptPhase.ENDED, -signal.SIGKILL),
            (AttemptPhase.LOST, None),
        )

    def test_the_grace_goes_on_through_a_restart(self, launcher: Launcher, platform: Platform) -> None:
        ref = self._stubborn(launcher, platform)
        launcher.stop(ref, GRACE)
        assert stopped(platform.launcher(), ref, GRACE).told_to_stop

    def test_stopping_what_ended_by_itself_does_not_change_how_it_ended(
        self, launcher: Launcher, platform: Platform
    ) -> None:
        ref = self.run(launcher, platform, "sys.exit(4)")
        for _ in range(2):
            launcher.stop(ref, 0.0)
            assert launcher.observe([ref])[ref] == AttemptStatus(AttemptPhase.ENDED, 4, told_to_stop=False)

    def test_stopping_what_was_never_launched_does_nothing(
        self, launcher: Launcher, platform: Platform
    ) -> None:
        ref = platform.spec("").ref
        launcher.stop(ref, 0.0)
        assert phase(launcher, ref) is AttemptPhase.ABSENT

    def test_stopping_one_attempt_leaves_the_others(self, launcher: Launcher, platform: Platform) -> None:
        first = self.held(launcher, platform, trial=1)
        second = platform.spec(HELD, trial=2).ref
        launcher.launch(platform.spec(HELD, trial=2))
        stopped(launcher, first, GRACE)
        assert phase(launcher, second) is AttemptPhase.RUNNING
        (platform.folder / "go").touch()
        assert end_of(launcher, second).exit_code == 0

    def _stubborn(self, launcher: Launcher, platform: Platform) -> AttemptRef:
        spec = platform.spec("signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + HELD)
        launcher.launch(spec)
        wait_until(lambda: lines(platform.folder, "begun"), 30)
        return spec.ref

    # What the trainer sees, and what is kept of it

    def test_arguments_arrive_as_they_were_given(
        self, launcher: Launcher, platform: Platform, folder: Path
    ) -> None:
        self.run(launcher, platform, "tell('argv', json.dumps(sys.argv[1:]))", *ODD_ARGUMENTS)
        assert json.loads("\n".join(lines(folder, "argv"))) == list(ODD_ARGUMENTS)

    def test_variables_arrive_as_they_were_given_and_the_services_settings_do_not(
        self, launcher: Launcher, platform: Platform, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("VERNIER_DATABASE_URL", "postgresql://vernier:secret@db/vernier")
        given = {
            "TF_CONFIG": '{"cluster": {"chief": ["127.0.0.1:2222"]}, "task": {"trial": "1"}}',
            "CLOUD_ML_JOB_ID": "it's $(a) `job`; é\n",
            "CLOUD_ML_TRIAL_ID": "1",
        }
        self.run(launcher, platform, "tell('env', json.dumps(dict(os.environ)))", environment=given)
        seen = json.loads("\n".join(lines(folder, "env")))
        assert {name: seen.get(name) for name in given} == given
        assert "VERNIER_DATABASE_URL" not in seen
        assert not any("secret" in value for value in seen.values())

    @pytest.mark.parametrize("name", ["CLOUD_ML_TRIAL_ID", "TF_CONFIG", "CLUSTER_SPEC"])
    def test_what_the_contract_tells_a_trial_is_never_the_services_own(
        self,
        launcher: Launcher,
        platform: Platform,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
    ) -> None:
        """As where the service is itself started by a trial; trainers go by whether a variable is there."""
        monkeypatch.setenv(name, "7")
        self.run(launcher, platform, f"tell('its own', os.environ.get({name!r}) == '7')")
        assert lines(folder, "its own") == ["False"]

    def test_the_job_dir_is_there(self, launcher: Launcher, platform: Platform, folder: Path) -> None:
        job_dir = folder / "deep" / "er with space"
        self.run(launcher, platform, f"tell('there', os.path.isdir({str(job_dir)!r}))", job_dir=job_dir)
        assert lines(folder, "there") == ["True"]

    def test_a_job_dir_from_an_earlier_attempt_is_kept(
        self, launcher: Launcher, platform: Platform, folder: Path
    ) -> None:
        job_dir = folder / "out"
        job_dir.mkdir()
        (job_dir / "checkpoint").write_text("kept")
        self.run(launcher, platform, "", job_dir=job_dir)
        assert (job_dir / "checkpoint").read_text() == "kept"

    def test_the_trainer_and_the_reader_agree_on_where_hypertune_writes(
        self, launcher: Launcher, platform: Platform, folder: Path
    ) -> None:
        ref = self.run(launcher, platform, "open(os.environ['CLOUD_ML_HP_METRIC_FILE'], 'w').write('here')")
        assert launcher.metric_places(ref, None).hypertune_file.read_text() == "here"

    def test_metrics_are_looked_for_where_the_trainer_was_sent(
        self, launcher: Launcher, platform: Platform, folder: Path
    ) -> None:
        ref = self.run(launcher, platform, "open('by_default', 'w').close()")
        assert launcher.metric_places(ref, folder / "out").roots == (folder / "out",)
        assert any((root / "by_default").exists() for root in launcher.metric_places(ref, None).roots)

    @pytest.mark.parametrize(
        ("source", "kept"),
        [
            ("print('out', flush=True); print('err', file=sys.stderr)", "err\n"),
            ("print('out')", "out\n"),
            ("", ""),
            ("sys.stderr.buffer.write(b'caf\\xe9\\n')", "caf\ufffd\n"),
            ("sys.stderr.buffer.write(b'a\\0b\\n')", "ab\n"),
            ("print('out'); os.kill(os.getpid(), signal.SIGKILL)", "out\n"),
        ],
        ids=["both", "output only", "nothing", "not UTF-8", "a NUL, which no database takes", "killed"],
    )
    def test_the_last_lines_are_the_errors_or_else_the_output(
        self, launcher: Launcher, platform: Platform, source: str, kept: str
    ) -> None:
        ref = self.run(launcher, platform, source)
        last = launcher.last_lines(ref, 1000)
        if not platform.streams_apart and kept == "err\n":
            assert sorted(last.splitlines()) == ["err", "out"], "which is first, no pipe can tell"
        else:
            assert last == kept

    def test_the_last_lines_are_the_end_of_a_long_output(
        self, launcher: Launcher, platform: Platform
    ) -> None:
        source = "sys.stderr.write('x' * 100_000 + 'the end\\n')"
        ref = self.run(launcher, platform, source)
        assert launcher.last_lines(ref, 11) == "xxxthe end\n"

    def test_there_are_no_last_lines_of_what_never_ran(self, launcher: Launcher, platform: Platform) -> None:
        assert launcher.last_lines(platform.spec("").ref, 10) == ""

    # What it prints, as it prints it

    def test_output_is_read_from_an_offset_while_it_runs_and_after(
        self, launcher: Launcher, platform: Platform, folder: Path
    ) -> None:
        out, err = b"caf\xe9 12345\n", b"err\n"
        if not platform.streams_apart:
            out, err = out + err, b""
        source = """
sys.stdout.buffer.write(b"caf\\xe9 12345\\n"); sys.stdout.flush()
wait_for("read")
print("err", file=sys.stderr, flush=True)
"""
        spec = platform.spec(source + HELD + "print('after')")
        launcher.launch(spec)
        wait_until(lambda: launcher.read_output(spec.ref, Stream.OUT, 0, 1000) == b"caf\xe9 12345\n", 30)
        (folder / "read").touch()
        wait_until(lambda: lines(folder, "begun"), 30)
        wait_until(lambda: launcher.read_output(spec.ref, Stream.OUT, 0, 1000) == out)
        assert launcher.read_output(spec.ref, Stream.OUT, 5, 3) == b"123"
        assert launcher.read_output(spec.ref, Stream.ERR, 0, 1000) == err
        assert launcher.read_output(spec.ref, Stream.ERR, len(err), 1000) == b""
        assert launcher.read_output(spec.ref, Stream.ERR, 1000, 1000) == b""
        (folder / "go").touch()
        end_of(launcher, spec.ref)
        assert platform.launcher().read_output(spec.ref, Stream.OUT, len(out), 1000) == b"after\n"

    def test_what_never_ran_has_printed_nothing(self, launcher: Launcher, platform: Platform) -> None:
        assert launcher.read_output(platform.spec("").ref, Stream.OUT, 0, 10) == b""

    # Several replicas

    def cluster(self, launcher: Launcher, platform: Platform, source: str) -> AttemptRef:
        """Launch a cluster and wait until all its replicas run this source."""
        spec = platform.spec(AS_A_REPLICA + source, cluster=CLUSTER)
        launcher.launch(spec)
        wait_until(lambda: len(lines(platform.folder, "begun")) == len(CLUSTER.replicas), 30)
        return spec.ref

    def test_replicas_reach_each_other_where_they_are_told(
        self, launcher: Launcher, platform: Platform, folder: Path
    ) -> None:
        source = """
import socket
if me == "evaluator 0":
    signal.pause()
where = config["cluster"][config["task"]["type"]][config["task"]["index"]]
mine = socket.create_server(("", int(where.rpartition(":")[2])))
tell("listening", me)
while (folder / "listening").read_text().count("\\n") < 4:
    time.sleep(0.005)
if me == "chief 0":
    for role, addresses in config["cluster"].items():
        for index, address in enumerate(addresses):
            host, port = address.rsplit(":", 1)
            with socket.create_connection((host, int(port))):
                tell("reached", f"{role} {index}")
else:
    signal.pause()
"""
        ref = self.cluster(launcher, platform, source)
        assert end_of(launcher, ref).exit_code == 0
        assert sorted(lines(folder, "begun")) == ["chief 0", "evaluator 0", "ps 0", "worker 0", "worker 1"]
        assert sorted(lines(folder, "reached")) == ["chief 0", "ps 0", "worker 0", "worker 1"]

    def test_the_end_of_the_primary_ends_the_attempt_and_the_others(
        self, launcher: Launcher, platform: Platform, folder: Path
    ) -> None:
        source = """
if me == "chief 0":
    wait_for("go")
    sys.exit(0)
if me == "worker 0":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
tell("pids", os.getpid())
signal.pause()
"""
        ref = self.cluster(launcher, platform, source)
        wait_until(lambda: len(lines(folder, "pids")) == 4, 30)
        assert phase(launcher, ref) is AttemptPhase.RUNNING
        (folder / "go").touch()
        assert end_of(platform.launcher(), ref) == AttemptStatus(AttemptPhase.ENDED, 0)
        assert not any(platform.is_running(int(pid)) for pid in lines(folder, "pids"))

    @pytest.mark.parametrize(
        ("failing", "replica"), [("worker 1", SECOND_WORKER), ("ps 0", SERVER), ("evaluator 0", EVALUATOR)]
    )
    def test_another_replica_that_fails_fails_the_attempt(
        self, launcher: Launcher, platform: Platform, failing: str, replica: Replica
    ) -> None:
        source = f"if me == {failing!r}: print('no data', file=sys.stderr); sys.exit(3)\nsignal.pause()\n"
        ref = self.cluster(launcher, platform, source)
        status = end_of(launcher, ref)
        assert status == AttemptStatus(AttemptPhase.ENDED, 3, failed=(ReplicaEnd(replica, 3),))
        assert status.failures == (ReplicaEnd(replica, 3),)
        assert launcher.last_lines(ref, 100, replica) == "no data\n"
        assert end_of(platform.launcher(), ref) == status, "and stays so"

    def test_another_replica_may_end_well_before_the_primary(
        self, launcher: Launcher, platform: Platform, folder: Path
    ) -> None:
        source = "if me == 'worker 1': tell('done'); sys.exit(0)\nwait_for('go')\n"
        ref = self.cluster(launcher, platform, source)
        wait_until(lambda: lines(folder, "done"), 30)
        assert phase(launcher, ref) is AttemptPhase.RUNNING
        (folder / "go").touch()
        assert end_of(launcher, ref) == AttemptStatus(AttemptPhase.ENDED, 0)

    @pytest.mark.parametrize("replica", [PRIMARY, SERVER], ids=["the primary", "a server"])
    def test_a_replica_that_vanished_is_a_lost_attempt(
        self, launcher: Launcher, platform: Platform, replica: Replica
    ) -> None:
        ref = self.cluster(launcher, platform, "signal.pause()\n")
        platform.wipe_out_replica(ref, replica)
        assert end_of(launcher, ref) == AttemptStatus(AttemptPhase.LOST, lost=replica)

    def test_stopping_a_cluster_ends_all_of_it(
        self, launcher: Launcher, platform: Platform, folder: Path
    ) -> None:
        source = "tell('pids', os.getpid())\nsignal.pause()\n"
        ref = self.cluster(launcher, platform, source)
        wait_until(lambda: len(lines(folder, "pids")) == 5, 30)
        status = stopped(launcher, ref, LONG)
        assert status == AttemptStatus(AttemptPhase.ENDED, -signal.SIGTERM, told_to_stop=True)
        assert not any(platform.is_running(int(pid)) for pid in lines(folder, "pids"))

    def test_a_second_launch_of_a_cluster_changes_nothing(
        self, launcher: Launcher, platform: Platform, folder: Path
    ) -> None:
        spec = platform.spec(AS_A_REPLICA + "wait_for('go')\n", cluster=CLUSTER)
        for again in (launcher, launcher, platform.launcher()):
            again.launch(spec)
        wait_until(lambda: len(lines(folder, "begun")) == 5, 30)
        (folder / "go").touch()
        assert end_of(launcher, spec.ref).exit_code == 0
        assert len(lines(folder, "begun")) == 5

    def test_each_replicas_output_is_its_own(
        self, launcher: Launcher, platform: Platform, folder: Path
    ) -> None:
        source = "print(me); tell('told')\nif me == 'chief 0': wait_for('go')\nelse: signal.pause()\n"
        ref = self.cluster(launcher, platform, source)
        wait_until(lambda: len(lines(folder, "told")) == 5, 30)
        (folder / "go").touch()
        end_of(launcher, ref)
        told = [launcher.read_output(ref, Stream.OUT, 0, 100, replica) for replica in CLUSTER.replicas]
        assert told == [b"chief 0\n", b"worker 0\n", b"worker 1\n", b"ps 0\n", b"evaluator 0\n"]

    def test_the_primarys_hypertune_file_is_the_one_that_is_read(
        self, launcher: Launcher, platform: Platform
    ) -> None:
        source = "open(os.environ['CLOUD_ML_HP_METRIC_FILE'], 'w').write(me)\n"
        ref = self.cluster(launcher, platform, source + "if me != 'chief 0': signal.pause()\n")
        end_of(launcher, ref)
        assert launcher.metric_places(ref, None).hypertune_file.read_text() == "chief 0"
