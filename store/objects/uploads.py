"""Objects that arrive piece by piece, over several requests and restarts of the service.

    <uploads>/<id>/session.json           what is to become of the content
                  /content                as much of it as has arrived
              finished/<id>/session.json  what became of it

The id is the right to write: whoever has it may, so it can't be guessed. What nobody writes to for a week is
removed. An upload that was finished still tells so until then, as the answer to its last piece may be lost.
How many there can be that are not finished is limited, since nothing else limits what they hold.
"""

import fcntl
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO

from store.objects.checksums import Checksums
from store.objects.errors import ContentMismatch, NoSuchUpload, TooLarge, TooManyUploads, UploadBusy
from store.objects.files import ObjectFiles
from store.objects.names import check_bucket, segments_of
from store.objects.preconditions import Preconditions
from store.objects.records import About, StoredObject, replace_text

KEPT_SECONDS = 7 * 24 * 3600.0
LOOK_SECONDS = 3600.0
"""How often it is looked for what is to be removed: it takes long where uploads are many."""
ID_BYTES = 32
JUST_FINISHED = "Another request has just finished this upload; ask again."
_ID = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Session:
    """What was announced when an upload began."""

    bucket: str
    name: str
    about: About
    preconditions: Preconditions
    announced: Checksums
    size: int | None
    """In bytes, if it was told."""
    generation: int | None = None
    """Of the object that it became, once it is finished."""


class Upload:
    """One upload, held by one request."""

    def __init__(self, files: ObjectFiles, folder: Path, content: BinaryIO, max_bytes: int) -> None:
        self._files = files
        self._folder = folder
        self._content = content
        self._max_bytes = max_bytes
        self.session = _read(folder)

    @property
    def received(self) -> int:
        """Bytes that have arrived so far."""
        return os.fstat(self._content.fileno()).st_size

    def expect(self, size: int) -> None:
        """Take note of the size, now that it is told.

        Raises:
            ContentMismatch: it was told before, and was another, or more has arrived.
            TooLarge
        """
        if size > self._max_bytes:
            raise too_large(self._max_bytes)
        if self.session.size not in (None, size) or self.received > size:
            known = self.received if self.session.size is None else self.session.size
            raise ContentMismatch(f"The upload is of {known} bytes, not of {size}.")
        if self.session.size is None:
            self.session = replace(self.session, size=size)
            self._write_session()

    def append(self, piece: bytes) -> None:
        """
        Raises:
            ContentMismatch: more arrives than was announced.
            TooLarge
        """
        total = self.received + len(piece)
        if total > self._max_bytes:
            raise too_large(self._max_bytes)
        if self.session.size is not None and total > self.session.size:
            raise ContentMismatch(f"More arrived than the {self.session.size} bytes that were announced.")
        # What is unbuffered may be written in part, as where the disk is nearly full.
        left = memoryview(piece)
        while left:
            left = left[self._content.write(left) :]

    def keep(self) -> None:
        """Make what has arrived outlast a loss of power, before it is acknowledged."""
        os.fsync(self._content.fileno())

    def finish(self, announced: Checksums) -> StoredObject:
        """Make the object of what has arrived.

        Raises:
            InvalidName, NameTaken
            PreconditionFailed
            ContentMismatch: it is not what was announced, now or at the beginning.
        """
        session = self.session
        both = Checksums(announced.md5 or session.announced.md5, announced.crc32c or session.announced.crc32c)
        try:
            stored = self._files.commit(
                session.bucket,
                session.name,
                self._folder / "content",
                session.about,
                session.preconditions,
                both,
            )
        except FileNotFoundError as error:
            raise _unknown() from error  # Given up by another request meanwhile.
        self.session = replace(session, generation=stored.generation, size=stored.size)
        with suppress(NoSuchUpload, FileNotFoundError):  # Given up just now, but the object is there.
            self._write_session()
            done = _finished_dir(self._files)
            done.mkdir(exist_ok=True)
            self._folder.rename(done / self._folder.name)
        return stored

    def _write_session(self) -> None:
        try:
            _write(self._folder, self.session)
        except FileNotFoundError as error:
            raise _unknown() from error


