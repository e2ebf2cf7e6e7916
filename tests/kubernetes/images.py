"""Container images for tests, made of this machine's own programs: no registry is asked."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.kubernetes.programs import cache, program

PAUSE = "localhost/pause:1"
PYTHON = "localhost/python:1"
RUNTIME = "localhost/runtime:1"
INSTALLED = ("pip", "setuptools", "wheel", "scikit-learn", "tensorboard", "cloudml-hypertune")
"""What the runtime has, with all that it requires, of what the tests' own interpreter has."""
APPLETS = ("sh", "ls", "cat", "sleep", "echo", "mkdir", "id", "env", "tail", "kill", "true", "false")


def images() -> list[Path]:
    """The images of every node as files that `ctr images import` takes, made at the first call."""
    return [_made(PAUSE, _busybox, ["sleep", "infinity"]), _made(PYTHON, _python, ["python3"])]


def runtime() -> Path:
    """The image RUNTIME, which is large: for tests that need packages."""
    return _made(RUNTIME, _runtime, ["python3"])


def _made(name: str, make: Callable[[Path], None], command: list[str]) -> Path:
    folder = cache() / "images-1"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name.rpartition('/')[2].replace(':', '-')}.tar"
    if not file.exists():
        with tempfile.TemporaryDirectory(dir=folder) as work:
            root = Path(work) / "root"
            root.mkdir()
            make(root)
            part = Path(work) / file.name
            write_image(name, root, command, part)
            part.rename(file)
    return file


def write_image(name: str, root: Path, command: list[str], file: Path) -> None:
    """Write what is below a folder as an OCI image of one layer."""
    with tempfile.TemporaryFile() as packed:
        with tarfile.open(fileobj=packed, mode="w") as layer:
            layer.add(root, arcname=".")
        size = packed.tell()
        packed.seek(0)
        digest = f"sha256:{hashlib.file_digest(packed, 'sha256').hexdigest()}"
        packed.seek(0)
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"], "Cmd": command},
            "rootfs": {"type": "layers", "diff_ids": [digest]},
        }
        blobs: list[bytes] = []

        def blob(kind: str, content: Any) -> dict[str, Any]:
            data = json.dumps(content).encode()
            blobs.append(data)
            return {"mediaType": kind, "digest": _digest(data), "size": len(data)}

        kind = "application/vnd.oci.image"
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{kind}.manifest.v1+json",
            "config": blob(f"{kind}.config.v1+json", config),
            "layers": [{"mediaType": f"{kind}.layer.v1.tar", "digest": digest, "size": size}],
        }
        entry = blob(f"{kind}.manifest.v1+json", manifest)
        entry["annotations"] = {"io.containerd.image.name": name}
        index = {"schemaVersion": 2, "mediaType": f"{kind}.index.v1+json", "manifests": [entry]}
        with tarfile.open(file, "w") as image:
            _add(image, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
            _add(image, "index.json", json.dumps(index).encode())
            for data in blobs:
                _add(image, f"blobs/sha256/{_digest(data).removeprefix('sha256:')}", data)
            about = tarfile.TarInfo(f"blobs/sha256/{digest.removeprefix('sha256:')}")
            about.size = size
            image.addfile(about, packed)


def _busybox(root: Path) -> None:
    for folder in ("bin", "etc", "tmp", "proc", "sys", "dev"):
        (root / folder).mkdir()
    (root / "tmp").chmod(0o1777)
    (root / "bin" / "busybox").write_bytes(program("busybox").read_bytes())
    (root / "bin" / "busybox").chmod(0o755)
    for name in APPLETS:
        (root / "bin" / name).symlink_to("busybox")
    (root / "etc" / "passwd").write_text("root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")


def _python(root: Path) -> None:
    """The interpreter that runs the tests, with its standard library and the libraries that it loads."""
    _busybox(root)
    interpreter = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib")).resolve()
    wanted = [interpreter, *(each for each in library.rglob("*.so"))]
    for shared in _shared(wanted):
        _copy(shared, root)
    _copy(interpreter, root)
    skipped = {"site-packages", "test", "tests", "idlelib", "tkinter", "ensurepip", "lib2to3", "__pycache__"}
    for folder, folders, files in os.walk(library):
        folders[:] = [each for each in folders if each not in skipped and not each.startswith("config-")]
        for name in files:
            _copy(Path(folder) / name, root)
    (root / "usr" / "bin").mkdir(parents=True, exist_ok=True)
    for name in ("python", "python3"):
        (root / "bin" / name).symlink_to(interpreter)


def _runtime(root: Path) -> None:
    """The same with packages, where it looks for them."""
    _python(root)
    # `venv` imports it, and asks it for nothing without pip.
    library = Path(sysconfig.get_path("stdlib")).resolve()
    for file in (library / "ensurepip").glob("*.py"):
        _copy(file, root)
    into = root / str(library).lstrip("/") / "site-packages"
    wanted, seen = list(INSTALLED), set()
    while wanted:
        name = wanted.pop()
        if canonicalize_name(name) in seen:
            continue
        seen.add(canonicalize_name(name))
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        needs = map(Requirement, package.requires or ())
        wanted += [each.name for each in needs if each.marker is None or each.marker.evaluate({"extra": ""})]
        for file in package.files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts and "tests" not in file.parts:
                target = into / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.locate(), target)
    # What wheels bring along is there already.
    for shared in _shared(list(into.rglob("*.so"))):
        if not shared.is_relative_to(root):
            _copy(shared, root)


def _shared(programs: list[Path]) -> set[Path]:
    found = set()
    for each in programs:
        told = subprocess.run(["ldd", each], capture_output=True, text=True).stdout
        for word in told.split():
            if word.startswith("/") and Path(word).exists():
                found.add(Path(word))
    return found


def _copy(file: Path, root: Path) -> None:
    into = root / str(file).lstrip("/")
    into.parent.mkdir(parents=True, exist_ok=True)
    if not into.exists():
        into.write_bytes(file.resolve().read_bytes())
        into.chmod(file.stat().st_mode & 0o777)


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    about = tarfile.TarInfo(name)
    about.size = len(data)
    archive.addfile(about, io.BytesIO(data))
