"""Scalars of proto3 JSON (docs/contract.md 1.7): what is accepted for each, and how it is written."""

import base64
import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, FailFast, GetJsonSchemaHandler, PlainSerializer
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue

from api_schemas.enums import WireEnum

INT32, INT64 = 2**31, 2**63
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
DURATION = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,9})?s")
MAX_DURATION = 315_576_000_000.0
"""Seconds, about 10,000 years; the range that proto gives its Duration."""


class Message(BaseModel):
    """A message: camelCase in JSON, snake_case here; a field that was not given is None or empty."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        # Errors name fields as the parser's paths do, in snake_case.
        loc_by_alias=False,
        extra="forbid",
        frozen=True,
        # An answer's own messages are built from values that were checked when they came in.
        revalidate_instances="never",
    )


def _integer(value: object, limit: int) -> int:
    if isinstance(value, bool):
        raise ValueError("must be an integer")
    if isinstance(value, float):
        if not value.is_integer():
            raise ValueError("must be an integer")
        value = int(value)
    if isinstance(value, str):
        if not re.fullmatch(r"-?[0-9]{1,20}", value):
            raise ValueError("must be an integer, as a number or a decimal string")
        value = int(value)
    if not isinstance(value, int):
        raise ValueError("must be an integer")
    if not -limit <= value < limit:
        raise ValueError(f"must be from {-limit} to {limit - 1}")
    return value


def _double(value: object) -> float:
    if isinstance(value, str) and (value in ("NaN", "Infinity", "-Infinity") or NUMBER.fullmatch(value)):
        # Numbers come as strings too: YAML 1.1 reads `1e-4` as one, since it has no point.
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError("is too large for a double") from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    if "\0" in value:
        # It can be neither an argument of a process nor a text of PostgreSQL.
        raise ValueError("must not contain the character NUL")
    return value


def _value_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return _text(value)


def decoded(value: object) -> bytes:
    """The bytes that base64 stands for, in either of its alphabets, padded or not.

    Raises:
        ValueError: it is no base64.
    """
    if isinstance(value, bytes):
        return value
    try:
        if not isinstance(value, str):
            raise ValueError("not a string")
        standard = value.replace("-", "+").replace("_", "/").rstrip("=")
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except ValueError as error:
        raise ValueError("must be bytes, in base64") from error


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _duration(value: object) -> float:
    """Seconds of a duration such as `3600s` or `3.5s`."""
    if not isinstance(value, str) or not DURATION.fullmatch(value):
        raise ValueError('must be seconds followed by "s", such as "3600s" or "3.5s"')
    seconds = float(value[:-1])
    if abs(seconds) > MAX_DURATION:
        raise ValueError(f"must be at most {MAX_DURATION:.0f}s")
    return seconds


def _write_duration(seconds: float) -> str:
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


def _write_double(value: float) -> Any:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


@dataclass(frozen=True, eq=False)
class Described:
    """The JSON Schema of a scalar: as it is written, and as it may be sent where more is taken."""

    written: JsonSchemaValue
    taken: JsonSchemaValue | None = None

    def __get_pydantic_json_schema__(self, _: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return dict(self.written if handler.mode == "serialization" else self.taken or self.written)


def _whole(limit: int) -> JsonSchemaValue:
    return {"type": "integer", "minimum": -limit, "maximum": limit - 1}


_DECIMAL: JsonSchemaValue = {"type": "string", "pattern": "^-?[0-9]{1,20}$"}
_DOUBLE: JsonSchemaValue = {"type": "number", "format": "double"}
_NO_NUMBER: JsonSchemaValue = {"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]}
_NUMERIC: JsonSchemaValue = {"type": "string", "pattern": f"^{NUMBER.pattern}$"}
VALUE_SCHEMA = Described(
    {"type": "string"}, {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]}
)
INT32_SCHEMA = Described({"type": "integer", "format": "int32"}, {"anyOf": [_whole(INT32), _DECIMAL]})
INT64_SCHEMA = Described({"type": "string", "format": "int64"}, {"anyOf": [_whole(INT64), _DECIMAL]})
DOUBLE_SCHEMA = Described({"anyOf": [_DOUBLE, _NO_NUMBER]}, {"anyOf": [_DOUBLE, _NO_NUMBER, _NUMERIC]})
BYTES_SCHEMA = Described({"type": "string", "format": "byte"})
DURATION_SCHEMA = Described(
    {"type": "string", "format": "google-duration"}, {"type": "string", "pattern": f"^{DURATION.pattern}$"}
)

Int32 = Annotated[int, BeforeValidator(lambda value: _integer(value, INT32)), INT32_SCHEMA]
Int64 = Annotated[
    int, BeforeValidator(lambda value: _integer(value, INT64)), PlainSerializer(str), INT64_SCHEMA
]
Double = Annotated[float, BeforeValidator(_double), PlainSerializer(_write_double), DOUBLE_SCHEMA]
Text = Annotated[str, BeforeValidator(_text)]
ValueText = Annotated[str, BeforeValidator(_value_text), VALUE_SCHEMA]
"""A hyperparameter's value or the like: text, or a number, which is written as text."""
Texts = Annotated[list[Text], FailFast()]
Doubles = Annotated[list[Double], FailFast()]
"""A list tells its first bad item only: a body has room for millions, each an error many times its size."""
Boolean = Annotated[bool, BeforeValidator(_boolean)]
Bytes = Annotated[bytes, BeforeValidator(decoded), PlainSerializer(_encoded), BYTES_SCHEMA]
Duration = Annotated[float, BeforeValidator(_duration), PlainSerializer(_write_duration), DURATION_SCHEMA]
"""Seconds; written as proto's JSON has it."""
FieldMask = Annotated[Text, Described({"type": "string", "format": "google-fieldmask"})]
"""Paths, parted by commas."""
Timestamp = Annotated[Text, Described({"type": "string", "format": "google-datetime"})]
"""Only ever written, as RFC 3339 in UTC."""

_Enum = TypeVar("_Enum", bound=WireEnum)


# No return type here: it would stand in the schema of what is written, where the enum's names belong.
WRITES_NAME = PlainSerializer(lambda value: value.name)


def reads(enum: type[WireEnum]) -> BeforeValidator:
    """The validator that reads this enum by name or number."""
    return BeforeValidator(enum.read)
