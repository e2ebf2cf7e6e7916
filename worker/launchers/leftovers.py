"""What an ended job has left in its folder (`local.py` says what is where), and letting go of it."""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

OF_JOB = ("env", "packages")
OF_REPLICA = ("stdout.log", "stderr.log", "hypertune", "mirror")
"""All of which has been read: it is in the database."""


def discard(job_dir: Path, everything: bool, of_replica: Sequence[str] = OF_REPLICA) -> None:
    """Remove what can be had again or is kept elsewhere; or the whole folder, working directories included.

    What can't be removed is told in the log, and left.

    Args:
        of_replica: what of each replica's own has been read.
    """
    if everything:
        _remove(job_dir)
        return
    for name in OF_JOB:
        _remove(job_dir / name)
    attempts = list(job_dir.glob("trials/*/*"))
    for replica in [*attempts, *job_dir.glob("trials/*/*/replicas/*")]:
        for name in of_replica:
            _remove(replica / name)


def _remove(path: Path) -> None:
    try:
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
            return
        shutil.rmtree(path, ignore_errors=True)
        if path.exists():
            _open_up(path)
            shutil.rmtree(path)
    except OSError as error:
        log.warning("not removed", path=str(path), reason=str(error))


def _open_up(path: Path) -> None:
    """Let the owner into every directory below, whatever a trainer made of their modes."""
    with suppress(OSError):
        path.chmod(0o700)
    for folder, names, _ in os.walk(path):
        for name in names:
            inner = Path(folder, name)
            if not inner.is_symlink():
                with suppress(OSError):
                    inner.chmod(0o700)
