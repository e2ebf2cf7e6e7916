"""Buckets: directories with a note of whose they are.

A bucket may come into being without being asked for: with its first object, or because a job writes there. It
then belongs to the project of that job, or to none.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from store.objects import tree
from store.objects.errors import BucketExists, BucketNotEmpty, NoSuchBucket
from store.objects.files import ObjectFiles
from store.objects.listing import Question, list_objects
from store.objects.names import bucket_problem, check_bucket


@dataclass(frozen=True, slots=True)
class Bucket:
    name: str
    project: str | None
    create_time: float


class Buckets:
    """The buckets of one store."""

    def __init__(self, files: ObjectFiles) -> None:
        self._files = files

    def get(self, name: str) -> Bucket:
        """
        Raises:
            InvalidName
            NoSuchBucket
        """
        check_bucket(name)
        if not self._files.has_bucket(name):
            raise NoSuchBucket(f"The bucket {name} does not exist.")
        return self._described(name)

    def create(self, name: str, project: str | None) -> Bucket:
        """
        Raises:
            InvalidName
            BucketExists
        """
        check_bucket(name)
        with self._files.locked():
            if self._files.has_bucket(name):
                raise BucketExists(f"There is a bucket of the name {name} already.")
            self._files.root.mkdir(parents=True, exist_ok=True)
            self._files.records.forget_bucket(name)
            self._files.records.write_bucket(name, {"project": project, "create_time": time.time()})
            with tree.directory(self._files.root, [name], create=True):
                return self._described(name)

    def ensure(self, name: str, project: str) -> None:
        """Make the bucket for this project unless it is there.

        Raises:
            InvalidName
        """
        with suppress(BucketExists):
            self.create(name, project)

    def list_of(self, project: str) -> Iterator[Bucket]:
        """The project's buckets and those that belong to none, by name."""
        if not self._files.root.is_dir():
            return
        with tree.directory(self._files.root, []) as root:
            found = sorted(entry.name for entry in tree.entries(root) if entry.is_directory)
        for name in found:
            if bucket_problem(name) is None:
                bucket = self._described(name)
                if bucket.project in (None, project):
                    yield bucket

    def delete(self, name: str) -> None:
        """
        Raises:
            InvalidName
            NoSuchBucket
            BucketNotEmpty: it has objects, or other things that are no directories.
        """
        with self._files.locked():
            self.get(name)
            refusal = BucketNotEmpty(f"The bucket {name} is not empty.")
            if list_objects(self._files, name, Question(limit=1)).found:
                raise refusal
            with tree.directory(self._files.root, []) as root:
                if not tree.remove_empty(root, name):
                    raise refusal
            self._files.records.forget_bucket(name)

    def _described(self, name: str) -> Bucket:
        kept = self._files.records.read_bucket(name)
        path: Path = self._files.root / name
        create_time = kept.get("create_time")
        if create_time is None:
            create_time = os.stat(path).st_ctime
        return Bucket(name, kept.get("project"), create_time)
