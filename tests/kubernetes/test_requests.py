"""What is asked of the API server for a trial: little, yet nothing is believed that may not be so.

The control plane is real, its nodes are played.
"""

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kubernetes.cluster import ControlPlane
from tests.kubernetes.platform import KubernetesPlatform, kubernetes_platform
from tests.kubernetes.simulated_nodes import Run, SimulatedNodes, arguments_of
from tests.running_service import wait_until
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.api import ApiServer, Json, Refused
from worker.launchers.kubernetes.launcher import KubernetesLauncher
from worker.launchers.protocol import AttemptPhase, AttemptSpec, AttemptStatus, JobRef, Stream

ENDS, FAILS, STAYS, WAITS = "ends", "fails", "stays", "waits"
RUNNING = AttemptStatus(AttemptPhase.RUNNING)


def _program(pod: Json) -> Run:
    told = arguments_of(pod)
    seconds = 0.3 if ENDS in told or FAILS in told else math.inf
    return Run(seconds, 3 if FAILS in told else 0, printed="a line\n")


@pytest.fixture(scope="module")
def nodes(control_plane: ControlPlane) -> Iterator[SimulatedNodes]:
    with SimulatedNodes(control_plane, _program) as nodes:
        nodes.add("requested")
        yield nodes
        with control_plane.client() as http:
            http.delete("/api/v1/nodes/requested")


@pytest.fixture
def platform(
    control_plane: ControlPlane, nodes: SimulatedNodes, tmp_path: Path
) -> Iterator[KubernetesPlatform]:
    with kubernetes_platform(control_plane, tmp_path) as platform:
        yield platform


