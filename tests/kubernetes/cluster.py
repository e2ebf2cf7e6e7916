"""A real control plane for tests, and a real node: processes of this machine, that go with who started them.

`ControlPlane` is etcd, API server, controller manager and scheduler, on loopback, for any user. Its nodes are
what a test makes of them. `Node` is kubelet and containerd besides, in a network namespace of their own, for
root only. Nothing in that namespace can reach past this machine.
"""

import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import yaml

from tests.kubernetes.programs import built, program
from tests.running_service import wait_until

SERVICES = "10.96.0.0/16"
USERS = {
    "admin": ("admin", "system:masters"),
    "controllers": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "node": ("system:node:node1", "system:nodes"),
    "proxy": ("system:kube-proxy", ""),
}
"""{name of a kubeconfig: user and group}"""
QUICK = ("--kube-api-qps=300", "--kube-api-burst=600")


class ControlPlane:
    """Ready when entered. `kubeconfig("admin")` may do everything.

    Args:
        flags: {one of its programs: more arguments for it}.
    """

    def __init__(self, flags: Mapping[str, Sequence[str]] | None = None) -> None:
        self._flags = flags or {}
        self.home = Path(tempfile.mkdtemp(prefix="vernier-kubernetes-"))
        self._programs = built()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._tokens = {name: secrets.token_hex(16) for name in USERS}
        self.host = "127.0.0.1"
        self._inside: Sequence[str] = ()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def kubeconfig(self, user: str) -> Path:
        """A file with which to talk to the API server as one of `USERS`."""
        return self.home / f"{user}.kubeconfig"

    @property
    def address(self) -> str:
        return f"https://{self.host}:{self.port}"

    @property
    def etcd(self) -> str:
        """Where its database answers."""
        return f"http://127.0.0.1:{self._etcd_port}"

    def client(self) -> httpx.Client:
        """Speaks to the API server as admin."""
        headers = {"Authorization": f"Bearer {self._tokens['admin']}"}
        trusted = str(self.home / "certs" / "apiserver.crt")
        return httpx.Client(
            base_url=self.address,
            headers=headers,
            verify=ssl.create_default_context(cafile=trusted),
            trust_env=False,
            timeout=30,
        )

    def start_api_server(self) -> None:
        """Start it (again), and wait until it is ready."""
        certs, keys = self.home / "certs", self.home / "keys"
        self._run(
            "kube-apiserver",
            f"--etcd-servers={self.etcd}",
            f"--secure-port={self.port}",
            f"--bind-address={self.host}",
            f"--advertise-address={self.host}",
            f"--cert-dir={certs}",
            f"--token-auth-file={keys / 'tokens.csv'}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            f"--service-cluster-ip-range={SERVICES}",
            "--allow-privileged=true",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={keys / 'accounts.pub'}",
            f"--service-account-signing-key-file={keys / 'accounts.key'}",
            "--kubelet-preferred-address-types=InternalIP",
            "--endpoint-reconciler-type=none" if self.host.startswith("127.") else "--v=0",
        )
        self._until("kube-apiserver", self._is_ready)

    def stop_api_server(self) -> None:
        """Take it away, as an upgrade of the cluster would."""
        self._end("kube-apiserver")

    def stop(self) -> None:
        """End all of it, and leave nothing."""
        self._end_all()
        shutil.rmtree(self.home, ignore_errors=True)

    def said(self, name: str) -> str:
        """What one of its processes has printed."""
        return (self.home / f"{name}.log").read_text(errors="replace")

    def _start(self) -> None:
        self.port, self._etcd_port, peers = _free_ports(3)
        self._make_keys()
        self._run(
            "etcd",
            f"--data-dir={self.home / 'etcd'}",
            "--unsafe-no-fsync",
            f"--listen-client-urls={self.etcd}",
            f"--advertise-client-urls={self.etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peers}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peers}",
            f"--initial-cluster=default=http://127.0.0.1:{peers}",
            where=program("etcd"),
        )
        self.start_api_server()
        keys = self.home / "keys"
        self._run(
            "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig('controllers')}",
            "--leader-elect=false",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={keys / 'accounts.key'}",
            f"--root-ca-file={self.home / 'certs' / 'apiserver.crt'}",
            "--secure-port=0",
            *QUICK,
        )
        self._run(
            "kube-scheduler",
            f"--kubeconfig={self.kubeconfig('scheduler')}",
            "--leader-elect=false",
            "--secure-port=0",
            *QUICK,
        )
        with self.client() as http:
            accounts = "/api/v1/namespaces/default/serviceaccounts/default"
            self._until("kube-controller-manager", lambda: http.get(accounts).status_code == 200)

    def _make_keys(self) -> None:
        keys = self.home / "keys"
        keys.mkdir(mode=0o700)
        private, public = keys / "accounts.key", keys / "accounts.pub"
        make = [
            "openssl",
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
            "-out",
            private,
        ]
        subprocess.run(make, check=True, capture_output=True)
        tell = ["openssl", "pkey", "-in", private, "-pubout", "-out", public]
        subprocess.run(tell, check=True, capture_output=True)
        rows = [f"{self._tokens[name]},{user},{name},{group}" for name, (user, group) in USERS.items()]
        (keys / "tokens.csv").write_text("\n".join(rows) + "\n")
        for name, token in self._tokens.items():
            server = {
                "server": self.address,
                "certificate-authority": str(self.home / "certs" / "apiserver.crt"),
            }
            config = {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "tests", "cluster": server}],
                "users": [{"name": name, "user": {"token": token}}],
                "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": name}}],
                "current-context": "tests",
            }
            self.kubeconfig(name).touch(mode=0o600)
            self.kubeconfig(name).write_text(yaml.safe_dump(config))

    def _run(self, name: str, *arguments: str, where: Path | None = None) -> None:
        with (self.home / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [*self._inside, where or self._programs / name, *arguments, *self._flags.get(name, ())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"},
            )

    def _until(self, name: str, found: Callable[[], object]) -> None:
        last: Exception | None = None

        def look() -> bool:
            nonlocal last
            assert self._processes[name].poll() is None, self.said(name)[-3000:]
            try:
                return bool(found())
            except (httpx.HTTPError, OSError) as error:
                last = error
                return False

        try:
            wait_until(look)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}; {last!r}; it said: {self.said(name)[-3000:]}") from error

    def _is_ready(self) -> bool:
        with self.client() as http:
            return http.get("/readyz").status_code == 200

    def _end_all(self) -> None:
        for name in reversed(list(self._processes)):
            self._end(name)

    def _end(self, name: str) -> None:
        process = self._processes.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
