"""Installs a job's packages into an environment of its own: `python -m worker.launchers.install PLAN.json`.

Runs as a process of its own, once per job, and may be killed and run again at any point. The environment is a
virtual one that also sees the packages of the interpreter that runs trainers (`environment.py`).

Without an environment in the plan the packages are only fetched, for who installs them elsewhere.
"""

import errno
import json
import os
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import httpx

from store.objects.errors import ObjectStoreError
from store.objects.files import ObjectFiles
from store.objects.names import Place, scheme_of
from worker.launchers.environment import NO_ROOM, InstallFailed, install, make_environment

FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the system says of a disk without room."""
ENDINGS = (".tar.gz", ".tgz", ".zip", ".whl")


@dataclass(frozen=True, slots=True)
class Plan:
    uris: tuple[str, ...]
    packages: Path
    env: Path | None
    """None: nothing is installed."""
    python: Path
    max_bytes: int
    objects: Path | None
    """What is behind gs://; None: Google Cloud Storage is."""

    def command(self, file: Path) -> list[str]:
        """Write the plan to a file; what carries it out."""
        file.write_text(json.dumps(asdict(self), default=str))
        return [sys.executable, "-m", "worker.launchers.install", str(file)]


def main(arguments: list[str]) -> int:
    """Carry out the plan in the file named by the only argument."""
    raw = json.loads(Path(arguments[0]).read_text())
    plan = Plan(
        tuple(raw["uris"]),
        Path(raw["packages"]),
        None if raw["env"] is None else Path(raw["env"]),
        Path(raw["python"]),
        raw["max_bytes"],
        None if raw.get("objects") is None else Path(raw["objects"]),
    )
    try:
        files = [
            fetch(uri, plan.packages / str(number), plan.max_bytes, plan.objects)
            for number, uri in enumerate(plan.uris)
        ]
        if plan.env is not None:
            make_environment(plan.env, plan.python)
            for file in files:
                install(file, plan.env)
    except (InstallFailed, OSError) as error:
        # The words, as it may be pip that says so.
        full = any(os.strerror(number) in str(error) for number in FULL)
        if full:
            # What was begun takes the room in which anything can be told, this error first.
            shutil.rmtree(plan.packages, ignore_errors=True)
            if plan.env is not None:
                shutil.rmtree(plan.env, ignore_errors=True)
        print(error, file=sys.stderr)
        return NO_ROOM if full else 1
    return 0


def fetch(uri: str, into: Path, max_bytes: int, objects: Path | None = None) -> Path:
    """Bring one package into a directory of its own; gives its path there.

    Args:
        objects: what is behind gs://; None if that is Google Cloud Storage.

    Raises:
        InstallFailed: there is no such package, it is too large, or no kind that pip installs.
    """
    parts = urlsplit(uri)
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    if scheme_of(uri) is not None:
        return _download_object(uri, into, max_bytes, objects)
    if parts.scheme in ("http", "https"):
        return _download(uri, into / _file_name(parts.path, uri), max_bytes)
    if parts.scheme in ("", "file"):
        return _copy(Path(unquote(parts.path)) if parts.scheme else Path(uri), into)
    raise InstallFailed(
        f"{uri}: only local paths, file://, gs://, s3://, http:// and https:// can be fetched"
    )


def _download(uri: str, target: Path, max_bytes: int) -> Path:
    size = 0
    try:
        with (
            httpx.stream("GET", uri, follow_redirects=True, timeout=60.0) as answer,
            target.open("wb") as file,
        ):
            answer.raise_for_status()
            for chunk in answer.iter_bytes():
                size += len(chunk)
                if size > max_bytes:
                    raise InstallFailed(f"{uri} is larger than {max_bytes} bytes (VERNIER_MAX_PACKAGE_BYTES)")
                file.write(chunk)
    except httpx.HTTPError as error:
        raise InstallFailed(f"{uri} can't be fetched: {error}") from error
    return target


def _download_object(uri: str, into: Path, max_bytes: int, objects: Path | None) -> Path:
    try:
        place = Place.parse(uri)
        target = into / _file_name(place.name, uri)
        if objects is not None and place.scheme == "gs":
            with (
                ObjectFiles(objects).open(place.bucket, place.name) as (_, content),
                target.open("xb") as file,
            ):
                shutil.copyfileobj(content, file)
            return target
    except (ObjectStoreError, OSError) as error:
        raise InstallFailed(f"{uri} can't be fetched: {error}") from error
    from worker.elsewhere.remote import Unreachable
    from worker.elsewhere.stores import Stores

    try:
        Stores().of(place).download(place, target, max_bytes)
    except (Unreachable, ImportError) as error:
        raise InstallFailed(f"{uri} can't be fetched: {error}") from error
    return target


def _copy(source: Path, into: Path) -> Path:
    try:
        if source.is_dir():
            if not any((source / name).is_file() for name in ("setup.py", "pyproject.toml")):
                raise InstallFailed(f"{source} is a directory without setup.py or pyproject.toml")
            # A build writes beside the sources; the user's stay as they are.
            return Path(shutil.copytree(source, into / "source", symlinks=True))
        return Path(shutil.copyfile(source, into / _file_name(source.as_posix(), str(source))))
    except OSError as error:
        raise InstallFailed(f"{source} can't be read: {error.strerror}") from error


def _file_name(path: str, uri: str) -> str:
    name = PurePosixPath(unquote(path)).name
    if not name.endswith(ENDINGS):
        raise InstallFailed(f"{uri} must be a Python package: one of {', '.join(ENDINGS)}, or a directory")
    return name


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
