"""Lists the files of a source folder that belong into a package."""

import os
from collections.abc import Iterator
from pathlib import Path

from cli.errors import UsageError

MAX_BYTES = 512 * 2**20  # every trial installs the package: more than this is data, which belongs elsewhere
_CACHES = {"__pycache__", ".ipynb_checkpoints", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox"}
_SKIPPED_FOLDERS = _CACHES | {".git", ".hg", ".svn", ".bzr"}


def source_files(root: Path, *, skip_odd: bool = False) -> list[Path]:
    """The files below `root`, as sorted relative paths, without caches, version control and virtualenvs.

    A link to a file inside `root` counts as that file. Other links, and what is no regular file, are refused;
    with `skip_odd` they are left out.

    Raises:
        UsageError: something is refused, or the files are more than `MAX_BYTES`.
    """
    found: list[Path] = []
    size = 0
    for path in _walk(root):
        oddity = _oddity(path, root)
        if oddity and skip_odd:
            continue
        if oddity:
            raise UsageError(f"{path} is {oddity}; a package can hold only files that lie inside it")
        size += path.stat().st_size
        if size > MAX_BYTES:
            raise UsageError(
                f"{root} holds more than {MAX_BYTES // 2**20} MiB; keep data outside of it, "
                "or build the package yourself and pass it with --packages"
            )
        found.append(path.relative_to(root))
    return sorted(found)


def _oddity(path: Path, root: Path) -> str:
    """What the path is, if not a file below the root; "" if it is one."""
    if path.is_symlink():
        target = path.resolve()
        if not target.is_relative_to(root.resolve()):
            return f"a link out of {root}"
        return "" if target.is_file() else f"a link to {target}, which is no file"
    return "" if path.is_file() else "no regular file"


def _walk(root: Path) -> Iterator[Path]:
    for folder, subfolders, files in os.walk(root):
        here = Path(folder)
        # A linked folder is listed here but not entered; it goes on as if it were a file, to be refused.
        yield from (here / name for name in subfolders if (here / name).is_symlink())
        subfolders[:] = sorted(
            name
            for name in subfolders
            if name not in _SKIPPED_FOLDERS and not (here / name / "pyvenv.cfg").exists()
        )
        yield from (here / name for name in files if not name.endswith((".pyc", ".pyo")))
