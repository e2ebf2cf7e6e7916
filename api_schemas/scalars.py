"""The scalars of proto3 JSON (CONTRACT.md 1.7) as annotated types: lenient in what they read, exact in what
they write.

    type        in Python             read from                              written as
    Text        str                   string without NUL                     string
    Flag        bool                  true, false                            the same
    Int32       int                   2, 2.0, "2"                            number
    Int64       int                   the same                               decimal string
    Double      float                 1.5, "1.5", "NaN", "Infinity"          number, or "NaN", "Infinity"
    Duration    Decimal, seconds      "3600s", up to nine decimals           "3600s", with 0, 3, 6 or 9 decimals
    Timestamp   float, since 1970     RFC 3339, or a number of seconds       RFC 3339, UTC, whole seconds
    Bytes       bytes                 base64 of either alphabet              standard base64

A value that can't be read raises PydanticCustomError of type `invalid_value`, which `parsing` words for
clients.
"""

import base64
import binascii
import math
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, StrictBool
from pydantic_core import PydanticCustomError

from api_schemas.quoting import quote

_DECIMAL = re.compile(r"-?[0-9]{1,19}")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_DURATION = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,9})?s")
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?)([Zz]|[-+][0-9]{2}:[0-9]{2})"
)

MAX_DURATION = 315_576_000_000
"""Seconds in 10,000 years: the most a proto duration holds."""
FIRST_SECOND = -62_135_596_800
LAST_SECOND = 253_402_300_799
"""The first second of year 1 and the last of 9999: what RFC 3339 can say."""


def invalid(kind: str, value: object, hint: str = "") -> PydanticCustomError:
    """The error for a value that is no `kind`.

    Args:
        hint: what would be right, without a full stop.
    """
    return PydanticCustomError(
        "invalid_value", "({kind}), {shown}. {hint}", {"kind": kind, "shown": quote(value), "hint": hint}
    )


def integral(value: object) -> int | None:
    """The integer that a JSON number is, 2.0 included; None for anything else, booleans too."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None


def _read_int(bits: int, value: object) -> int:
    kind = f"INT{bits}"
    number = int(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else integral(value)
    if number is None:
        raise invalid(kind, value, "An integer is needed")
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise invalid(kind, value, f"It does not fit into {bits} bits")
    return number


def _read_int32(value: object) -> int:
    return _read_int(32, value)


def _read_int64(value: object) -> int:
    return _read_int(64, value)


def _read_double(value: object) -> float:
    if isinstance(value, str) and value in _NOT_FINITE:
        return _NOT_FINITE[value]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number and not (isinstance(value, str) and _NUMBER.fullmatch(value)):
        raise invalid("DOUBLE", value, "A number is needed")
    try:
        # Adding zero turns -0.0, which would reach a trainer's command line as `-0`, into 0.0.
        return float(value) + 0.0  # type: ignore[arg-type]
    except OverflowError:
        raise invalid("DOUBLE", value, "It does not fit into a double") from None


def _write_double(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _read_duration(value: object) -> Decimal:
    if isinstance(value, Decimal):
        value = _write_duration(value)
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise invalid("DURATION", value, "Write seconds with an s, as in 3600s or 3.5s")
    seconds = Decimal(value[:-1])
    if abs(seconds) > MAX_DURATION:
        raise invalid("DURATION", value, f"At most {MAX_DURATION}s")
    return seconds


def _write_duration(seconds: Decimal) -> str:
    whole, _, fraction = f"{seconds:.9f}".partition(".")
    while fraction.endswith("000"):
        fraction = fraction[:-3]
    return f"{whole}.{fraction}s" if fraction else f"{whole}s"


def _read_timestamp(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value) if abs(value) <= LAST_SECOND else math.inf
    else:
        match = _RFC3339.fullmatch(value) if isinstance(value, str) else None
        try:
            seconds = _epoch_seconds(*match.groups()) if match else math.nan
        except ValueError:  # A 30th of February, a 25th hour.
            seconds = math.nan
    if not FIRST_SECOND <= seconds <= LAST_SECOND:
        raise invalid("TIMESTAMP", value, "Write RFC 3339, as in 2020-03-02T10:00:00Z")
    return seconds


def _epoch_seconds(date: str, time: str, offset: str) -> float:
    moment = datetime.fromisoformat(f"{date}T{time}{'+00:00' if offset in 'Zz' else offset}")
    return (moment - datetime.fromtimestamp(0, UTC)).total_seconds()


def _write_timestamp(seconds: float) -> str:
    # isoformat and not strftime, which writes the years before 1000 without their zeros.
    return datetime.fromtimestamp(math.floor(seconds), UTC).isoformat().replace("+00:00", "Z")


def _read_bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        if isinstance(value, str):
            standard = value.rstrip("=").replace("-", "+").replace("_", "/").encode("ascii")
            return base64.b64decode(standard + b"=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        pass
    raise invalid("BYTES", value, "Base64 is needed")


def _write_bytes(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _without_nul(value: str) -> str:
    # Neither a command line, nor an environment variable, nor PostgreSQL can hold one.
    if "\0" in value:
        raise invalid("STRING", value, "It contains the NUL character")
    return value


def _empty_is_absent(value: object) -> object:
    return None if value == "" else value


Text = Annotated[str, AfterValidator(_without_nul)]
OptionalText = Annotated[Text | None, BeforeValidator(_empty_is_absent)]
"""A field on its own, where proto3 can't tell an empty string from none: both are None."""
Flag = StrictBool
Int32 = Annotated[int, BeforeValidator(_read_int32)]
Int64 = Annotated[int, BeforeValidator(_read_int64), PlainSerializer(str, when_used="json")]
Double = Annotated[float, BeforeValidator(_read_double), PlainSerializer(_write_double, when_used="json")]
Duration = Annotated[
    Decimal, BeforeValidator(_read_duration), PlainSerializer(_write_duration, when_used="json")
]
Timestamp = Annotated[
    float, BeforeValidator(_read_timestamp), PlainSerializer(_write_timestamp, when_used="json")
]
Bytes = Annotated[bytes, BeforeValidator(_read_bytes), PlainSerializer(_write_bytes, when_used="json")]
