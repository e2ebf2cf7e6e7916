"""The names of the metrics that a trial wrote, for the message that says why its objective is missing."""

from typing import Final

TAGS_LIMIT: Final = 100
TAG_LENGTH_LIMIT: Final = 500


def add_tag(tags: set[str], name: str) -> None:
    """Add a name unless there are TAGS_LIMIT, it is longer than TAG_LENGTH_LIMIT, or no database takes it."""
    if len(tags) < TAGS_LIMIT and len(name) <= TAG_LENGTH_LIMIT and _is_storable(name):
        tags.add(name)


def _is_storable(name: str) -> bool:
    """Whether a name is valid Unicode without the NUL that PostgreSQL refuses."""
    try:
        return b"\0" not in name.encode()
    except UnicodeEncodeError:
        return False
