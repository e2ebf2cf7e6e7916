"""One control plane for all tests that need no node, one node for the others; they keep apart by names."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubernetes.cluster import ControlPlane
from tests.kubernetes.leftovers import left_of
from tests.kubernetes.node import SPACE, Cluster
from tests.kubernetes.platform import KubernetesPlatform, kubernetes_platform


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    with ControlPlane() as control_plane:
        yield control_plane


_TO_BE_KILLED = """
import time
from tests.kubernetes.node import Cluster
with Cluster() as cluster:
    print(cluster.home, flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="session")
def killed_node() -> Path:
    """The folder of a node whose tests were killed as soon as it was ready."""
    with subprocess.Popen(
        [sys.executable, "-c", _TO_BE_KILLED], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            return Path(process.stdout.readline().strip())
        finally:
            process.send_signal(signal.SIGKILL)


@pytest.fixture(scope="session")
def cluster(killed_node: Path) -> Iterator[Cluster]:
    """A real node, of which nothing is left afterwards."""
    with Cluster() as cluster:
        yield cluster
    assert left_of(cluster.home) == []
    assert SPACE not in subprocess.run(["ip", "netns"], capture_output=True, text=True).stdout


@pytest.fixture
def platform(cluster: Cluster, tmp_path: Path) -> Iterator[KubernetesPlatform]:
    with kubernetes_platform(cluster, tmp_path) as platform:
        yield platform
