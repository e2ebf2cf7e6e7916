"""How a client's own words appear in messages: cut to a bounded length, and always encodable as UTF-8."""

import json
import math

MAX_QUOTED = 80
"""Characters of a value that a message repeats."""


def shorten(text: str) -> str:
    """`text` without lone surrogates, which no UTF-8 can carry, and cut to `MAX_QUOTED` characters."""
    cut = text if len(text) <= MAX_QUOTED else text[:MAX_QUOTED] + "..."
    return cut.encode("utf-8", "backslashreplace").decode("utf-8")


def quote(value: object) -> str:
    """A JSON value as a message shows it: strings in double quotes, containers by their kind only."""
    match value:
        case str():
            return json.dumps(shorten(value), ensure_ascii=False)
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case float() if math.isinf(value):
            return "a number too large for a double" if value > 0 else "a number too small for a double"
        case int() | float():
            return shorten(repr(value))
        case dict():
            return "an object"
        case list() | tuple():
            return "a list"
    return shorten(type(value).__name__)
