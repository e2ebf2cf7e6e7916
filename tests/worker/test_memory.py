"""What attempts take of the machine's memory, and what the kernel says when there is none left."""

import resource
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running_service import wait_until
from tests.worker.launcher_contract import AS_A_REPLICA, CLUSTER, HELD, end_of, lines, phase
from tests.worker.local_platform import LocalPlatform, local_platform
from worker.launchers import memory
from worker.launchers.memory import MemoryWatch, memory_use
from worker.launchers.protocol import AttemptPhase

MEGABYTE = 2**20
LARGE = 400 * MEGABYTE


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[LocalPlatform]:
    with local_platform(tmp_path) as platform:
        yield platform


@pytest.mark.parametrize("status", [0, 3])
def test_the_most_that_a_short_trial_took_is_known_at_its_end(platform: LocalPlatform, status: int) -> None:
    launcher = platform.launcher()
    # What is not more than the service has taken, as these tests do, is not told apart from that.
    taken = LARGE + 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    spec = platform.spec(f"x = bytearray({taken}); del x; sys.exit({status})")
    launcher.launch(spec)
    peak = end_of(launcher, spec.ref).memory.peak_bytes
    assert peak is not None
    assert taken < peak < 1.2 * taken
    assert end_of(platform.launcher(), spec.ref).memory.peak_bytes == peak, "after a restart, too"


def test_what_a_trial_takes_is_seen_while_it_runs_also_by_a_later_service(platform: LocalPlatform) -> None:
    spec = platform.spec(f"x = bytearray({LARGE}); tell('begun', 1); del x\n" + HELD)
    platform.launcher().launch(spec)
    wait_until(lambda: lines(platform.folder, "begun"), 30)
    later = platform.launcher()
    assert phase(later, spec.ref) is AttemptPhase.RUNNING
    (platform.folder / "go").touch()
    peak = end_of(later, spec.ref).memory.peak_bytes
    assert peak is not None
    assert LARGE < peak < 1.2 * LARGE


def test_replicas_and_their_children_are_counted_together(platform: LocalPlatform) -> None:
    part = LARGE // 8
    source = f"""
if os.fork() == 0:
    x = bytearray({part}); tell('full'); time.sleep(600)
x = bytearray({part}); tell('full'); wait_for('go')
"""
    launcher, spec = platform.launcher(), platform.spec(AS_A_REPLICA + source, cluster=CLUSTER)
    launcher.launch(spec)
    replicas = len(CLUSTER.replicas)
    wait_until(lambda: len(lines(platform.folder, "full")) == 2 * replicas, 30)
    assert phase(launcher, spec.ref) is AttemptPhase.RUNNING
    (platform.folder / "go").touch()
    peak = end_of(launcher, spec.ref).memory.peak_bytes
    assert peak is not None
    assert 2 * replicas * part < peak < 2 * replicas * (part + 30 * MEGABYTE)


def test_what_processes_share_is_counted_once(platform: LocalPlatform) -> None:
    source = f"""
x = bytearray({LARGE})
for _ in range(4):
    if os.fork() == 0:
        tell('begun', 1); time.sleep(600)
"""
    launcher, spec = platform.launcher(), platform.spec(source + HELD)
    launcher.launch(spec)
    wait_until(lambda: len(lines(platform.folder, "begun")) == 5, 30)
    assert phase(launcher, spec.ref) is AttemptPhase.RUNNING
    (platform.folder / "go").touch()
    peak = end_of(launcher, spec.ref).memory.peak_bytes
    assert peak is not None
    assert LARGE < peak < 1.3 * LARGE


def test_of_a_trial_too_short_and_small_to_be_seen_nothing_is_claimed(platform: LocalPlatform) -> None:
    launcher, spec = platform.launcher(), platform.spec("")
    launcher.launch(spec)
    wait_until(lambda: (platform.attempt_dir(spec.ref) / "status").exists(), 30)
    used = end_of(launcher, spec.ref).memory
    assert used.peak_bytes is None
    assert used.oom_kills == 0
    assert used.total_bytes is not None


@pytest.fixture
def tight() -> Iterator[Path]:
    """A control group with little memory."""
    top = Path("/sys/fs/cgroup/memory")
    group = top / f"vernier-test-{uuid.uuid4().hex}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(64 * MEGABYTE))
    except OSError:
        pytest.skip("needs to make a control group (of the first version)")
    yield group
    wait_until(lambda: not (group / "cgroup.procs").read_text(), 30)
    group.rmdir()


def test_a_kill_for_want_of_memory_is_counted(platform: LocalPlatform, tight: Path) -> None:
    launcher = platform.launcher()
    spec = platform.spec(f"open('{tight}/cgroup.procs', 'w').write(str(os.getpid()))\nx = bytearray({LARGE})")
    launcher.launch(spec)
    status = end_of(launcher, spec.ref)
    assert status.exit_code == -9
    assert status.memory.oom_kills >= 1


class TestCounting:
    def test_kills_are_counted_from_the_start_of_the_attempt(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        counter = tmp_path / "memory.events"
        counter.write_text("low 0\noom 9\noom_kill 3\noom_group_kill 0\n")
        monkeypatch.setattr(memory, "_counter", lambda: counter)
        watch = MemoryWatch()
        watch.begin(tmp_path / "attempt")
        assert memory_use(tmp_path / "attempt").oom_kills == 0
        counter.write_text("low 0\noom 9\noom_kill 5\noom_group_kill 0\n")
        watch.begin(tmp_path / "attempt")
        assert memory_use(tmp_path / "attempt").oom_kills == 2

    def test_a_counter_that_began_anew_tells_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        counter = tmp_path / "vmstat"
        counter.write_text("oom_kill 3\n")
        monkeypatch.setattr(memory, "_counter", lambda: counter)
        MemoryWatch().begin(tmp_path / "attempt")
        counter.write_text("oom_kill 1\n")
        assert memory_use(tmp_path / "attempt").oom_kills == 0
        counter.unlink()
        assert memory_use(tmp_path / "attempt").oom_kills == 0

    def test_of_an_attempt_that_nobody_watched_nothing_is_known(self, tmp_path: Path) -> None:
        used = memory_use(tmp_path)
        assert (used.peak_bytes, used.oom_kills) == (None, 0)

    def test_the_machine_is_looked_at_the_less_often_the_longer_that_takes(self, tmp_path: Path) -> None:
        times = iter([0.0, 0.4, 19.0, 21.0, 21.4])
        (tmp_path / "7").mkdir()
        (tmp_path / "7" / "stat").write_text("7 (a b) c) S 1 7 7 0 -1")
        (tmp_path / "7" / "status").write_text("Name:\ta\nVmHWM:\t  10 kB\nVmRSS:\t   9 kB\n")
        watch = MemoryWatch(tmp_path, lambda: next(times))
        watch.look(tmp_path, [7])
        assert memory_use(tmp_path).peak_bytes == 10 * 1024
        (tmp_path / "7" / "status").write_text("Name:\ta\nVmHWM:\t  20 kB\nVmRSS:\t   9 kB\n")
        watch.look(tmp_path, [7])
        assert memory_use(tmp_path).peak_bytes == 10 * 1024
        watch.look(tmp_path, [7])
        assert memory_use(tmp_path).peak_bytes == 20 * 1024

    def test_what_can_not_be_kept_does_not_keep_an_attempt_from_being_looked_at(self, tmp_path: Path) -> None:
        (tmp_path / "peak").mkdir()
        MemoryWatch().ended(tmp_path, 2**50)
        assert memory_use(tmp_path).peak_bytes is None
