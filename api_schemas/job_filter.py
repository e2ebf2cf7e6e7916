"""What the filter of projects.jobs.list says (docs/contract.md 1.3): from its text to typed conditions.

The fields are those of a job as its client sees it: jobId, state, the three times, labels, and what
trainingInput has that is no list and no map. A scalar that was left out counts as its default, as it does on
the wire; what is inside a message that was left out matches nothing.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from functools import cache
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from api_schemas.enums import WireEnum
from api_schemas.filter_language import AllOf, Not, Restriction, Tree, parse_filter, wrong
from api_schemas.jobs import TrainingInput
from api_schemas.names import label_problem, shortened
from api_schemas.scalars import DURATION_SCHEMA, Message

STATES = ("QUEUED", "PREPARING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLING", "CANCELLED")
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.(?P<fraction>\d{1,9}))?([Zz]|[+-]\d\d:\d\d)")


class Kind(StrEnum):
    """What a field holds."""

    TEXT = "text"
    ENUM = "one of some names"
    NUMBER = "a whole number"
    DOUBLE = "a number"
    DURATION = "a duration"
    BOOLEAN = "true or false"
    TIME = "a time"
    LABELS = "all labels"
    MESSAGE = "a message"
    MAP = "a map"
    LIST = "a list"


ORDERED = frozenset({Kind.TEXT, Kind.NUMBER, Kind.DOUBLE, Kind.DURATION, Kind.TIME})


class Operator(Enum):
    """What a condition asks of the field's value."""

    EQUAL = "="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    ONE_OF = "in"
    BEGINS = "begins with"
    CONTAINS = "contains"
    PRESENT = "is there"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a job."""

    path: tuple[str, ...]
    """By JSON names: ("trainingInput", "scaleTier")."""
    kind: Kind
    names: tuple[str, ...] = ()
    """Of an enum, the default one first."""
    reader: Any = None
    """The type of the wire that reads it."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One question about one field; `value` is of the field's kind.

    Of a time it is whole seconds since the epoch, and asked are AT_LEAST and LESS only. Of ONE_OF, the only
    one for enums, it is a tuple of names. Of PRESENT it is None.
    """

    field: Field
    operator: Operator
    value: Any


Filter = Tree[Condition]


def parse_job_filter(text: str) -> Filter | None:
    """What a filter says; None if it is blank.

    Raises:
        InvalidArgument: it says nothing that can be asked of a job; tells where, and what would be right.
    """
    if "\0" in text:
        # PostgreSQL takes none in a text, and no field has one.
        raise wrong(text.index("\0"), "A filter has no character NUL.")
    return parse_filter(text, _conditions)


def _conditions(written: Restriction) -> Filter:
    if written.operator == "!=":
        return Not(_positive(written, "="))
    return _positive(written, written.operator)


def _positive(written: Restriction, operator: str) -> Filter:
    field = _find_field(written)
    if written.is_prefix and operator != ":":
        raise wrong(written.value_at, r"A * goes with : only; write \* if the character is meant.")
    if written.is_prefix and not written.value:
        return Condition(field, Operator.PRESENT, None)
    if field.kind in (Kind.MESSAGE, Kind.LABELS, Kind.LIST, Kind.MAP):
        named = ".".join(field.path)
        raise wrong(
            written.value_at,
            f"'{named}' is {field.kind}; it can only be asked whether it is there: {named}:*",
        )
    if operator not in ("=", ":") and field.kind not in ORDERED:
        raise wrong(
            written.value_at,
            f"'{'.'.join(field.path)}' is {field.kind}: it can be compared by =, != and : only.",
        )
    if field.kind == Kind.ENUM:
        return Condition(field, Operator.ONE_OF, _names(written, field))
    if field.kind == Kind.TEXT and operator == ":":
        if not written.value:
            raise wrong(
                written.value_at, 'An empty text is in every text; ask by = "", or by :* whether it is there.'
            )
        return Condition(field, Operator.BEGINS if written.is_prefix else Operator.CONTAINS, written.value)
    if written.is_prefix:
        raise wrong(
            written.value_at, f"'{'.'.join(field.path)}' is {field.kind}, which has no beginning to compare."
        )
    if field.kind == Kind.TIME:
        return _time_conditions(written, field, operator)
    asked = Operator.EQUAL if operator == ":" else Operator(operator)
    return Condition(field, asked, _value(written, field))


def _find_field(written: Restriction) -> Field:
    first, *rest = written.path
    if first == "labels" and rest:
        key = ".".join(rest)
        problem = label_problem(key, "")
        if problem is not None:
            raise wrong(written.field_at, problem)
        return Field(("labels", key), Kind.TEXT)
    found = _TOP.get(first)
    if first in ("trainingInput", "training_input"):
        found = _training_field(tuple(rest))
    elif rest:
        found = None
    if found is None:
        known = "jobId, state, createTime, startTime, endTime, labels.KEY and the fields of trainingInput"
        named = shortened(".".join(written.path), 60)
        raise wrong(written.field_at, f"'{named}' is no field to filter by; there are {known}.")
    return found


@cache
def _training_field(path: tuple[str, ...]) -> Field | None:
    """A field of trainingInput, whichever way its names are spelled."""
    model: type[Message] | None = TrainingInput
    names = ["trainingInput"]
    annotation: Any = TrainingInput
    for part in path:
        fields = {} if model is None else model.model_fields
        found = next(((n, f) for n, f in fields.items() if part in (n, f.alias)), None)
        if found is None:
            return None
        names.append(found[1].alias or found[0])
        annotation = found[1].annotation
        candidates = [each for each in get_args(annotation) if each is not NoneType]
        annotation = candidates[0] if NoneType in get_args(annotation) else annotation
        model = annotation if isinstance(annotation, type) and issubclass(annotation, Message) else None
    return _field(tuple(names), annotation)


def _field(path: tuple[str, ...], annotation: Any) -> Field:
    holds = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    if get_origin(holds) is list:
        return Field(path, Kind.LIST)
    if get_origin(holds) is dict:
        return Field(path, Kind.MAP)
    if issubclass(holds, Message):
        return Field(path, Kind.MESSAGE)
    if issubclass(holds, WireEnum):
        return Field(path, Kind.ENUM, names=tuple(member.name for member in sorted(holds)))
    # A duration is seconds here, and so a float like any other.
    of_float = Kind.DURATION if DURATION_SCHEMA in get_args(annotation) else Kind.DOUBLE
    kinds = {str: Kind.TEXT, bool: Kind.BOOLEAN, int: Kind.NUMBER, float: of_float}
    return Field(path, kinds[holds], reader=TypeAdapter(annotation))


def _names(written: Restriction, field: Field) -> tuple[str, ...]:
    """The names that are meant; read as everywhere, in any case and with `-` or `_`."""
    given = written.value.upper().replace("-", "_")
    meant = tuple(n for n in field.names if n == given or (written.is_prefix and n.startswith(given)))
    if not meant:
        known = ", ".join(field.names)
        raise wrong(written.value_at, f"'{shortened(written.value, 40)}' is none of {known}.")
    return meant


def _value(written: Restriction, field: Field) -> Any:
    if field.kind == Kind.TEXT:
        return written.value
    given = {"true": True, "false": False}.get(written.value) if field.kind == Kind.BOOLEAN else written.value
    try:
        return field.reader.validate_python(given)
    except ValidationError as error:
        told = error.errors(include_url=False)[0]
        why = told.get("ctx", {}).get("error", told["msg"])
        named = f"'{shortened(written.value, 40)}' is no {'.'.join(field.path)}"
        raise wrong(written.value_at, f"{named}: it {why}.") from error


def _time_conditions(written: Restriction, field: Field, operator: str) -> Filter:
    """Times are compared as they are shown, in whole seconds, though they are kept more finely."""
    form = RFC_3339.fullmatch(written.value)
    try:
        if form is None:
            raise ValueError("not RFC 3339")
        moment = datetime.fromisoformat(re.sub(r"\.\d+", "", written.value).upper())
        whole = int(moment.timestamp())
    except ValueError as error:
        right = 'one of RFC 3339, such as "2020-03-02T10:00:00Z"'
        named = shortened(written.value, 40)
        raise wrong(written.value_at, f"'{named}' is no time; give {right}.") from error
    up = whole + bool((form["fraction"] or "").strip("0"))
    at_least = Condition(field, Operator.AT_LEAST, whole + 1 if operator == ">" else up)
    less = Condition(field, Operator.LESS, up if operator == "<" else whole + 1)
    if operator in (">", ">="):
        return at_least
    if operator in ("<", "<="):
        return less
    return AllOf((at_least, less))


_TOP = {
    spelling: field
    for spellings, field in (
        (("jobId", "job_id"), Field(("jobId",), Kind.TEXT)),
        (("state",), Field(("state",), Kind.ENUM, names=STATES)),
        (("createTime", "create_time"), Field(("createTime",), Kind.TIME)),
        (("startTime", "start_time"), Field(("startTime",), Kind.TIME)),
        (("endTime", "end_time"), Field(("endTime",), Kind.TIME)),
        (("labels",), Field(("labels",), Kind.LABELS)),
    )
    for spelling in spellings
}
