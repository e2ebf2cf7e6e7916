"""Makes an environment of packages that are files: what runs where trainers do, and is copied there.

So it imports nothing but Python's own. The environment is a virtual one that also sees the packages of the
interpreter, so a trainer that needs only those installs in a second; what it brings along shadows them and
touches nothing outside.

pip is run as the contract describes (docs/contract.md 4.1): each package first alone and by force, then with
what it requires. pip unpacks; nothing here does.

    python3 environment.py ENV TOLD PACKAGE...
"""

import errno
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

NO_ROOM = 75
"""The exit status where the disk is full; that of sysexits.h for what may be tried again."""


class InstallFailed(Exception):
    """A package could not be had or installed; the message says which and why."""


def main(arguments: list[str]) -> int:
    """Make an environment of packages, with this interpreter; what fails is told in a file, too."""
    env, told, *packages = map(Path, arguments)
    try:
        make_environment(env, Path(sys.executable))
        for package in packages:
            install(package, env)
    except (InstallFailed, OSError) as error:
        told.write_text(str(error))
        print(error, file=sys.stderr)
        full = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))
        return NO_ROOM if any(each in str(error) for each in full) else 1
    return 0


def make_environment(env: Path, python: Path) -> None:
    """A virtual environment that sees `python`'s packages behind its own.

    Raises:
        InstallFailed: the interpreter can't make one.
    """
    shutil.rmtree(env, ignore_errors=True)
    _run([str(python), "-m", "venv", "--without-pip", str(env)], f"{python} can't make an environment")
    script = (
        "import json, sysconfig; print(json.dumps([sysconfig.get_path(p) for p in ('purelib', 'platlib')]))"
    )
    parents = json.loads(_run([str(python), "-c", script], f"{python} does not run"))
    own = json.loads(_run([str(env / "bin" / "python"), "-c", script], f"{env} does not run"))[0]
    lines = [f"import site; site.addsitedir({parent!r})\n" for parent in dict.fromkeys(parents)]
    (Path(own) / "_trainers.pth").write_text("".join(lines))


def install(package: Path, env: Path) -> None:
    """Install one package, by force, then what it requires and is not there yet.

    Raises:
        InstallFailed: with the end of what pip said.
    """
    pip = [sys.executable, "-m", "pip", "--python", str(env / "bin" / "python"), "install"]
    pip += ["--disable-pip-version-check", "--no-input", "--no-warn-script-location"]
    if not _names_its_builder(package):
        # Built with setuptools, which is there: no need to fetch one, so it works without a network.
        pip.append("--no-build-isolation")
    for options in (["--upgrade", "--force-reinstall", "--no-deps"], []):
        _run([*pip, *options, str(package)], f"{package.name} can't be installed")


def _names_its_builder(package: Path) -> bool:
    """Whether the sources say, in a pyproject.toml of theirs, what builds them."""
    if package.is_dir():
        return (package / "pyproject.toml").is_file()
    if package.suffix == ".whl":
        return False
    try:
        if zipfile.is_zipfile(package):
            with zipfile.ZipFile(package) as archive:
                names = archive.namelist()
        else:
            with tarfile.open(package) as archive_tar:
                names = archive_tar.getnames()
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise InstallFailed(f"{package.name} is no archive, or is damaged or cut short") from error
    return any(PurePosixPath(name).parts[1:] == ("pyproject.toml",) for name in names)


def _run(command: list[str], trouble: str) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL)
    sys.stdout.write(ran.stdout)
    if ran.returncode != 0:
        raise InstallFailed(f"{trouble}: {(ran.stderr or ran.stdout).strip()[-3000:]}")
    return ran.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
