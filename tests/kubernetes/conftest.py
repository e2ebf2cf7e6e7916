"""One control plane for all tests that need no node; they keep to namespaces of their own."""

from collections.abc import Iterator

import pytest

from tests.kubernetes.cluster import ControlPlane


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    with ControlPlane() as control_plane:
        yield control_plane
