"""A real node beside a real control plane: kubelet, containerd and runc, as root, in a network namespace."""

import fcntl
import json
import subprocess
from pathlib import Path

from tests.kubernetes.cluster import ControlPlane
from tests.kubernetes.images import PAUSE, images
from tests.kubernetes.leftovers import Leftovers
from tests.kubernetes.names_server import NamesServer
from tests.kubernetes.programs import PLUGINS, NoKubernetes, cache, need_root, program
from tests.running_service import wait_until

NAME = "node1"
NET = "10.231.0"
SPACE = LINK = "vernier-node"
DOMAIN = "cluster.local"
PODS = "10.244.0.0/24"
CHANGED_BY_KUBELET = (
    "vm.overcommit_memory",
    "vm.panic_on_oom",
    "kernel.panic",
    "kernel.panic_on_oops",
    "kernel.keys.root_maxkeys",
    "kernel.keys.root_maxbytes",
)
"""Settings of the whole machine, which are put back afterwards."""


class Cluster(ControlPlane):
    """A control plane with one real node, `node1`, Ready when entered.

    Pods reach a server on the machine at `machine`.

    Raises:
        NoKubernetes: not root, or a program is missing.
    """

    machine = f"{NET}.1"

    def __init__(self) -> None:
        need_root()
        for name in ("containerd", "ctr", "runc", "iptables", "conntrack", "ip", "nsenter"):
            program(name)
        if not (PLUGINS / "bridge").exists():
            raise NoKubernetes(
                f"the tests on Kubernetes need {PLUGINS}/bridge: install it, as with apt-get install "
                "containernetworking-plugins"
            )
        super().__init__()
        # Its addresses are the same each time: on one machine there is one node at a time.
        self._alone = (cache() / "node.lock").open("w")
        fcntl.flock(self._alone, fcntl.LOCK_EX)
        self._leftovers = Leftovers(cache() / "node.json", SPACE, self.machine)
        self._images: set[Path] = set()
        self._names: NamesServer | None = None
        self.host = f"{NET}.2"
        self._inside = ("nsenter", f"--net=/var/run/netns/{SPACE}")

    def stop(self) -> None:
        self._end_all()
        if self._names is not None:
            self._names.close()
        self._leftovers.clear()  # Containers outlive who started them.
        super().stop()
        self._alone.close()

    def add_image(self, file: Path) -> None:
        """Let the node have an image besides those that it has from the start."""
        if file not in self._images:
            assert self._ctr("-n", "k8s.io", "images", "import", str(file)), file
            self._images.add(file)

    def restart_kubelet(self) -> None:
        """As a node that reboots its agent; its pods go on."""
        self._end("kubelet")
        self._start_kubelet()

    def set_gpus(self, count: int) -> None:
        """Let the node have so many GPUs, in the books of the scheduler and the kubelet."""
        change = [{"op": "add", "path": "/status/capacity/nvidia.com~1gpu", "value": str(count)}]
        with self.client() as http:
            answer = http.patch(
                f"/api/v1/nodes/{NAME}/status",
                content=json.dumps(change),
                headers={"Content-Type": "application/json-patch+json"},
            )
            assert answer.status_code == 200, answer.text

            def counted() -> bool:
                status = http.get(f"/api/v1/nodes/{NAME}").json()["status"]
                return bool(status["allocatable"].get("nvidia.com/gpu") == str(count))

            wait_until(counted)

    def _start(self) -> None:
        self._leftovers.clear()
        self._leftovers.note(self.home, {name: _sysctl(name) for name in CHANGED_BY_KUBELET})
        self._make_network()
        self._names = NamesServer(self.machine, self._address_of)
        super()._start()
        self._start_containerd()
        self._start_kubelet()
        self._run(
            "kube-proxy",
            f"--kubeconfig={self.kubeconfig('proxy')}",
            f"--hostname-override={NAME}",
            "--proxy-mode=iptables",
            f"--cluster-cidr={PODS}",
            "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0",
            "--conntrack-tcp-timeout-close-wait=0",
            "--healthz-bind-address=127.0.0.1:0",
            "--metrics-bind-address=127.0.0.1:0",
        )

    def _address_of(self, name: str) -> str | None:
        """The address of `<pod's host name>.<service>.<namespace>.svc.<domain>`."""
        host, _, rest = name.removesuffix(f".svc.{DOMAIN}").partition(".")
        service, _, namespace = rest.partition(".")
        if not name.endswith(f".svc.{DOMAIN}") or not namespace or "." in namespace:
            return None
        with self.client() as http:
            answer = http.get(
                f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
                params={"labelSelector": f"kubernetes.io/service-name={service}"},
            )
        for part in answer.json()["items"]:
            for endpoint in part["endpoints"] or ():
                if endpoint.get("hostname") == host:
                    return str(endpoint["addresses"][0])
        return None

    def _make_network(self) -> None:
        inside = list(self._inside)
        for command in (
            ["ip", "netns", "add", SPACE],
            [*inside, "ip", "link", "set", "lo", "up"],
            ["ip", "link", "add", LINK, "type", "veth", "peer", "name", "eth0", "netns", SPACE],
            ["ip", "addr", "add", f"{NET}.1/30", "dev", LINK],
            ["ip", "link", "set", LINK, "up"],
            [*inside, "ip", "addr", "add", f"{self.host}/30", "dev", "eth0"],
            [*inside, "ip", "link", "set", "eth0", "up"],
            [*inside, "sysctl", "-qw", "net.ipv4.ip_forward=1"],
        ):
            subprocess.run(command, check=True, capture_output=True)

    def _start_containerd(self) -> None:
        network = self.home / "cni"
        network.mkdir()
        bridge = {
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": True,
            "ipMasq": True,
            "hairpinMode": True,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": PODS}]],
                "routes": [{"dst": "0.0.0.0/0"}],
                "dataDir": str(self.home / "addresses"),
            },
        }
        plugins = {"cniVersion": "0.4.0", "name": "tests", "plugins": [bridge]}
        (network / "10-bridge.conflist").write_text(json.dumps(plugins))
        settings = self.home / "containerd.toml"
        settings.write_text(_CONTAINERD.format(home=self.home, pause=PAUSE, network=network))
        self._run("containerd", f"--config={settings}", where=program("containerd"))
        self._until("containerd", lambda: self._ctr("version"))
        for image in images():
            self.add_image(image)

    def _start_kubelet(self) -> None:
        (self.home / "resolv.conf").touch()
        settings = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": self.host,
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "cgroupDriver": "cgroupfs",
            "failSwapOn": False,
            "failCgroupV1": False,
            "maxOpenFiles": 20_000,
            "oomScoreAdj": 0,
            "healthzPort": 0,
            "nodeStatusUpdateFrequency": "1s",
            "resolvConf": str(self.home / "resolv.conf"),
            "clusterDNS": [self.machine],
            "clusterDomain": DOMAIN,
            "imageGCHighThresholdPercent": 100,
            # So that tests see logs begin anew, which they do elsewhere after ten times as much.
            "containerLogMaxSize": "1Mi",
            "containerLogMonitorInterval": "3s",
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "1%",
                "imagefs.available": "1%",
                "nodefs.inodesFree": "1%",
            },
        }
        (self.home / "kubelet.json").write_text(json.dumps(settings))
        self._run(
            "kubelet",
            f"--config={self.home / 'kubelet.json'}",
            f"--kubeconfig={self.kubeconfig('node')}",
            f"--root-dir={self.home / 'kubelet'}",
            f"--cert-dir={self.home / 'kubelet' / 'pki'}",
            f"--hostname-override={NAME}",
            f"--node-ip={self.host}",
            f"--container-runtime-endpoint=unix://{self.home / 'containerd.sock'}",
        )
        with self.client() as http:

            def is_ready() -> bool:
                answer = http.get(f"/api/v1/nodes/{NAME}")
                conditions = (
                    answer.json()["status"].get("conditions", []) if answer.status_code == 200 else []
                )
                return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

            self._until("kubelet", is_ready)

    def _ctr(self, *words: str) -> str | None:
        """What containerd's command prints; None if it fails."""
        socket = self.home / "containerd.sock"
        done = subprocess.run(["ctr", "-a", socket, *words], capture_output=True, text=True)
        return (done.stdout or "done") if done.returncode == 0 else None


def _sysctl(name: str) -> str:
    return Path("/proc/sys", *name.split(".")).read_text().strip()


_CONTAINERD = """
version = 2
root = "{home}/containerd/root"
state = "{home}/containerd/state"
oom_score = 0
[grpc]
  address = "{home}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # A machine of ours may lack the right to make a process less likely to be killed.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{network}"
"""
