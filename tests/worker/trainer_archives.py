"""Packages in every form that a job can name: sound, broken and hostile."""

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

SETUP = "from setuptools import setup\nsetup(name={name!r}, version='1.0', packages=[{name!r}])\n"


def source_tree(folder: Path, name: str, task: str, setup: str = "") -> Path:
    """A folder with a setup.py, which begins with `setup`, and the module `<name>.task`."""
    root = folder / f"{name}-1.0"
    (root / name).mkdir(parents=True)
    (root / "setup.py").write_text(setup + SETUP.format(name=name))
    (root / name / "__init__.py").touch()
    (root / name / "task.py").write_text(task)
    return root


def source_archive(folder: Path, name: str, task: str, setup: str = "") -> Path:
    """The same as a .tar.gz, as `setup.py sdist` makes it."""
    root = source_tree(folder / "unpacked", name, task, setup)
    archive = folder / f"{root.name}.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(root, root.name)
    return archive


def tar_of(path: Path, members: Mapping[str, str], links: Mapping[str, str] | None = None) -> Path:
    """A .tar.gz of symbolic links {name: target}, then files {name: text}; names are taken as given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, target in (links or {}).items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
        for name, text in members.items():
            data = text.encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def zip_of(path: Path, members: Mapping[str, str]) -> Path:
    """A zip file, or a wheel, of files {name: text}, names taken as given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def wheel_members(name: str, task: str) -> dict[str, str]:
    """What a wheel of `<name>.task` holds; its RECORD lists nothing, which pip allows."""
    info = f"{name}-1.0.dist-info"
    return {
        f"{name}/__init__.py": "",
        f"{name}/task.py": task,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
