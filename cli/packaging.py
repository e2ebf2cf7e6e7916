"""Turns the folder that `--package-path` names into one archive that pip can install.

A folder beside a setup.py or a pyproject.toml belongs to a project, which is then built as its author
says; any other package is packed as it stands. The user's own tree is never written to.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

from cli.errors import UsageError
from cli.package_files import source_files
from cli.wheel import write_wheel

BUILD_TIMEOUT = 600.0  # seconds
_SOURCE_DATE_EPOCH = "315532800"  # 1980-01-01: equal files give equal wheels, so they are staged once


def build_package(folder: Path, into: Path) -> Path:
    """Builds the package in `folder` and gives the archive, which lies in `into`.

    Raises:
        UsageError: `folder` is no Python package, holds what cannot be packed, or its project's build fails.
    """
    package = folder.resolve()
    if not package.is_dir():
        raise UsageError(f"--package-path: there is no folder {folder}")
    if not (package / "__init__.py").is_file():
        raise UsageError(
            f"--package-path: {folder} has no __init__.py; name the package's own folder, such as ./trainer"
        )
    if not package.name.isidentifier():
        raise UsageError(f"--package-path: {package.name!r} is no name that Python can import")
    files = source_files(package)
    if not is_project(package.parent):
        return write_wheel(package, files, into)
    wheel = _build_project(package.parent, into)
    if f"{package.name}/__init__.py" not in zipfile.ZipFile(wheel).namelist():
        raise UsageError(
            f"--package-path: the project in {package.parent} builds {wheel.name}, "
            f"which does not hold the package {package.name}"
        )
    return wheel


def is_project(folder: Path) -> bool:
    """Whether the folder says how it is built; a pyproject.toml that only sets up linters does not."""
    if (folder / "setup.py").is_file():
        return True
    try:
        settings = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return "project" in settings or "build-system" in settings


def _build_project(project: Path, into: Path) -> Path:
    with tempfile.TemporaryDirectory(prefix="vernier-build-") as scratch:
        copy, wheels = Path(scratch, "source"), Path(scratch, "wheels")
        # A project may well have a link to its data beside the package, whose own links are checked by now.
        for path in source_files(project, skip_odd=True):
            if _is_build_output(path):
                continue
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(project / path, copy / path)
        # Without isolation, as building must not need the network; setuptools is one of our dependencies.
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(copy)]
        built = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=BUILD_TIMEOUT,
            env={**os.environ, "SOURCE_DATE_EPOCH": _SOURCE_DATE_EPOCH},
            check=False,
        )
        if built.returncode != 0:
            tail = "\n".join(built.stdout.splitlines()[-15:])
            raise UsageError(
                f"--package-path: the project in {project} does not build; build it yourself and pass it "
                f"with --packages, or mend this:\n{tail}"
            )
        (wheel,) = wheels.glob("*.whl")
        return Path(shutil.copy2(wheel, into))


def _is_build_output(path: Path) -> bool:
    """Left there by earlier builds, from where removed modules would come back into the wheel."""
    top = path.parts[0]
    return len(path.parts) > 1 and (top in ("build", "dist") or top.endswith(".egg-info"))