class Uploads:
    """All uploads under way in one store."""

    def __init__(self, files: ObjectFiles, max_bytes: int, max_open: int) -> None:
        self._files = files
        self._max_bytes = max_bytes
        self._max_open = max_open
        self._looked = 0.0

    def begin(self, session: Session) -> str:
        """Open an upload; gives its id.

        Raises:
            InvalidName
            PreconditionFailed: it could not be finished as things are.
            TooLarge
            TooManyUploads
        """
        check_bucket(session.bucket)
        segments_of(session.name)
        if session.size is not None and session.size > self._max_bytes:
            raise too_large(self._max_bytes)
        session.preconditions.check(self._files.find(session.bucket, session.name))
        now = time.time()
        if now > self._looked + LOOK_SECONDS:
            self._looked = now
            self.remove_old(now)
        if self._is_full():
            raise TooManyUploads(
                f"{self._max_open} uploads have been begun and not finished, and there can be no more "
                "(VERNIER_MAX_OPEN_UPLOADS). Finish some, or give them up with DELETE; what nobody writes to "
                "for a week is given up by itself."
            )
        upload_id = secrets.token_urlsafe(ID_BYTES)
        folder = self._files.uploads_dir / upload_id
        folder.mkdir(parents=True)
        _write(folder, session)
        (folder / "content").touch()
        return upload_id

    def finished(self, upload_id: str) -> StoredObject | None:
        """The object that an upload became; None while it is under way.

        Raises:
            NoSuchUpload: it is unknown, or its object has been replaced since.
        """
        folder, session = self._find(upload_id)
        if session.generation is None:
            # Without content it was finished by a process that died before it could say so.
            return None if (folder / "content").exists() else self._files.find(session.bucket, session.name)
        stored = self._files.find(session.bucket, session.name)
        if stored is None or stored.generation != session.generation:
            raise NoSuchUpload("The upload was finished, and its object has been replaced since.")
        return stored

    @contextmanager
    def hold(self, upload_id: str) -> Iterator[Upload]:
        """An upload that is under way, for one request at a time.

        Raises:
            NoSuchUpload
            UploadBusy: another request writes to it.
        """
        folder, _ = self._find(upload_id)
        try:
            # Unbuffered: what was written is what `received` says. It is never made here: what is written to
            # an upload that has just been finished would become the object in its turn.
            content = open(folder / "content", "r+b", buffering=0)  # noqa: SIM115 - closed below
        except FileNotFoundError as error:
            self._find(upload_id)  # Unless it was given up meanwhile.
            raise UploadBusy(JUST_FINISHED) from error
        with content:
            try:
                fcntl.flock(content, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UploadBusy("Another request is writing to this upload; try again.") from error
            if not (folder / "content").exists():
                # Finished since it was opened: what is written here now would go into the object.
                raise UploadBusy(JUST_FINISHED)
            content.seek(0, os.SEEK_END)
            yield Upload(self._files, folder, content, self._max_bytes)

    def drop(self, upload_id: str) -> None:
        """Give an upload up.

        Raises:
            NoSuchUpload
        """
        # At once: who still writes to it must find all of it or nothing.
        dropped = self._files.uploads_dir / f"dropped-{secrets.token_hex(8)}"
        with suppress(FileNotFoundError):
            self._find(upload_id)[0].rename(dropped)
        shutil.rmtree(dropped, ignore_errors=True)

    def remove_old(self, now: float) -> None:
        """Remove what has not been written to for `KEPT_SECONDS`."""
        if not self._files.uploads_dir.is_dir():
            return
        done = _finished_dir(self._files)
        for path in [*self._files.uploads_dir.iterdir(), *(done.iterdir() if done.is_dir() else ())]:
            with suppress(OSError):
                content = path / "content"
                newest = content if content.exists() else path
                if path.name != "lock" and path != done and newest.stat().st_mtime < now - KEPT_SECONDS:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _find(self, upload_id: str) -> tuple[Path, Session]:
        """An upload's folder, and what is written in it."""
        if _ID.fullmatch(upload_id):
            # In this order: one that is finished meanwhile is found in its new place.
            for place in (self._files.uploads_dir, _finished_dir(self._files)):
                with suppress(NoSuchUpload):
                    return place / upload_id, _read(place / upload_id)
        raise _unknown()

    def _is_full(self) -> bool:
        uploads = self._files.uploads_dir
        try:
            ids = [name for name in os.listdir(uploads) if _ID.fullmatch(name)]
        except FileNotFoundError:
            return False  # There has never been one.
        if len(ids) < self._max_open:
            return False
        # Without content it is finished, by an earlier release or a process that died before it was moved.
        return sum(os.path.exists(uploads / name / "content") for name in ids) >= self._max_open


def _finished_dir(files: ObjectFiles) -> Path:
    return files.uploads_dir / "finished"


def too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"The object is larger than {max_bytes} bytes (VERNIER_MAX_OBJECT_BYTES).")


def _unknown() -> NoSuchUpload:
    return NoSuchUpload("There is no such upload: it was given up, or nobody wrote to it for a week.")


def _write(folder: Path, session: Session) -> None:
    replace_text(folder / "session.json", json.dumps(asdict(session)))


def _read(folder: Path) -> Session:
    try:
        raw = json.loads((folder / "session.json").read_text())
    except FileNotFoundError as error:
        raise _unknown() from error
    raw["about"] = About(**raw["about"])
    raw["preconditions"] = Preconditions(**raw["preconditions"])
    raw["announced"] = Checksums(**raw["announced"])
    return Session(**raw)
