"""A trial that prints or writes without end is stopped, and hurts only itself."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.running_service import wait_until
from tests.worker.launcher_contract import AS_A_REPLICA, CLUSTER, HELD, end_of, is_running, lines, phase
from tests.worker.local_platform import LocalPlatform, local_platform
from worker.cluster import PRIMARY, Replica
from worker.launchers import limits
from worker.launchers.limits import Limits, LimitWatch, size_of
from worker.launchers.protocol import AttemptPhase, Limit, Stream
from worker.launchers.replica_groups import ReplicaGroups
from worker.resources import Share

ENDLESS = "tell('pids', os.getpid())\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
SMALL = Limits(output=100_000, disk=1_000_000)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[LocalPlatform]:
    with local_platform(tmp_path) as platform:
        yield platform


@pytest.mark.parametrize("stream", Stream)
def test_who_prints_without_end_is_killed_and_told_why(platform: LocalPlatform, stream: Stream) -> None:
    launcher = platform.launcher(limits=SMALL)
    spec = platform.spec(ENDLESS + f"while True: print('x' * 99, file=sys.{stream})")
    launcher.launch(spec)
    status = end_of(launcher, spec.ref)
    assert status.exceeded is not None
    assert (
        "The replica master 0 printed more than 100000 bytes (VERNIER_MAX_OUTPUT_BYTES)"
        in status.exceeded.sentence
    )
    assert status.exceeded.limit is Limit.OUTPUT
    assert (status.phase, status.told_to_stop) == (AttemptPhase.ENDED, False)
    assert not any(is_running(int(pid)) for pid in lines(platform.folder, "pids"))
    assert end_of(platform.launcher(limits=SMALL), spec.ref) == status, "and it stays so"


def test_no_more_is_kept_of_what_it_printed(platform: LocalPlatform) -> None:
    launcher, spec = platform.launcher(limits=SMALL), platform.spec("print('x' * 500_000)")
    launcher.launch(spec)
    end_of(launcher, spec.ref)
    assert len(launcher.read_output(spec.ref, Stream.OUT, 0, 10**6)) == 100_000
    assert len(launcher.read_output(spec.ref, Stream.OUT, 99_990, 10**6)) == 10
    assert launcher.read_output(spec.ref, Stream.OUT, 200_000, 10**6) == b""


def test_one_replica_beyond_ends_the_attempt(platform: LocalPlatform) -> None:
    launcher = platform.launcher(limits=SMALL)
    source = "tell('pids', os.getpid())\nwhile me == 'worker 1': print('x' * 99)\nsignal.pause()\n"
    spec = platform.spec(AS_A_REPLICA + source, cluster=CLUSTER)
    launcher.launch(spec)
    status = end_of(launcher, spec.ref)
    assert status.exceeded is not None
    assert status.exceeded.sentence.startswith("The replica worker 1 printed more")
    assert not any(is_running(int(pid)) for pid in lines(platform.folder, "pids"))


@pytest.mark.parametrize("where", ["'.'", "sys.argv[1]"], ids=["the working directory", "the job dir"])
def test_who_writes_without_end_is_killed_and_told_why(
    platform: LocalPlatform, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DISK_SECONDS", 0.0)
    launcher, job_dir = platform.launcher(limits=SMALL), platform.folder / "out"
    source = (
        f"out = open(os.path.join({where}, 'big'), 'wb')\nwhile True: out.write(b'x' * 999); time.sleep(1e-4)"
    )
    spec = platform.spec(ENDLESS + source, str(job_dir), job_dir=job_dir)
    launcher.launch(spec)
    status = end_of(launcher, spec.ref)
    assert status.exceeded is not None
    assert status.exceeded.limit is Limit.DISK
    assert "wrote more than 1000000 bytes" in status.exceeded.sentence
    assert "VERNIER_MAX_DISK_BYTES" in status.exceeded.sentence


def test_what_was_in_the_job_dir_before_does_not_count(
    platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DISK_SECONDS", 0.0)
    job_dir = platform.folder / "out"
    job_dir.mkdir()
    (job_dir / "earlier").write_bytes(b"x" * 2_000_000)
    launcher, spec = platform.launcher(limits=SMALL), platform.spec(HELD, job_dir=job_dir)
    launcher.launch(spec)
    wait_until(lambda: lines(platform.folder, "begun"), 30)
    for again in (launcher, platform.launcher(limits=SMALL)):
        again.launch(spec)
        assert phase(again, spec.ref) is AttemptPhase.RUNNING
    (platform.folder / "go").touch()
    assert end_of(launcher, spec.ref).exit_code == 0


@pytest.mark.parametrize("replicas", [CLUSTER.replicas, (PRIMARY,)], ids=["one of several", "alone"])
def test_who_holds_more_memory_than_it_asked_for_is_killed_and_told_why(
    platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch, replicas: tuple[Replica, ...]
) -> None:
    monkeypatch.setattr(limits, "MEMORY_SECONDS", 0.0)
    launcher = platform.launcher()
    share = Share(1, memory=100 * len(replicas))
    source = "tell('pids', os.getpid())\nheld = bytearray(b'x' * (200 * 2**20))\nsignal.pause()"
    spec = replace(platform.spec(source, cluster=replace(CLUSTER, replicas=replicas)), share=share)
    launcher.launch(spec)
    status = end_of(launcher, spec.ref)
    assert status.exceeded is not None
    assert status.exceeded.limit is Limit.MEMORY
    assert "held more than the 100 MB of memory that its job asks for" in status.exceeded.sentence
    assert "vernier-memory-mb" in status.exceeded.sentence
    assert not any(is_running(int(pid)) for pid in lines(platform.folder, "pids"))


def test_pages_of_files_are_not_held_and_strays_are_counted(
    platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MEMORY_SECONDS", 0.0)
    launcher = platform.launcher()
    source = """
