"""Objects as files: whole or not there, found by name, replaced, deleted, described.

    files = ObjectFiles(data_dir / "objects")
    with files.incoming() as partial:
        ...  # write to partial.file
        stored = files.commit("bucket", "a/b.txt", partial.path, About())
    with files.open("bucket", "a/b.txt") as (stored, file):
        ...

A change takes the store's lock, which holds between processes too; readers need none. What a trial does to
the same files is not held up by it: the last one to write wins, as on any disk.
"""

import errno
import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from store.objects import tree
from store.objects.checksums import Checksums, checksums_of
from store.objects.errors import InvalidName, NameTaken, NoSuchBucket, NoSuchObject, UploadBusy
from store.objects.names import Place, check_bucket, segments_of
from store.objects.preconditions import ANYHOW, Preconditions
from store.objects.records import About, Records, StoredObject

_MISSING = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.ENAMETOOLONG}
)


@dataclass(frozen=True, slots=True)
class Partial:
    """A file that is being written, on the file system of the objects."""

    path: Path
    file: BinaryIO


class ObjectFiles:
    """The objects of one store, all buckets. Any thread or process may use it at any time."""

    def __init__(self, root: Path) -> None:
        """
        Args:
            root: has a directory for each bucket; two more directories are made beside it when needed.
        """
        self.root = root
        self.uploads_dir = root.with_name(f"{root.name}.uploads")
        self.records = Records(root.with_name(f"{root.name}.meta"))
        self._lock_file = self.uploads_dir / "lock"

    def path(self, place: Place) -> Path:
        """The directory or file behind a place, there or not, for programs that open it themselves.

        Raises:
            InvalidName: there can't be any.
        """
        return self.root.joinpath(place.bucket, *(segments_of(place.name) if place.name else ()))

    def has_bucket(self, bucket: str) -> bool:
        try:
            with tree.directory(self.root, [bucket]):
                return True
        except OSError:
            return False

    def find(self, bucket: str, name: str) -> StoredObject | None:
        """The object of this name; None if there is none, or no such bucket.

        Raises:
            InvalidName
        """
        check_bucket(bucket)
        segments = segments_of(name)
        try:
            if name.endswith("/"):
                with tree.directory(self.root, [bucket, *segments]):
                    return self.folder(bucket, name)
            with tree.directory(self.root, [bucket, *segments[:-1]]) as parent:
                while (status := tree.file_status(parent, segments[-1])) is not None:
                    stored = self.describe(bucket, name, status)
                    if _settled(parent, segments[-1], stored):
                        return stored
                return None
        except OSError as error:
            if error.errno in _MISSING:
                return None
            raise

    def get(self, bucket: str, name: str) -> StoredObject:
        """
        Raises:
            InvalidName
            NoSuchBucket, NoSuchObject
        """
        found = self.find(bucket, name)
        if found is None:
            raise self._missing(bucket, name)
        return found

    @contextmanager
    def open(self, bucket: str, name: str) -> Iterator[tuple[StoredObject, BinaryIO]]:
        """The object and its content, which stays what it was when a new one takes the name meanwhile.

        Raises:
            InvalidName
            NoSuchBucket, NoSuchObject
        """
        stored, file = self.open_now(bucket, name)
        with file:
            yield stored, file

    def open_now(self, bucket: str, name: str) -> tuple[StoredObject, BinaryIO]:
        """The same for a caller that closes the file itself."""
        check_bucket(bucket)
        segments = segments_of(name)
        if name.endswith("/"):
            return self.get(bucket, name), open(os.devnull, "rb")
        try:
            with tree.directory(self.root, [bucket, *segments[:-1]]) as parent:
                while True:
                    descriptor, status = tree.open_file(parent, segments[-1])
                    with ExitStack() as closing:
                        file = closing.enter_context(os.fdopen(descriptor, "rb"))
                        stored = self.describe(bucket, name, status)
                        if _settled(parent, segments[-1], stored):
                            closing.pop_all()
                            return stored, file
        except OSError as error:
            if error.errno in _MISSING:
                raise self._missing(bucket, name) from error
            raise

    @contextmanager
    def incoming(self) -> Iterator[Partial]:
        """A new file for content that is to be committed. What was not is removed."""
        self.uploads_dir.mkdir(parents=True, exist_ok=True)
        path = self.uploads_dir / f"incoming-{secrets.token_hex(8)}"
        try:
            with path.open("xb") as file:
                yield Partial(path, file)
        finally:
            path.unlink(missing_ok=True)

    def commit(
        self,
        bucket: str,
        name: str,
        content: Path,
        about: About,
        preconditions: Preconditions = ANYHOW,
        announced: Checksums | None = None,
    ) -> StoredObject:
        """Give a file of `incoming` its name: from then on it is the object, whatever stood there before.

        The bucket is made if it is not there. The checksums in `about` are ignored; they are computed.

        Raises:
            InvalidName, NameTaken
            PreconditionFailed
            ContentMismatch: the content does not have the checksums that were announced.
        """
        check_bucket(bucket)
        segments = segments_of(name)
        with content.open("rb") as file:
            sums = checksums_of(file)
            os.fsync(file.fileno())
        if announced is not None:
            sums.check(announced)
        about = replace(about, md5=sums.md5, crc32c=sums.crc32c, metageneration=1, updated=None)
        size = content.stat().st_size
        if name.endswith("/") and size:
            raise InvalidName("An object whose name ends in '/' stands for a directory and has no content.")
        with self.locked():
            current = self.find(bucket, name)
            preconditions.check(current)
            try:
                return self._place(bucket, segments, name, content, size, about, current)
            except OSError as error:
                raise _explained(error, name) from error

    def update(
        self,
        bucket: str,
        name: str,
        change: Callable[[StoredObject], About],
        preconditions: Preconditions = ANYHOW,
    ) -> StoredObject:
        """Change the metadata of an object, which counts one metageneration further.

        Raises:
            InvalidName
            NoSuchBucket, NoSuchObject
            PreconditionFailed
        """
        with self.locked():
            current = self.get(bucket, name)
            preconditions.check(current)
            about = change(current)
            about = replace(about, metageneration=current.about.metageneration + 1, updated=time.time())
            updated = replace(current, about=about)
            self.records.write(updated, None)
            return updated

    def delete(self, bucket: str, name: str, preconditions: Preconditions = ANYHOW) -> None:
        """Remove an object. Directories stay, as a trial may be about to write there; empty ones don't show.

        Raises:
            InvalidName
            NoSuchBucket, NoSuchObject
            PreconditionFailed
        """
        with self.locked():
            current = self.get(bucket, name)
            preconditions.check(current)
            segments = segments_of(name)
            try:
                with tree.directory(self.root, [bucket, *segments[:-1]]) as parent:
                    if name.endswith("/"):
                        tree.remove_empty(parent, segments[-1])
                    else:
                        os.unlink(segments[-1], dir_fd=parent)
                        os.fsync(parent)
            except OSError as error:
                if error.errno in _MISSING:  # A trial was quicker.
                    raise self._missing(bucket, name) from error
                raise
            self.records.forget(bucket, name)

    def describe(self, bucket: str, name: str, status: os.stat_result) -> StoredObject:
        """The object that a file is."""
        generation, size = status.st_mtime_ns, status.st_size
        about = self.records.find(bucket, name, generation, size) or About()
        return StoredObject(bucket, name, size, generation, about)

    def folder(self, bucket: str, name: str) -> StoredObject | None:
        """The object that a directory is, if it was made to be one; `name` ends in a slash."""
        newest = self.records.newest(bucket, name)
        return None if newest is None else StoredObject(bucket, name, 0, *newest)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the store, against other threads and processes; for moments, not for reading content."""
        self.uploads_dir.mkdir(parents=True, exist_ok=True)
        with self._lock_file.open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _place(
        self,
        bucket: str,
        segments: list[str],
        name: str,
        content: Path,
        size: int,
        about: About,
        current: StoredObject | None,
    ) -> StoredObject:
        self.root.mkdir(parents=True, exist_ok=True)
        # Later than what it replaces, by whatever clock that was written.
        generation = max(time.time_ns(), 0 if current is None else current.generation + 1)
        if name.endswith("/"):
            with tree.directory(self.root, [bucket, *segments], create=True):
                stored = StoredObject(bucket, name, 0, generation, about)
                self.records.write(stored, None)
                return stored
        with tree.directory(self.root, [bucket, *segments[:-1]], create=True) as parent:
            os.utime(content, ns=(generation, generation))
            # A file system may keep times less exactly.
            stored = StoredObject(bucket, name, size, content.stat().st_mtime_ns, about)
            self.records.write(stored, current)
            try:
                os.replace(content, segments[-1], dst_dir_fd=parent)
            except IsADirectoryError:
                if self.folder(bucket, f"{name}/") is not None or not tree.remove_empty(parent, segments[-1]):
                    raise
                os.replace(content, segments[-1], dst_dir_fd=parent)
            os.fsync(parent)
        return stored

    def _missing(self, bucket: str, name: str) -> NoSuchBucket | NoSuchObject:
        if not self.has_bucket(bucket):
            return NoSuchBucket(f"The bucket {bucket} does not exist.")
        return NoSuchObject(f"There is no object {_named(bucket, name)}.")


def _settled(parent: int, segment: str, stored: StoredObject) -> bool:
    """Whether nothing is known of an object because there is nothing.

    It may also have been replaced twice since it was found: its record is gone, and there is a newer object.
    """
    if stored.about != About():
        return True
    now = tree.file_status(parent, segment)
    return now is None or (now.st_mtime_ns, now.st_size) == (stored.generation, stored.size)


def _named(bucket: str, name: str) -> str:
    return f"{bucket}/{name}"


def _explained(error: OSError, name: str) -> Exception:
    """What an error of the file system means for whoever wanted to store an object."""
    if error.errno in (errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENOTEMPTY):
        return NameTaken(
            f"'{name}' can't be stored: objects are files here, and one name would need a file where another "
            "has a directory."
        )
    if error.errno == errno.ENOENT:
        return UploadBusy(f"The directory of '{name}' was removed while it was stored; try again.")
    if error.errno == errno.ENAMETOOLONG:
        return InvalidName(
            f"An object's name is too long for the file system of this service: '{name[:80]}…'."
        )
    return error
