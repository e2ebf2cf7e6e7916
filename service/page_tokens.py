"""Page tokens: opaque to clients, safe in a URL, and of no use in another list."""

import base64
import binascii
import hashlib

from api_schemas.errors import FieldViolation, InvalidArgument

DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 100
MAX_INT32 = 2**31 - 1
MAX_KEY = 2**63 - 1
"""Of a row, in every database."""


def make_token(project: str, filter_: str, last_pk: int) -> str:
    """A token for the page that follows the job with this key, in the list of this project and filter."""
    text = f"{last_pk}.{_check(project, filter_, last_pk)}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_token(project: str, filter_: str, token: str) -> int:
    """The key that `make_token` was given.

    Raises:
        InvalidArgument: the token is not one of this list's.
    """
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("ascii")
        number, check = text.split(".")
        last_pk = int(number)
    except (binascii.Error, ValueError):
        last_pk, check = -1, ""
    if not 0 <= last_pk <= MAX_KEY or check != _check(project, filter_, last_pk):
        wrong = (
            "Is not a token of this list; give the nextPageToken of an answer with the same filter, or none."
        )
        raise InvalidArgument([FieldViolation("page_token", wrong)])
    return last_pk


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


def _check(project: str, filter_: str, last_pk: int) -> str:
    return hashlib.sha256(f"{project}/{last_pk}/{filter_}".encode()).hexdigest()[:8]
