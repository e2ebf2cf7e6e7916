"""What bears our mark is found with all that belongs to it, and removed; what is another's is not."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kubernetes.cluster import ControlPlane
from tests.running_service import wait_until
from worker.cluster import PRIMARY, Cluster, Replica, Role
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.api import JOBS, SERVICES, ApiServer
from worker.launchers.kubernetes.objects import objects_of, sealed
from worker.launchers.kubernetes.pods import PodSettings, Volume
from worker.launchers.kubernetes.unowned import MarkedObjects
from worker.launchers.protocol import AttemptRef, AttemptSpec, JobRef

OWNER, OTHER = "unowned-mine", "unowned-others"
REFS = [AttemptRef(JobRef("p", "My_Job"), trial, 1) for trial in (1, 2)]
CLUSTER = Cluster((PRIMARY, Replica(Role.WORKER, 0)))


@pytest.fixture
def api(control_plane: ControlPlane) -> Iterator[ApiServer]:
    api = ApiServer(control_plane.kubeconfig("admin"))
    yield api
    for owner in (OWNER, OTHER):
        everything = MarkedObjects(api, owner)
        everything.remove(everything.find(time.time()))
    api.close()


def _launch(api: ApiServer, ref: AttemptRef, owner: str) -> None:
    settings = PodSettings("i", Volume(Path("/data"), claim="vernier"))
    directories = {each: {"/work": Path("/data") / each.name} for each in CLUSTER.replicas}
    spec = AttemptSpec(ref, "m", (), {}, None, False, CLUSTER)
    for made in objects_of(spec, owner, "default", settings, {}, directories):
        api.create({**made, "spec": made["spec"] | ({"suspend": True} if made["kind"] == "Job" else {})})


def _count(api: ApiServer, owner: str) -> int:
    return sum(len(api.list(where, f"{names.OWNER}={owner}")["items"]) for where in (JOBS, SERVICES))


def test_an_attempt_is_one_with_all_that_it_has_and_goes_as_one(api: ApiServer) -> None:
    for owner in (OWNER, OTHER):
        for ref in REFS:
            _launch(api, ref, owner)
    third = replace(REFS[0], trial=3)
    assert api.create(sealed(third, PRIMARY, OWNER))
    mine = MarkedObjects(api, OWNER)
    found = {each.ref: each for each in mine.find(time.time() + 100)}
    assert set(found) == {*REFS, third}
    assert [found[ref].is_sealed for ref in (*REFS, third)] == [False, False, True]
    assert all(90 < each.age_seconds < 160 for each in found.values())
    mine.remove([found[REFS[0]]])
    wait_until(lambda: {each.ref for each in mine.find(time.time())} == {REFS[1], third}, 10)
    assert _count(api, OTHER) == 2 * 3
