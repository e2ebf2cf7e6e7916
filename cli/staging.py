"""Puts packages where the service finds them: `<staging>/<job>/<sha256>/<file>`, as gcloud lays them out.

The copy is what every trial installs, so a file that is rebuilt while the job runs changes nothing. It is a
file in a folder of this machine, or an object of the service's own store.
"""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from api_schemas import locations
from cli.errors import UsageError
from store.objects.errors import ObjectStoreError
from store.objects.names import Place, is_gs


def is_local(location: str) -> bool:
    """Whether the location is a path or a file: URL, as opposed to gs://, http:// and the like."""
    return location.startswith("file:") or "://" not in location


def local_path(location: str) -> Path:
    """The absolute path that a path or a file: URL names; paths may begin with ~ or be relative.

    Raises:
        UsageError: the URL names another host, or a relative path.
    """
    if not location.startswith("file:"):
        return Path(os.path.abspath(Path(location).expanduser()))
    try:
        path = locations.local_path(location)
    except ValueError as problem:
        raise UsageError(f"{location} {problem}") from problem
    assert path is not None  # which is for other schemes
    return path


def local_archive(location: str) -> Path:
    """The archive that a path or a file: URL of `--packages` names; it need not be there.

    Raises:
        UsageError: it is a folder, or the URL is wrong.
    """
    path = local_path(location)
    if path.is_dir():
        raise UsageError(
            f"--packages: {location} is a folder; name an archive, or give --package-path the folder of the "
            "package, which has __init__.py"
        )
    return path


def absolute(location: str) -> str:
    """The location in a form that does not depend on the current folder: an absolute path, or the URL."""
    is_url = location.startswith("file:") or not is_local(location)
    return location if is_url else str(local_path(location))


def staging_place(bucket: str | None, job_dir: str | None, job_id: str) -> Path | Place:
    """Where a job's packages are staged, by gcloud's rules as far as there is a bucket.

    That is `<bucket>/<job>` with `--staging-bucket`, else `<job-dir>/packages` if that is gs://, else
    `<job>` in a folder of the user's own.

    Raises:
        UsageError: the bucket is neither a local folder nor gs://, or the job id can't name a folder.
    """
    if not re.fullmatch(r"[A-Za-z]\w*", job_id, re.ASCII):  # it names a folder here, so it is checked here
        raise UsageError(f"{job_id!r} is no job id: it is a letter, then letters, digits and underscores")
    if bucket is not None:
        if is_gs(bucket):
            return _place("--staging-bucket", bucket) / job_id
        if not is_local(bucket):
            raise UsageError(f"--staging-bucket: {bucket} is neither gs:// nor a folder of this machine")
        return local_path(bucket) / job_id
    if job_dir is not None and is_gs(job_dir):
        return _place("--job-dir", job_dir) / "packages"
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "vernier" / "staging" / job_id


def stage(archive: Path, where: Path | Place, send: Callable[[Path, Place], None]) -> str:
    """Copies the archive to `<where>/<sha256>/<file>` and gives the copy's path or URI.

    Args:
        send: brings a file to its place in the object store.

    Raises:
        UsageError: the archive cannot be read, or the copy cannot be written.
    """
    try:
        with archive.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if isinstance(where, Place):
            place = where / digest / archive.name
            send(archive, place)
            return str(place)
        staged = where / digest / archive.name
        if not staged.exists():
            staged.parent.mkdir(parents=True, exist_ok=True)
            # Under its own name only when whole: a copy that was cut off must not look staged.
            handle, partial = tempfile.mkstemp(dir=staged.parent, prefix=".partial-")
            os.close(handle)
            shutil.copyfile(archive, partial)
            os.chmod(partial, 0o644)  # mkstemp lets only its owner read
            os.replace(partial, staged)
    except OSError as problem:
        where = problem.filename or archive
        raise UsageError(f"cannot stage {archive.name}: {where}: {problem.strerror}") from problem
    return str(staged)


def _place(flag: str, uri: str) -> Place:
    try:
        return Place.parse(uri)
    except ObjectStoreError as problem:
        raise UsageError(f"{flag}: {uri} {problem}") from problem