import mmap, subprocess
with open('pages', 'wb') as file:
    file.write(bytes(150 * 2**20))
pages = mmap.mmap(os.open('pages', os.O_RDONLY), 0, prot=mmap.PROT_READ)
sum(pages[at] for at in range(0, len(pages), 4096))
tell('mapped', 'all')
held = "held = bytearray(b'x' * (150 * 2**20)); import time; time.sleep(600)"
while not os.path.exists('greedy'): time.sleep(0.01)
subprocess.Popen([sys.executable, '-c', held], start_new_session=True)
signal.pause()
"""
    spec = replace(platform.spec(source), share=Share(1, memory=100))
    launcher.launch(spec)
    wait_until(lambda: lines(platform.folder, "mapped"), 30)
    for _ in range(3):
        assert phase(launcher, spec.ref) is AttemptPhase.RUNNING
    (platform.attempt_dir(spec.ref) / "work" / "greedy").touch()
    status = end_of(platform.launcher(), spec.ref)
    assert status.exceeded is not None, "by a launcher that has not started it"


def test_who_ended_before_it_was_found_out_has_ended_well(platform: LocalPlatform) -> None:
    launcher, spec = platform.launcher(limits=SMALL), platform.spec("print('x' * 500_000)")
    launcher.launch(spec)
    status = platform.attempt_dir(spec.ref) / "status"
    wait_until(lambda: status.exists() and status.read_text().endswith("\n"), 30)
    assert end_of(launcher, spec.ref).exit_code == 0


class TestSizes:
    def test_a_directory_is_counted_with_all_below_and_without_what_links_lead_to(
        self, tmp_path: Path
    ) -> None:
        (tmp_path / "mine" / "deep").mkdir(parents=True)
        (tmp_path / "mine" / "deep" / "file").write_bytes(b"x" * 100_000)
        mine = size_of([tmp_path / "mine"])
        assert 100_000 <= mine < 150_000
        (tmp_path / "large").write_bytes(b"x" * 1_000_000)
        (tmp_path / "mine" / "link").symlink_to(tmp_path / "large")
        (tmp_path / "mine" / "round").symlink_to(tmp_path / "mine")
        assert size_of([tmp_path / "mine"]) - mine < 10_000

    def test_a_file_with_holes_counts_for_what_it_takes(self, tmp_path: Path) -> None:
        with (tmp_path / "holes").open("wb") as file:
            file.truncate(10**12)
        assert size_of([tmp_path]) < 10_000

    def test_a_directory_of_very_many_files_is_not_looked_at_whole(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(20):
            (tmp_path / str(number)).write_bytes(b"x" * 4096)
        monkeypatch.setattr(limits, "ENTRIES", 11)
        assert size_of([tmp_path]) == 10 * 4096

    def test_what_is_not_there_takes_nothing(self, tmp_path: Path) -> None:
        assert size_of([tmp_path / "nowhere"]) == 0

    def test_the_disk_is_looked_at_now_and_then_and_for_each_attempt(self, tmp_path: Path) -> None:
        now = 1000.0
        watch = LimitWatch(Limits(disk=1), lambda: now)
        attempts = [ReplicaGroups(tmp_path / name) for name in ("a", "b")]
        for attempt in attempts:
            attempt.place(PRIMARY).mkdir()
            (attempt.directory / "file").write_bytes(b"x" * 4096)
        assert all(watch.exceeded(attempt) for attempt in attempts)
        assert not any(watch.exceeded(attempt) for attempt in attempts)
        now += 10.0
        assert all(watch.exceeded(attempt) for attempt in attempts)
