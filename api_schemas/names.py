"""Names that clients choose: of jobs, projects and labels (docs/contract.md 1.4, 1.9)."""

import re
import unicodedata

from api_schemas.errors import FieldViolation, InvalidArgument

JOB_ID = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,127}")
PROJECT_ID = re.compile(r"[a-z0-9]([a-z0-9:._-]{0,98}[a-z0-9])?")
MAX_LABELS = 64
MAX_LABEL_LENGTH = 63


def job_id_problem(job_id: str) -> str | None:
    """What is wrong with a job's name; None if nothing."""
    if JOB_ID.fullmatch(job_id):
        return None
    return (
        "A job id starts with a letter and has only letters, digits and underscores, at most 128: "
        f"'{shortened(job_id)}' does not."
    )


def check_project_id(project: str) -> None:
    """Accept what Google accepts as a project's name; it is also safe as the name of a directory.

    Raises:
        InvalidArgument: it is not a project's name.
    """
    if not PROJECT_ID.fullmatch(project) or ".." in project:
        wrong = (
            "A project id has lower-case letters, digits and -, starts and ends with a letter or digit: "
            f"'{shortened(project)}' does not."
        )
        raise InvalidArgument([FieldViolation("parent", wrong)])


def label_problem(key: str, value: str) -> str | None:
    """What is wrong with one label; None if nothing."""
    if not key or len(key) > MAX_LABEL_LENGTH or not _is_letter(key[0]) or not all(map(_is_word, key)):
        return (
            f"The key '{shortened(key)}' must start with a lower-case letter and have only lower-case "
            f"letters, digits, _ and -, at most {MAX_LABEL_LENGTH}."
        )
    if len(value) > MAX_LABEL_LENGTH or not all(map(_is_word, value)):
        return (
            f"The value '{shortened(value)}' of '{key}' must have only lower-case letters, digits, _ and -, "
            f"at most {MAX_LABEL_LENGTH}."
        )
    return None


def shortened(text: str, limit: int = 80) -> str:
    """A bad value as it can be quoted in an error, whatever its size."""
    return text if len(text) <= limit else text[:limit] + "…"


def _is_letter(character: str) -> bool:
    return unicodedata.category(character) in ("Ll", "Lo")


def _is_word(character: str) -> bool:
    return character in "_-" or _is_letter(character) or unicodedata.category(character).startswith("N")
