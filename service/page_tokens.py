"""Page tokens: opaque to clients, safe in a URL, and of no use in another list."""

import base64
import binascii
import hashlib
from collections.abc import Sequence

from api_schemas.errors import FieldViolation, InvalidArgument

DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 100
MAX_INT32 = 2**31 - 1
MAX_KEY = 2**63 - 1
"""Of a row, in every database."""


def make_token(of: Sequence[object], *place: int) -> str:
    """A token for the page that follows this place.

    Args:
        of: what tells the list from others, the same when the token comes back: its project, its filter.
        place: numbers from 0 to `MAX_KEY`, such as the key of the last row.
    """
    numbers = ".".join(map(str, place))
    return base64.urlsafe_b64encode(f"{numbers}.{_check(of, place)}".encode()).decode().rstrip("=")


def read_token(of: Sequence[object], token: str) -> tuple[int, ...]:
    """The place that `make_token` was given with the same `of`.

    Raises:
        InvalidArgument: the token is not one of this list's.
    """
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("ascii")
        *numbers, check = text.split(".")
        place = tuple(map(int, numbers))
    except (binascii.Error, ValueError):
        place, check = (), ""
    if not all(0 <= number <= MAX_KEY for number in place) or check != _check(of, place):
        wrong = (
            "Is not a token of this list; give the nextPageToken of an answer with the same filter, or none."
        )
        raise InvalidArgument([FieldViolation("page_token", wrong)])
    return place


def read_page_size(text: str | None) -> int:
    """The size asked for, between 1 and 100; 20 if none or 0.

    Raises:
        InvalidArgument: not a number, or negative.
    """
    if text is None or text == "":
        return DEFAULT_PAGE_SIZE
    if not text.isascii() or not text.isdigit() or len(text) > 10 or int(text) > MAX_INT32:
        wrong = "Must be a number from 0 to 100; more than 100 counts as 100."
        raise InvalidArgument([FieldViolation("page_size", wrong)])
    return min(int(text) or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def _check(of: Sequence[object], place: tuple[int, ...]) -> str:
    return hashlib.sha256(repr((*of, *place)).encode()).hexdigest()[:8]
