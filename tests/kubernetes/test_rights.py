"""The rights that the documentation names are those that the launcher needs, on a real API server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.kubernetes.cluster import ControlPlane
from tests.running_service import wait_until
from worker.cluster import PRIMARY, Cluster, Replica, Role
from worker.launchers.kubernetes import names
from worker.launchers.kubernetes.api import EVENTS, PODS, ApiServer, Refused
from worker.launchers.kubernetes.launcher import KubernetesLauncher
from worker.launchers.kubernetes.pods import PodSettings, Volume
from worker.launchers.protocol import AttemptPhase, AttemptRef, AttemptSpec, JobRef, Stream
from worker.resources import Machine

MANIFEST = Path(__file__).parents[2] / "docs" / "how-to" / "kubernetes-role.yaml"
PLACES = {
    "ServiceAccount": "/api/v1/namespaces/rights/serviceaccounts",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/rights/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/rights/rolebindings",
}
SECRETS = "/api/v1/namespaces/{}/secrets"


@pytest.fixture(scope="module")
def kubeconfig(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an account that has the rights in the manifest, in a namespace of its own, and no others."""
    with control_plane.client() as http:
        assert http.post("/api/v1/namespaces", json={"metadata": {"name": "rights"}}).status_code == 201
        for made in yaml.safe_load_all(MANIFEST.read_text()):
            answer = http.post(PLACES[made["kind"]], json=made)
            assert answer.status_code == 201, answer.text
        answer = http.post(f"{PLACES['ServiceAccount']}/vernier/token", json={"spec": {}})
        assert answer.status_code == 201, answer.text
    config = yaml.safe_load(control_plane.kubeconfig("admin").read_text())
    config["users"][0]["user"] = {"token": answer.json()["status"]["token"]}
    config["contexts"][0]["context"]["namespace"] = "rights"
    file = tmp_path_factory.mktemp("rights") / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return file


@pytest.fixture
def launcher(kubeconfig: Path, tmp_path: Path) -> Iterator[KubernetesLauncher]:
    pods = PodSettings("none", Volume(tmp_path, host_path=tmp_path))
    launcher = KubernetesLauncher(ApiServer(kubeconfig), "rights", pods, tmp_path / "jobs", Machine(4))
    yield launcher
    launcher.close()


def test_the_rights_are_enough_for_all_that_a_launcher_does(
    launcher: KubernetesLauncher, kubeconfig: Path
) -> None:
    replicas = Cluster((PRIMARY, Replica(Role.WORKER, 0)))
    ref = AttemptRef(JobRef("p", "j"), 1, 1)
    api = ApiServer(kubeconfig)
    try:
        launcher.launch(AttemptSpec(ref, "m", (), {}, None, False, replicas))
        wait_until(lambda: api.list(PODS, f"{names.OWNER}=rights")["items"], 20)
        assert launcher.observe([ref])[ref].phase is AttemptPhase.RUNNING
        assert launcher.read_output(ref, Stream.OUT, 0, 10) == b""
        assert launcher.last_lines(ref, 10) == ""
        api.list(EVENTS, fields="type=Warning,reason=FailedCreate")
        assert [each.ref for each in launcher.marked()] == [ref]

        def is_over() -> bool:
            launcher.stop(ref, 0.0)
            return launcher.observe([ref])[ref].phase is AttemptPhase.LOST

        wait_until(is_over, 30)
        launcher.stop(AttemptRef(JobRef("p", "j"), 2, 1), 0.0)
        launcher.remove(launcher.marked())
        wait_until(lambda: launcher.marked() == [], 20)
    finally:
        api.close()


def test_the_rights_end_there(kubeconfig: Path) -> None:
    api = ApiServer(kubeconfig)
    elsewhere = ApiServer(kubeconfig, "default")
    try:
        for where, asked in ((SECRETS, api), (PODS, elsewhere)):
            with pytest.raises(Refused) as refused:
                asked.list(where)
            assert refused.value.status == 403
    finally:
        api.close()
        elsewhere.close()
