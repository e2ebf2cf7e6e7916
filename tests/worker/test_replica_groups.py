"""Attempts of several replicas on this machine: all of them run, or none; what ends one ends them all."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.running_service import wait_until
from tests.worker.launcher_contract import (
    AS_A_REPLICA,
    CLUSTER,
    FIRST_WORKER,
    LONG,
    SECOND_WORKER,
    SERVER,
    end_of,
    is_running,
    lines,
    phase,
)
from tests.worker.local_platform import LocalPlatform, local_platform
from worker.cluster import PRIMARY, Replica
from worker.launchers.protocol import AttemptPhase, AttemptStatus, JobRef, LaunchFailed, ReplicaEnd
from worker.launchers.replica_groups import ReplicaGroups, outcome

CLUSTERED = AS_A_REPLICA + "tell('config', json.dumps([me, config['cluster']])); signal.pause()\n"


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[LocalPlatform]:
    with local_platform(tmp_path) as platform:
        yield platform


def test_a_launch_that_fails_half_way_is_undone_and_can_be_done_again(platform: LocalPlatform) -> None:
    launcher = platform.launcher()
    spec = platform.spec("tell('begun', os.getpid()); signal.pause()\n", cluster=CLUSTER)
    groups = ReplicaGroups(platform.attempt_dir(spec.ref))
    # The third replica's directory can't be made, with two started before it.
    in_the_way = groups.place(SECOND_WORKER) / "work"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.touch()
    with pytest.raises(LaunchFailed):
        launcher.launch(spec)
    assert phase(launcher, spec.ref) is AttemptPhase.ABSENT
    assert not any(is_running(int(pid)) for pid in lines(platform.folder, "begun"))
    (platform.folder / "begun").unlink(missing_ok=True)
    in_the_way.unlink()
    launcher.launch(spec)
    wait_until(lambda: len(lines(platform.folder, "begun")) == 5, 30)
    assert phase(launcher, spec.ref) is AttemptPhase.RUNNING


def test_a_service_that_is_killed_while_it_launches_leaves_nothing_running(platform: LocalPlatform) -> None:
    launcher, spec = platform.launcher(), platform.spec(CLUSTERED, cluster=CLUSTER)
    launcher.launch(spec)
    wait_until(lambda: len(lines(platform.folder, "config")) == 5, 30)
    groups = ReplicaGroups(platform.attempt_dir(spec.ref))
    # As it is found when the service was killed before the last replica was started.
    (platform.attempt_dir(spec.ref) / "replicas" / "started").unlink()
    leaders = [group.leader() for group in groups.groups().values()]
    assert phase(platform.launcher(), spec.ref) is AttemptPhase.ABSENT
    assert not any(is_running(leader) for leader in leaders)
    launcher.launch(spec)
    wait_until(lambda: len(lines(platform.folder, "config")) == 10, 30)


@pytest.mark.parametrize("cut_short", [False, True], ids=["never launched", "launched in part"])
def test_what_was_stopped_before_all_of_it_was_launched_is_not_launched_by_who_comes_late(
    platform: LocalPlatform, cut_short: bool
) -> None:
    """As a worker that meant to, and slept while another closed the attempt."""
    launcher, spec = platform.launcher(), platform.spec(CLUSTERED, cluster=CLUSTER)
    if cut_short:
        launcher.launch(spec)
        (platform.attempt_dir(spec.ref) / "replicas" / "started").unlink()
    launcher.stop(spec.ref, LONG)
    assert phase(launcher, spec.ref) is AttemptPhase.ABSENT
    platform.launcher().launch(spec)
    assert phase(launcher, spec.ref) is AttemptPhase.ABSENT
    groups = ReplicaGroups(platform.attempt_dir(spec.ref)).groups().values()
    assert not any(group.leader() for group in groups)


def test_where_replicas_listen_outlives_the_service(platform: LocalPlatform) -> None:
    launcher, spec = platform.launcher(), platform.spec(CLUSTERED, cluster=CLUSTER)
    launcher.launch(spec)
    platform.launcher().launch(spec)
    wait_until(lambda: len(lines(platform.folder, "config")) == 5, 30)
    told = [json.loads(line)[1] for line in lines(platform.folder, "config")]
    assert told == [told[0]] * 5
    kept = json.loads((platform.attempt_dir(spec.ref) / "replicas" / "addresses.json").read_text())
    assert [kept[f"worker-replica-{index}"] for index in (0, 1)] == told[0]["worker"]
    assert len(set(kept.values())) == 5


def test_the_end_of_any_replica_is_called_out(platform: LocalPlatform) -> None:
    called: list[JobRef] = []
    source = AS_A_REPLICA + "if me == 'worker 1': wait_for('go'); sys.exit(0)\nsignal.pause()\n"
    spec = platform.spec(source, cluster=CLUSTER)
    platform.launcher(called.append).launch(spec)
    wait_until(lambda: len(lines(platform.folder, "begun")) == 5, 30)
    assert called == []
    (platform.folder / "go").touch()
    wait_until(lambda: called, 30)


def test_one_replica_alone_has_the_address_of_old(platform: LocalPlatform) -> None:
    launcher, spec = platform.launcher(), platform.spec("tell('config', os.environ['TF_CONFIG'])")
    launcher.launch(spec)
    end_of(launcher, spec.ref)
    assert json.loads(lines(platform.folder, "config")[0])["cluster"] == {"chief": ["127.0.0.1:2222"]}


ENDED_WELL, ENDED_BADLY, RUNNING, LOST = (
    AttemptStatus(AttemptPhase.ENDED, 0),
    AttemptStatus(AttemptPhase.ENDED, 1),
    AttemptStatus(AttemptPhase.RUNNING),
    AttemptStatus(AttemptPhase.LOST),
)
STOPPED = AttemptStatus(AttemptPhase.ENDED, -15, told_to_stop=True)
ENDED_WELL_WHEN_TOLD = replace(ENDED_WELL, told_to_stop=True)


def _failed(*replicas: Replica) -> AttemptStatus:
    return replace(ENDED_BADLY, failed=tuple(ReplicaEnd(replica, 1) for replica in replicas))


@pytest.mark.parametrize(
    ("primary", "worker", "server", "expected"),
    [
        pytest.param(RUNNING, RUNNING, RUNNING, None, id="all run"),
        pytest.param(RUNNING, ENDED_WELL, RUNNING, None, id="a worker is done"),
        pytest.param(ENDED_WELL, RUNNING, RUNNING, ENDED_WELL, id="the primary is done"),
        pytest.param(ENDED_WELL, ENDED_BADLY, STOPPED, ENDED_WELL, id="what fails without it does not count"),
        pytest.param(ENDED_WELL, LOST, RUNNING, ENDED_WELL, id="nor does what vanishes"),
        pytest.param(ENDED_BADLY, RUNNING, RUNNING, _failed(PRIMARY), id="the primary fails"),
        pytest.param(RUNNING, ENDED_BADLY, RUNNING, _failed(FIRST_WORKER), id="a worker fails"),
        pytest.param(STOPPED, ENDED_BADLY, STOPPED, _failed(FIRST_WORKER), id="and the others are stopped"),
        pytest.param(
            ENDED_WELL_WHEN_TOLD, ENDED_BADLY, STOPPED, _failed(FIRST_WORKER), id="however they take it"
        ),
        pytest.param(
            ENDED_BADLY,
            ENDED_BADLY,
            STOPPED,
            _failed(PRIMARY, FIRST_WORKER),
            id="of two that fail both are told",
        ),
        pytest.param(RUNNING, LOST, RUNNING, replace(LOST, lost=FIRST_WORKER), id="a worker vanishes"),
        pytest.param(
            ENDED_BADLY, LOST, RUNNING, replace(LOST, lost=FIRST_WORKER), id="and the primary fails for it"
        ),
        pytest.param(LOST, LOST, LOST, LOST, id="the machine restarted"),
    ],
)
def test_what_an_attempt_has_come_to(
    primary: AttemptStatus, worker: AttemptStatus, server: AttemptStatus, expected: AttemptStatus | None
) -> None:
    assert outcome({PRIMARY: primary, FIRST_WORKER: worker, SERVER: server}, told=False) == expected


@pytest.mark.parametrize("worker", [RUNNING, STOPPED, ENDED_BADLY, LOST])
def test_what_was_told_to_stop_ends_as_its_primary_does_whatever_the_others_do(worker: AttemptStatus) -> None:
    assert outcome({PRIMARY: RUNNING, FIRST_WORKER: worker}, told=True) is None
    assert outcome({PRIMARY: ENDED_WELL, FIRST_WORKER: worker}, told=True) == ENDED_WELL_WHEN_TOLD
