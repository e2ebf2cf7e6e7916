"""The programs of Kubernetes, built once from its published Go modules and kept in the user's cache.

A machine needs Go for that, and Debian's packages for the programs beside them, which `make kubernetes`
installs where it may.
"""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

VERSION = "v1.36.3"
BUILT = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
PACKAGES = {
    "etcd": "etcd-server",
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "busybox": "busybox-static",
}
"""{program: Debian's package that has it}"""
PLUGINS = Path("/usr/lib/cni")
SYSTEM = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
"""Where programs are looked for: Debian keeps some where only root looks."""


class NoKubernetes(Exception):
    """This machine can't build or run a cluster; the message says what is missing."""


def program(name: str) -> Path:
    """Where a program beside Kubernetes' own is.

    Raises:
        NoKubernetes: nowhere.
    """
    found = shutil.which(name, path=SYSTEM)
    if found is None and name == "go":
        raise NoKubernetes("the tests on Kubernetes need Go, 1.21 or newer: see https://go.dev/dl")
    if found is None:
        package = PACKAGES.get(name, name)
        raise NoKubernetes(
            f"the tests on Kubernetes need {name}: install it, as with apt-get install {package}"
        )
    return Path(found)


def check() -> Path:
    """The folder of Kubernetes' own programs, on a machine that can run them; built first if need be.

    Raises:
        NoKubernetes: it can't.
    """
    need_root()
    for each in PACKAGES:
        program(each)
    return built()


def need_root() -> None:
    """
    Raises:
        NoKubernetes: who runs this is not root.
    """
    if os.geteuid() != 0:
        raise NoKubernetes("a node of Kubernetes needs root: run the tests as root, or in a container")


def built() -> Path:
    """The folder of Kubernetes' own programs, built first if need be, which takes minutes.

    Raises:
        NoKubernetes: they can't be built here.
    """
    return _kept(cache() / f"kubernetes-{VERSION}", _build)


def installed(module: str) -> Path:
    """A program that its Go module builds by name, as `host/owner/program@version`; built first if need be.

    Raises:
        NoKubernetes: it can't be built here.
    """
    path, _, version = module.rpartition("@")
    name = path.rpartition("/")[2]

    def build(work: Path, into: Path) -> None:
        environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod -buildvcs=false"}
        environment["GOBIN"] = str(into)
        _run([str(program("go")), "install", "-trimpath", "-ldflags", "-s -w", module], work, environment)

    return _kept(cache() / f"{name}-{version}", build) / name


def _kept(folder: Path, build: Callable[[Path, Path], None]) -> Path:
    """The folder, which `build` makes in a place of its own if it is not there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=folder.parent) as work:
                finished = Path(work) / "bin"
                build(Path(work), finished)
                finished.rename(folder)
    return folder


def cache() -> Path:
    """What took long to make, and is the same for every checkout."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "vernier-tests"


def _build(work: Path, into: Path) -> None:
    go = str(program("go"))
    sources = _download(go, f"k8s.io/kubernetes@{VERSION}", work)
    module = work / "module"
    module.mkdir()
    (module / "go.mod").write_text(_module(Path(sources["GoMod"]).read_text()))
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod -buildvcs=false"}
    commands = [f"k8s.io/kubernetes/cmd/{name}" for name in BUILT]
    _run([go, "get", *(f"{command}@{VERSION}" for command in commands)], module, environment)
    into.mkdir()
    minor = VERSION.split(".")[1]
    stamp = "k8s.io/component-base/version"
    said = {"gitVersion": VERSION, "gitMajor": "1", "gitMinor": minor, "gitTreeState": "clean"}
    flags = " ".join(["-s", "-w", *(f"-X {stamp}.{name}={value}" for name, value in said.items())])
    _run([go, "build", "-trimpath", "-ldflags", flags, "-o", f"{into}/", *commands], module, environment)


def _module(published: str) -> str:
    """A go.mod of our own that names the published modules where Kubernetes' names its neighbouring folders.

    Go installs nothing by name whose go.mod points at folders.
    """
    go = re.search(r"^go .*$", published, re.M)
    staged = re.findall(r"^\s*(k8s\.io/[a-z0-9-]+) => \./staging", published, re.M)
    version = f"v0.{VERSION.removeprefix('v1.')}"
    lines = ["module cluster", go.group() if go else "go 1.26", f"require k8s.io/kubernetes {VERSION}"]
    lines += [f"replace {name} => {name} {version}" for name in staged]
    return "\n".join(lines) + "\n"


def _download(go: str, module: str, folder: Path) -> dict[str, str]:
    told: dict[str, str] = json.loads(
        _run([go, "mod", "download", "-json", module], folder, dict(os.environ))
    )
    return told


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise NoKubernetes(f"{' '.join(command[:3])} failed: {said[-1] if said else done.returncode}")
    return done.stdout


if __name__ == "__main__":
    try:
        print(check())
    except NoKubernetes as error:
        sys.exit(str(error))
