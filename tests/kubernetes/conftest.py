"""One control plane for all tests that need no node, one node for the others; they keep apart by names."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubernetes.cluster import ControlPlane
from tests.kubernetes.node import Cluster
from tests.kubernetes.platform import KubernetesPlatform, kubernetes_platform


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    with ControlPlane() as control_plane:
        yield control_plane


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A real node, of which nothing is left afterwards."""
    with Cluster() as cluster:
        yield cluster
    assert not cluster.home.exists()
    assert str(cluster.home) not in Path("/proc/mounts").read_text()
    spaces = subprocess.run(["ip", "netns"], capture_output=True, text=True).stdout
    assert cluster.home.name.rpartition("-")[2] not in spaces


@pytest.fixture
def platform(cluster: Cluster, tmp_path: Path) -> Iterator[KubernetesPlatform]:
    with kubernetes_platform(cluster, tmp_path) as platform:
        yield platform
