"""Listing objects in the order of their names, a page at a time, without reading what is not asked for.

The order is that of the names' UTF-8 bytes, `a-b` before `a/b`. Below one directory that is the order of its
entries if a directory counts with the slash after its name, so the tree can be walked in order, and a
directory whose names all lie before or behind those asked for is not opened.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from store.objects import tree
from store.objects.errors import NoSuchBucket
from store.objects.files import ObjectFiles
from store.objects.names import MAX_NAME_BYTES, check_bucket, segment_problem
from store.objects.records import StoredObject


@dataclass(frozen=True, slots=True)
class Question:
    """Which names of a bucket are asked for."""

    prefix: str = ""
    delimiter: str = ""
    """Names that have it after the prefix are told only up to there, once for all of them."""
    after: str = ""
    """Only what comes after this object or common prefix; where the page before ended."""
    start: str = ""
    """Only names from this one on."""
    end: str = ""
    """Only names before this one; empty: to the last."""
    limit: int = 1000
    """How many objects and common prefixes, together."""


@dataclass(frozen=True, slots=True)
class Listing:
    found: list[StoredObject | str]
    """Objects, and common prefixes as text, in order."""
    more: bool


def list_objects(files: ObjectFiles, bucket: str, question: Question) -> Listing:
    """One page of what a bucket holds.

    Raises:
        InvalidName
        NoSuchBucket
    """
    check_bucket(bucket)
    if not files.has_bucket(bucket):
        raise NoSuchBucket(f"The bucket {bucket} does not exist.")
    found: list[StoredObject | str] = []
    for entry in _asked_for(files, bucket, question):
        if len(found) == question.limit:
            return Listing(found, more=True)
        found.append(entry)
    return Listing(found, more=False)


def _asked_for(files: ObjectFiles, bucket: str, question: Question) -> Iterator[StoredObject | str]:
    walk = _Walk(files, bucket, question)
    last_prefix = None
    if _common_prefix(question.after, question) == question.after:
        walk.passed = question.after
    for name in walk.names():
        prefix = _common_prefix(name, question)
        if prefix is not None:
            if prefix != last_prefix and prefix > question.after:
                last_prefix = prefix
                walk.passed = prefix
                yield prefix
        elif name > question.after:
            stored = files.find(bucket, name)
            if stored is not None:
                yield stored


def _common_prefix(name: str, question: Question) -> str | None:
    if not question.delimiter:
        return None
    end = name.find(question.delimiter, len(question.prefix))
    return None if end < 0 else name[: end + len(question.delimiter)]


class _Walk:
    """The names of a bucket in order: of files, and of directories that may be kept as objects."""

    def __init__(self, files: ObjectFiles, bucket: str, question: Question) -> None:
        self._files = files
        self._bucket = bucket
        self._question = question
        self.passed: str | None = None
        """A common prefix that has been told: what else begins with it need not be walked."""

    def names(self) -> Iterator[str]:
        return self._below([], "")

    def _below(self, segments: list[str], path: str) -> Iterator[str]:
        try:
            with tree.directory(self._files.root, [self._bucket, *segments]) as parent:
                listed = tree.entries(parent)
        except OSError:
            return  # Gone meanwhile.
        # A trial can make names that no request could give; they are no objects.
        named = [
            f"{path}{entry.name}{'/' if entry.is_directory else ''}"
            for entry in listed
            if segment_problem(entry.name) is None
        ]
        del listed
        for name in sorted(named):
            if len(name.encode()) > MAX_NAME_BYTES:
                continue
            if not name.endswith("/"):
                if self._wanted(name):
                    yield name
            elif self._may_hold_wanted(name):
                if self._wanted(name) and self._files.folder(self._bucket, name) is not None:
                    yield name
                yield from self._below([*segments, name[len(path) : -1]], name)

    def _wanted(self, name: str) -> bool:
        question = self._question
        return (
            name.startswith(question.prefix)
            and name >= question.start
            and (not question.end or name < question.end)
            and not (self.passed is not None and name.startswith(self.passed))
        )

    def _may_hold_wanted(self, folder: str) -> bool:
        """Whether names that begin with `folder` can be asked for."""
        question = self._question
        if not (folder.startswith(question.prefix) or question.prefix.startswith(folder)):
            return False
        if question.end and folder >= question.end:
            return False
        # All names below lie before a name that is greater and does not begin with the folder.
        first = max(question.start, question.after)
        if first > folder and not first.startswith(folder):
            return False
        return self.passed is None or not folder.startswith(self.passed)
