"""Puts packages where the service finds them: `<staging>/<job>/<sha256>/<file>`, as gcloud lays them out.

The copy is what every trial installs, so a file that is rebuilt while the job runs changes nothing.
"""

import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path

from api_schemas import locations
from cli.errors import UsageError


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


def absolute(location: str) -> str:
    """The location in a form that does not depend on the current folder: an absolute path, or the URL."""
    is_url = location.startswith("file:") or not is_local(location)
    return location if is_url else str(local_path(location))


def staging_root(bucket: str | None) -> Path:
    """The folder that packages are staged in: `--staging-bucket`, else one in the user's data folder.

    Raises:
        UsageError: the bucket is not a local folder.
    """
    if bucket is None:
        data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
        return Path(data).expanduser() / "vernier" / "staging"
    if not is_local(bucket):
        raise UsageError(
            f"--staging-bucket: {bucket} needs the object store, which is not served yet; "
            "give a folder of this machine"
        )
    return local_path(bucket)


def stage(archive: Path, root: Path, job_id: str) -> str:
    """Copies the archive below `root` and gives the copy's path. The same content is copied once.

    Raises:
        UsageError: the archive cannot be read, or the copy cannot be written.
    """
    if not re.fullmatch(r"[A-Za-z]\w*", job_id, re.ASCII):  # it names a folder here, so it is checked here
        raise UsageError(f"{job_id!r} is no job id: it is a letter, then letters, digits and underscores")
    try:
        with archive.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        staged = root / job_id / digest / archive.name
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
