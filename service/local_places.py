"""Rules for the places a job names: where packages are and where its trials may write."""

import os
from collections.abc import Iterator
from pathlib import Path

from api_schemas.errors import FieldViolation
from api_schemas.jobs import TrainingInput
from api_schemas.locations import local_path
from api_schemas.names import shortened

FETCHED = ("http://", "https://")


def place_violations(
    training_input: TrainingInput, allowed: tuple[Path, ...] | None
) -> Iterator[FieldViolation]:
    """What is wrong with packageUris and jobDir; nothing if all can be used.

    Args:
        allowed: directories that local paths must be in, after links are followed; None allows any.
    """
    for index, uri in enumerate(training_input.package_uris or ()):
        field = f"package_uris[{index}]"
        if uri.lower().startswith(FETCHED):
            continue
        try:
            path = _allowed_path(uri, allowed, kinds="local paths, file://, http:// and https://")
            # Unlike Path.exists, this answers for names that are too long and folders that can't be read.
            if not os.path.exists(path):
                yield FieldViolation(field, f"'{shortened(uri)}' does not exist.")
        except ValueError as problem:
            yield FieldViolation(field, str(problem))
    if training_input.job_dir:
        try:
            _allowed_path(training_input.job_dir, allowed, kinds="local paths and file://")
        except ValueError as problem:
            yield FieldViolation("job_dir", str(problem))


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
        raise ValueError(f"{named} is of a kind that is not served yet; {kinds} are.")
    if allowed is not None and not any(_real(path).is_relative_to(_real(top)) for top in allowed):
        tops = ", ".join(str(top) for top in allowed)
        raise ValueError(f"{named} is outside the directories that VERNIER_LOCAL_PATHS allows: {tops}.")
    return path


def _real(path: Path) -> Path:
    # Unlike Path.resolve, this does not raise for links that go round in a circle.
    return Path(os.path.realpath(path))