class Asked:
    """What launchers have asked for, watches apart."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.requests: list[str] = []
        whole = ApiServer._open

        def noted(api: ApiServer, method: str, path: str, query: Any = None, *rest: Any, **more: Any) -> Any:
            if "watch" not in (query or {}):
                self.requests.append(f"{method} {path.rpartition('/')[2] if path.endswith('log') else path}")
            return whole(api, method, path, query, *rest, **more)

        monkeypatch.setattr(ApiServer, "_open", noted)

    def take(self) -> list[str]:
        """Those since the last time."""
        taken, self.requests = self.requests, []
        return [each.partition(" ")[0] + (" log" if each.endswith("log") else "") for each in taken]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


def started(platform: KubernetesPlatform, launcher: KubernetesLauncher, spec: AttemptSpec) -> None:
    launcher.launch(spec)
    wait_until(lambda: [each for each in platform.pods() if each["status"]["phase"] == "Running"], 30)
    wait_until(lambda: launcher._ends.cache.is_current, 10)
    wait_until(lambda: launcher.observe([spec.ref]) == {spec.ref: RUNNING}, 10)


def end_of(launcher: KubernetesLauncher, spec: AttemptSpec) -> AttemptStatus:
    def look() -> AttemptStatus | None:
        status = launcher.observe([spec.ref])[spec.ref]
        return None if status.phase is AttemptPhase.RUNNING else status

    found = wait_until(look, 60)
    assert found is not None
    return found


def test_a_trial_that_succeeds_costs_three_requests(platform: KubernetesPlatform, asked: Asked) -> None:
    launcher = platform.launcher()
    warm = platform.spec("", ENDS, trial=1)
    launcher.launch(warm)
    end_of(launcher, warm)
    spec = platform.spec("", ENDS, trial=2)
    asked.take()
    launcher.launch(spec)
    assert asked.take() == ["POST"]
    digest = names.attempt_digest(platform.owner, spec.ref)

    def has_ended() -> bool:
        known = launcher._ends.cache.known(digest)
        return known is not None and [each["status"].get("phase") for each in known.pods] == ["Succeeded"]

    wait_until(has_ended, 30)
    asked.take()
    assert launcher.observe([spec.ref])[spec.ref] == AttemptStatus(AttemptPhase.ENDED, 0)
    assert asked.take() == ["GET log", "PATCH"]
    assert launcher.read_output(spec.ref, Stream.OUT, 0, 100) == b"a line\n"


def test_what_goes_on_is_known_without_asking(platform: KubernetesPlatform, asked: Asked) -> None:
    spec = platform.spec("", STAYS)
    launcher = platform.launcher()
    started(platform, launcher, spec)

    def quiet() -> bool:
        asked.take()
        return launcher.observe([spec.ref]) == {spec.ref: RUNNING} and asked.take() == []

    wait_until(quiet, 10)
    for _ in range(100):
        assert launcher.observe([spec.ref]) == {spec.ref: RUNNING}
    assert asked.take() == []


def test_what_is_ending_is_told_so_once(
    platform: KubernetesPlatform, nodes: SimulatedNodes, asked: Asked
) -> None:
    spec = platform.spec("", STAYS)
    launcher = platform.launcher()
    started(platform, launcher, spec)
    nodes.lose("requested")  # So that it takes its time.
    try:
        launcher.stop(spec.ref, 1.0)

        def silent() -> bool:
            asked.take()
            launcher.stop(spec.ref, 1.0)
            return asked.take() == []

        wait_until(silent, 10)
        assert launcher.observe([spec.ref]) == {spec.ref: RUNNING}
    finally:
        nodes.bring_back("requested")
    assert end_of(launcher, spec).phase is AttemptPhase.LOST, "which a node that was away can't tell better"


def test_what_has_just_been_launched_is_not_taken_for_lost(platform: KubernetesPlatform) -> None:
    launcher = platform.launcher()
    for trial in range(1, 21):
        spec = platform.spec("", WAITS, trial=trial)
        launcher.launch(spec)
        assert launcher.observe([spec.ref])[spec.ref].phase is AttemptPhase.RUNNING


def test_what_vanishes_is_lost_and_what_fails_has_its_status(platform: KubernetesPlatform) -> None:
    launcher = platform.launcher()
    vanishes, fails = platform.spec("", STAYS, trial=1), platform.spec("", FAILS, trial=2)
    started(platform, launcher, vanishes)
    platform.wipe_out(vanishes.ref)
    assert end_of(launcher, vanishes) == AttemptStatus(AttemptPhase.LOST)
    launcher.launch(fails)
    assert end_of(launcher, fails).exit_code == 3


def test_ends_are_told_within_a_second(platform: KubernetesPlatform, nodes: SimulatedNodes) -> None:
    told: list[float] = []

    def ended(job: JobRef) -> None:
        told.append(time.monotonic())

    launcher = platform.launcher(ended)
    spec = platform.spec("", STAYS)
    started(platform, launcher, spec)
    assert told == []
    nodes.finish(platform.pods()[0]["metadata"]["name"])
    at = time.monotonic()
    wait_until(lambda: told, 10)
    assert told[0] - at < 1.0
    assert end_of(launcher, spec) == AttemptStatus(AttemptPhase.ENDED, 0)


def test_without_a_watch_polling_finds_the_same(
    platform: KubernetesPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> Iterator[Json]:
        raise Refused(403, "jobs is forbidden: may not watch")

    monkeypatch.setattr(ApiServer, "watch", refused)
    launcher = platform.launcher()
    stays, ends = platform.spec("", STAYS, trial=1), platform.spec("", ENDS, trial=2)
    for spec in (stays, ends):
        launcher.launch(spec)
    assert end_of(launcher, ends) == AttemptStatus(AttemptPhase.ENDED, 0)
    wait_until(lambda: launcher.observe([stays.ref]) == {stays.ref: RUNNING}, 20)
    platform.wipe_out(stays.ref)
    assert end_of(launcher, stays) == AttemptStatus(AttemptPhase.LOST)


def test_silent_trials_are_asked_for_output_more_and_more_rarely(
    platform: KubernetesPlatform, asked: Asked
) -> None:
    launcher = platform.launcher()
    spec = platform.spec("", STAYS)
    launcher.launch(spec)
    wait_until(lambda: platform.pods(), 30)
    started(platform, launcher, spec)
    asked.take()
    until = time.monotonic() + 3.0
    while time.monotonic() < until:
        launcher.read_output(spec.ref, Stream.OUT, 0, 100)
        time.sleep(0.01)
    # After 0.1, 0.2, 0.4, 0.8 and 1.6 seconds, not every tenth of one.
    assert 1 <= asked.take().count("GET log") <= 6


def test_the_same_job_is_found_by_both_ways(platform: KubernetesPlatform) -> None:
    launcher = platform.launcher()
    spec = platform.spec("", STAYS)
    started(platform, launcher, spec)
    known = launcher._finder.known(spec.ref)
    assert known is not None
    asked = launcher._finder.ask([spec.ref])[spec.ref]
    assert known[0].jobs.keys() == asked.jobs.keys()
    assert known[0].pods.keys() == asked.pods.keys()
    assert [len(found) for found in (known[0].pods, asked.pods)] == [1, 1]
