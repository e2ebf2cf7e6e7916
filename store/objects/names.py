"""Names of buckets and objects, and the places that `gs://` and `s3://` name.

An object is a file under its own name, so a name must be a path that stays where it is: no empty segment, no
`.` or `..`. A name that ends in `/` is a directory kept for its own sake, as consoles make them.
"""

import re
from dataclasses import dataclass
from typing import Literal, Self, get_args

from store.objects.errors import InvalidName

Scheme = Literal["gs", "s3"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
MAX_NAME_BYTES = 1024
MAX_SEGMENT_BYTES = 255
"""What Linux file systems take."""
_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?)*")
_UNUSABLE = re.compile(r"[\0\r\n]")


@dataclass(frozen=True, slots=True)
class Place:
    """What `gs://bucket/name` names: an object, or all objects below it. An empty name is the bucket."""

    bucket: str
    name: str
    scheme: Scheme = "gs"

    @classmethod
    def parse(cls, uri: str) -> Self:
        """The place that a URI names; slashes at its end count for nothing.

        Raises:
            InvalidName: it begins with neither gs:// nor s3://, or its bucket can't be one.
        """
        scheme = scheme_of(uri)
        if scheme is None:
            raise InvalidName("begins with neither gs:// nor s3://")
        bucket, _, name = uri[len(f"{scheme}://") :].partition("/")
        problem = bucket_problem(bucket)
        if problem is not None:
            raise InvalidName(problem)
        return cls(bucket, name.rstrip("/"), scheme)

    def __truediv__(self, below: str) -> "Place":
        return Place(self.bucket, f"{self.name}/{below}" if self.name else below, self.scheme)

    def __str__(self) -> str:
        bucket = f"{self.scheme}://{self.bucket}"
        return f"{bucket}/{self.name}" if self.name else bucket


def scheme_of(uri: str) -> Scheme | None:
    """Which kind of object store a location is in; None if it is in none."""
    start, separator, _ = uri.partition("://")
    return next((scheme for scheme in SCHEMES if separator and start.lower() == scheme), None)


def is_gs(uri: str) -> bool:
    """Whether a location is one of Google's kind of object store, which the service's own is."""
    return scheme_of(uri) == "gs"


def bucket_problem(bucket: str) -> str | None:
    """What is wrong with a bucket's name, as the rest of a sentence; None if nothing is."""
    longest = 222 if "." in bucket else 63
    # Google Cloud Storage asks for three characters; here a short name is nobody's trouble.
    if not 1 <= len(bucket) <= longest or any(len(part) > 63 for part in bucket.split(".")):
        return "must name a bucket of 1 to 63 characters, or of 222 with dots between parts of 63"
    if not _BUCKET.fullmatch(bucket):
        return "must name a bucket with lower-case letters, digits, '-', '_' and '.' only, not at its ends"
    return None


def name_problem(name: str) -> str | None:
    """What is wrong with an object's name, as the rest of a sentence; None if it can be a file's path."""
    if not name:
        return "must not be empty"
    segments = name.removesuffix("/").split("/")
    problem = next((why for why in map(segment_problem, segments) if why is not None), None)
    if problem is None and len(name.encode()) > MAX_NAME_BYTES:
        return f"is longer than {MAX_NAME_BYTES} bytes"
    return problem


def segment_problem(segment: str) -> str | None:
    """The same for one part between slashes."""
    if segment in ("", ".", ".."):
        return "must not have empty segments, '.' or '..': objects are files here"
    if _UNUSABLE.search(segment):
        return "must not have line ends or the character NUL"
    try:
        size = len(segment.encode())
    except UnicodeEncodeError:
        return "must be text that UTF-8 can write"
    if size > MAX_SEGMENT_BYTES:
        return f"must not have more than {MAX_SEGMENT_BYTES} bytes between slashes: objects are files here"
    return None


def check_bucket(bucket: str) -> None:
    """
    Raises:
        InvalidName: no bucket can be called so.
    """
    problem = bucket_problem(bucket)
    if problem is not None:
        raise InvalidName(f"A request {problem}.")


def segments_of(name: str) -> list[str]:
    """The path of an object inside its bucket.

    Raises:
        InvalidName: no object can be called so here.
    """
    problem = name_problem(name)
    if problem is not None:
        raise InvalidName(f"An object's name {problem}.")
    return name.removesuffix("/").split("/")
