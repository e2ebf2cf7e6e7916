"""Packages installed by pods of a real node, which run what was installed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubernetes.images import RUNTIME, runtime
from tests.kubernetes.node import Cluster
from tests.kubernetes.platform import KubernetesPlatform, kubernetes_platform
from tests.running_service import wait_until
from tests.worker.preparation_contract import JOB, PreparationContract, prepared
from tests.worker.trainer_archives import source_archive
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.api import JOBS
from worker.launchers.protocol import PackagesSpec, PreparationPhase, Runtime


@pytest.fixture
def platform(cluster: Cluster, tmp_path: Path) -> Iterator[KubernetesPlatform]:
    cluster.add_image(runtime())
    with kubernetes_platform(cluster, tmp_path) as platform:
        platform.image, platform.memory = RUNTIME, "256Mi"
        yield platform


class TestContract(PreparationContract):
    """See there."""


def test_an_image_that_can_not_be_had_is_told_and_fails_the_packages(
    platform: KubernetesPlatform, tmp_path: Path
) -> None:
    platform.image = "localhost/nowhere:1"
    package = source_archive(tmp_path, "trainer", "")
    launcher = platform.launcher()
    spec = PackagesSpec(JOB, (str(package),))
    words = "localhost/nowhere:1 of the replica master 0 can't be had"
    wait_until(lambda: words in launcher.prepare(spec).message, 30)
    preparation = prepared(platform.launcher(patience_seconds=0), package)
    assert preparation.phase is PreparationPhase.FAILED
    assert words in preparation.message
    assert platform.api.get(JOBS, names.preparation_name(platform.owner, JOB)) is None


def test_packages_of_a_runtime_without_an_image_are_refused_before_anything_starts(
    platform: KubernetesPlatform, tmp_path: Path
) -> None:
    platform.image = None
    package = source_archive(tmp_path, "trainer", "")
    preparation = platform.launcher().prepare(PackagesSpec(JOB, (str(package),), Runtime("1.15", "3.7")))
    assert preparation.phase is PreparationPhase.FAILED
    assert "there is none for runtimeVersion 1.15" in preparation.message
    assert platform.jobs() == []
