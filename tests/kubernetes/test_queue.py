"""Jobs that wait in a queue of Kueue, whose part the test plays: it resumes them, or does not."""

import pytest

from tests.kubernetes.platform import KubernetesPlatform
from tests.running_service import wait_until
from tests.worker.launcher_contract import GRACE, end_of, lines, stopped
from worker.launchers.kubernetes.api import JOBS
from worker.launchers.protocol import AttemptPhase, AttemptStatus


@pytest.fixture
def queued(platform: KubernetesPlatform) -> KubernetesPlatform:
    platform.queue = "gpus"
    return platform


def _resume(platform: KubernetesPlatform) -> None:
    (job,) = platform.jobs()
    assert platform.api.change(JOBS, job["metadata"]["name"], {"spec": {"suspend": False}})


def test_it_waits_says_so_and_runs_when_it_is_let_in(queued: KubernetesPlatform) -> None:
    spec = queued.spec("tell('ran')")
    launcher = queued.launcher()
    launcher.launch(spec)
    status = launcher.observe([spec.ref])[spec.ref]
    assert status.phase is AttemptPhase.RUNNING
    assert status.waiting == "The replica master 0 waits until its queue gpus lets it in."
    assert queued.pods() == []
    _resume(queued)
    assert end_of(launcher, spec.ref).exit_code == 0
    assert lines(queued.folder, "ran") == [""]


def test_what_was_stopped_in_the_queue_never_runs_though_it_is_let_in(queued: KubernetesPlatform) -> None:
    spec = queued.spec("tell('ran')")
    launcher = queued.launcher()
    launcher.launch(spec)
    launcher.stop(spec.ref, GRACE)
    _resume(queued)
    assert stopped(queued.launcher(), spec.ref, GRACE) == AttemptStatus(AttemptPhase.LOST, told_to_stop=True)
    wait_until(lambda: queued.jobs() == [], 30)
    assert lines(queued.folder, "ran") == []
