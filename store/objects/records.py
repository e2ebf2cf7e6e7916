"""What a file can't say of itself, kept beside the tree of objects.

A record belongs to one generation of one object, and counts only as long as the file is still of that
generation: a file that a trial wrote over has none. It is written before the file takes its name, with that
of the generation before, so that a reader finds the right one whichever of both files it meets.
"""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class About:
    """Metadata of one generation of an object."""

    headers: Mapping[str, str] = field(default_factory=dict)
    """contentType, cacheControl and their like, by their names on the wire."""
    custom: Mapping[str, str] = field(default_factory=dict)
    """The uploader's own."""
    md5: str | None = None
    crc32c: str | None = None
    """Checksums, base64; of files that a trial wrote, nobody has computed any."""
    metageneration: int = 1
    """Counts changes of the metadata, from 1."""
    updated: float | None = None
    """When the metadata was changed; None: together with the content."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object as it was found."""

    bucket: str
    name: str
    size: int
    generation: int
    """The modification time of the file, in nanoseconds since the epoch."""
    about: About


class Records:
    """The tree of records below `root`. Writers hold the store's lock."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def find(self, bucket: str, name: str, generation: int, size: int) -> About | None:
        """The record of this very generation, if there is one."""
        kept = self._read(bucket, name).get(generation)
        return kept[1] if kept is not None and kept[0] == size else None

    def newest(self, bucket: str, name: str) -> tuple[int, About] | None:
        """The last generation and its record, for directories, whose files come and go."""
        kept = self._read(bucket, name)
        if not kept:
            return None
        generation = max(kept)
        return generation, kept[generation][1]

    def write(self, new: StoredObject, before: StoredObject | None) -> None:
        """Keep the record of an object, and that of the generation it takes the place of."""
        generations = {
            str(each.generation): {"size": each.size, "about": asdict(each.about)}
            for each in (before, new)
            if each is not None
        }
        path = self._path(new.bucket, new.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, json.dumps({"name": new.name, "generations": generations}))

    def forget(self, bucket: str, name: str) -> None:
        self._path(bucket, name).unlink(missing_ok=True)

    def forget_bucket(self, bucket: str) -> None:
        shutil.rmtree(self._root / bucket, ignore_errors=True)

    def read_bucket(self, bucket: str) -> dict[str, Any]:
        """What is kept of a bucket as a whole; empty if nothing is."""
        return _read_json(self._root / bucket / "bucket.json")

    def write_bucket(self, bucket: str, kept: Mapping[str, Any]) -> None:
        folder = self._root / bucket
        folder.mkdir(parents=True, exist_ok=True)
        replace_text(folder / "bucket.json", json.dumps(kept))

    def _read(self, bucket: str, name: str) -> dict[int, tuple[int, About]]:
        """{generation: its size and its record}."""
        generations = _read_json(self._path(bucket, name)).get("generations", {})
        try:
            return {
                int(generation): (kept["size"], About(**kept["about"]))
                for generation, kept in generations.items()
            }
        except (AttributeError, KeyError, TypeError, ValueError):
            return {}  # Damaged, or of a later version.

    def _path(self, bucket: str, name: str) -> Path:
        digest = hashlib.sha256(name.encode()).hexdigest()
        return self._root / bucket / digest[:2] / f"{digest}.json"


def replace_text(path: Path, text: str) -> None:
    """Write a small file whole, or leave the one that is there."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with partial.open("x") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _read_json(path: Path) -> dict[str, Any]:
    # A record that was damaged from outside is none; the object itself is still there.
    try:
        kept = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}
