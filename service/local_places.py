"""Rules for the places a job names: where packages are and where its trials may write."""

import os
from collections.abc import Iterator
from pathlib import Path

from api_schemas.errors import FieldViolation
from api_schemas.jobs import TrainingInput
from api_schemas.locations import local_path
from api_schemas.names import shortened
from store.objects.errors import ObjectStoreError
from store.objects.files import ObjectFiles
from store.objects.names import Place, scheme_of

FETCHED = ("http://", "https://")


def place_violations(
    training_input: TrainingInput,
    allowed: tuple[Path, ...] | None,
    objects_dir: Path | None,
    reads_s3: bool,
) -> Iterator[FieldViolation]:
    """What is wrong with packageUris and jobDir; nothing if all can be used.

    Args:
        allowed: directories that local paths must be in, after links are followed; None allows any.
        objects_dir: what is behind gs://; None if that is not the service's own: then it is not looked into.
        reads_s3: whether s3:// can be had; what is there is never looked into.
    """
    files = None if objects_dir is None else ObjectFiles(objects_dir)
    for index, uri in enumerate(training_input.package_uris or ()):
        field = f"package_uris[{index}]"
        if uri.lower().startswith(FETCHED):
            continue
        try:
            if scheme_of(uri) is not None:
                _check_object(uri, files, reads_s3)
                continue
            kinds = "local paths, file://, gs://, s3://, http:// and https://"
            path = _allowed_path(uri, allowed, kinds)
            # Unlike Path.exists, this answers for names that are too long and folders that can't be read.
            if not os.path.exists(path):
                yield FieldViolation(field, f"'{shortened(uri)}' does not exist.")
        except ValueError as problem:
            yield FieldViolation(field, str(problem))
    if training_input.job_dir:
        try:
            if scheme_of(training_input.job_dir) is not None:
                _check_prefix(training_input.job_dir, files, reads_s3)
            else:
                _allowed_path(training_input.job_dir, allowed, kinds="local paths, file://, gs:// and s3://")
        except ValueError as problem:
            yield FieldViolation("job_dir", str(problem))


def _check_object(uri: str, files: ObjectFiles | None, reads_s3: bool) -> None:
    """
    Raises:
        ValueError: the URI names no object, or one that is not there; says why.
    """
    place = _place(uri, reads_s3)
    if not place.name:
        raise ValueError(f"'{shortened(uri)}' names a bucket, not an object in it.")
    try:
        if files is not None and place.scheme == "gs" and files.find(place.bucket, place.name) is None:
            raise ValueError(f"'{shortened(uri)}' does not exist.")
    except ObjectStoreError as error:
        raise ValueError(f"'{shortened(uri)}' can't be an object. {error}") from error


def _check_prefix(uri: str, files: ObjectFiles | None, reads_s3: bool) -> None:
    """
    Raises:
        ValueError: no trial could write below this URI; says why.
    """
    place = _place(uri, reads_s3)
    if files is None or place.scheme != "gs":
        return
    try:
        path = files.path(place)
    except ObjectStoreError as error:
        raise ValueError(f"'{shortened(uri)}' can't be a directory. {error}") from error
    # Trials write there by its path, and links would lead them on.
    if _real(path) != _real(files.root) / path.relative_to(files.root):
        raise ValueError(f"'{shortened(uri)}' has a symbolic link on its way.")
    if any(os.path.isfile(each) for each in (path, *path.parents)):
        raise ValueError(f"'{shortened(uri)}' is an object, or below one; trials need a directory.")


def _place(uri: str, reads_s3: bool) -> Place:
    try:
        place = Place.parse(uri)
    except ObjectStoreError as error:
        raise ValueError(f"'{shortened(uri)}' {error}.") from error
    if place.scheme == "s3" and not reads_s3:
        raise ValueError(
            f"'{shortened(uri)}' can't be had: the service lacks the package botocore for s3://."
        )
    return place


def _allowed_path(uri: str, allowed: tuple[Path, ...] | None, kinds: str) -> Path:
    """The local path that a URI names.

    Raises:
        ValueError: it names none, or one outside the allowed directories; says why.
    """
    named = f"'{shortened(uri)}'"
    try:
        path = local_path(uri)
    except ValueError as error:
        raise ValueError(f"{named} {error}.") from error
    if path is None:
        raise ValueError(f"{named} is of a kind that is not served; {kinds} are.")
    if allowed is not None and not any(_real(path).is_relative_to(_real(top)) for top in allowed):
        tops = ", ".join(str(top) for top in allowed)
        raise ValueError(f"{named} is outside the directories that VERNIER_LOCAL_PATHS allows: {tops}.")
    return path


def _real(path: Path) -> Path:
    # Unlike Path.resolve, this does not raise for links that go round in a circle.
    return Path(os.path.realpath(path))
