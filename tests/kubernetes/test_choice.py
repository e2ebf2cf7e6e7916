"""A cluster is used by who asks for it, and what can't be used is refused in words."""

from pathlib import Path

import pytest

from cli.data_folder import CannotServe
from cli.launchers import make_launcher
from settings import Settings

DEAD = """
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:9"}}]
users: [{name: u, user: {token: secret}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
"""


@pytest.mark.parametrize(
    ("kubeconfig", "claim", "host_path", "why"),
    [
        (DEAD, None, None, "the Kubernetes API does not answer"),
        (DEAD, "x", Path("/x"), "VERNIER_KUBERNETES_HOST_PATH may say, not both"),
        (None, "x", None, "no cluster is configured"),
        ("a: [", "x", None, "the kubeconfig can't be read"),
        (DEAD, "x", None, "the Kubernetes API does not answer"),
    ],
    ids=["no volume", "two volumes", "no kubeconfig", "a broken kubeconfig", "nobody there"],
)
def test_a_cluster_that_can_not_be_used_is_refused_with_a_reason(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kubeconfig: str | None,
    claim: str | None,
    host_path: Path | None,
    why: str,
) -> None:
    file = tmp_path / "kubeconfig"
    if kubeconfig is not None:
        file.write_text(kubeconfig)
    monkeypatch.setenv("KUBECONFIG", str(file))
    settings = Settings(
        data_dir=tmp_path, launcher="kubernetes", kubernetes_claim=claim, kubernetes_host_path=host_path
    )
    with pytest.raises(CannotServe) as refused:
        make_launcher(settings, lambda job: None)
    assert why in str(refused.value)
    assert "secret" not in str(refused.value)
