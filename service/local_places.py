"""Rules for the places a job names: where packages are and where its trials may write."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from api_schemas.errors import FieldViolation
from api_schemas.jobs import TrainingInput
from api_schemas.locations import local_path

FETCHED = ("http", "https")


def place_violations(
    training_input: TrainingInput, allowed: tuple[Path, ...] | None
) -> Iterator[FieldViolation]:
    """What is wrong with packageUris and jobDir; nothing if all can be used.

    Args:
        allowed: directories that local paths must be in, after links are followed; None allows any.
    """
    for index, uri in enumerate(training_input.package_uris or ()):
        field = f"package_uris[{index}]"
        if urlsplit(uri).scheme in FETCHED:
            continue
        problem = _problem(uri, allowed, others="http:// and https://")
        if problem is None:
            path = local_path(uri)
            problem = None if path is not None and path.exists() else f"'{uri}' does not exist."
        if problem is not None:
            yield FieldViolation(field, problem)
    if training_input.job_dir is not None:
        problem = _problem(training_input.job_dir, allowed, others="")
        if problem is not None:
            yield FieldViolation("job_dir", problem)


def _problem(uri: str, allowed: tuple[Path, ...] | None, others: str) -> str | None:
    try:
        path = local_path(uri)
    except ValueError as error:
        return f"'{uri}' {error}."
    if path is None:
        also = f" and {others}" if others else ""
        return f"'{uri}' is of a kind that is not served yet; local paths, file://{also} are."
    if allowed is not None and not any(_real(path).is_relative_to(_real(top)) for top in allowed):
        tops = ", ".join(str(top) for top in allowed)
        return f"'{uri}' is outside the directories that VERNIER_LOCAL_PATHS allows: {tops}."
    return None


def _real(path: Path) -> Path:
    return path.resolve(strict=False)
