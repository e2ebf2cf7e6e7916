"""A filter of jobs as SQL that means the same on SQLite and PostgreSQL: the database does the looking.

No expression here is ever NULL, so that NOT turns every answer round.
"""

import json
import operator
from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    Text,
    and_,
    cast,
    false,
    func,
    not_,
    or_,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from api_schemas.filter_language import AllOf, AnyOf, Not
from api_schemas.job_filter import Condition, Field, Filter, Kind, Operator
from store.models import Job

COLUMNS: dict[str, Any] = {
    "jobId": Job.job_id,
    "state": Job.state,
    "createTime": Job.create_time,
    "startTime": Job.start_time,
    "endTime": Job.end_time,
}

ORDERS: dict[Operator, Callable[[Any, Any], Any]] = {
    Operator.LESS: operator.lt,
    Operator.AT_MOST: operator.le,
    Operator.MORE: operator.gt,
    Operator.AT_LEAST: operator.ge,
}


def matches(filter_: Filter) -> ColumnElement[bool]:
    """True of the jobs that a filter is about."""
    if isinstance(filter_, AllOf):
        return and_(*map(matches, filter_.terms))
    if isinstance(filter_, AnyOf):
        return or_(*map(matches, filter_.terms))
    if isinstance(filter_, Not):
        return not_(matches(filter_.term))
    return _holds(filter_)


class Bytewise(FunctionElement[str]):
    """A text that is ordered by its bytes, whatever the language of the database."""

    inherit_cache = True
    type = Text()


@compiles(Bytewise)
def _bytewise(element: Bytewise, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(Bytewise, "postgresql")
def _bytewise_postgresql(element: Bytewise, compiler: SQLCompiler, **options: Any) -> str:
    return f'({compiler.process(element.clauses, **options)}) COLLATE "C"'


def _holds(condition: Condition) -> ColumnElement[bool]:
    field, top = condition.field, condition.field.path[0]
    if field.kind == Kind.LABELS:
        return cast(Job.labels, Text) != "{}"
    if top == "trainingInput":
        return _holds_in_training_input(condition, field.path[1:])
    value: ColumnElement[Any] = _label(field.path[1]) if top == "labels" else COLUMNS[top]
    if condition.operator == Operator.PRESENT:
        return value.is_not(None)
    return and_(value.is_not(None), _compared(value, condition))


def _holds_in_training_input(condition: Condition, path: tuple[str, ...]) -> ColumnElement[bool]:
    if not path:
        return true()
    raw = _training_text(path)
    if condition.operator == Operator.PRESENT:
        return raw.is_not(None)
    compared = _compared(_with_default(condition.field, raw), condition)
    # In a message that was left out there is no default either.
    return and_(_training_text(path[:-1]).is_not(None), compared) if path[:-1] else compared


def _label(key: str) -> ColumnElement[str]:
    """A label's value, SQL's NULL where there is no such label."""
    as_it_is: ColumnElement[str] = Job.labels[key].as_string()
    escaped = json.dumps(key)[1:-1]
    if escaped == key:
        return as_it_is
    # Letters beyond ASCII are stored escaped, and SQLite before 3.45 compares names as they are stored.
    return func.coalesce(as_it_is, Job.labels[escaped].as_string())


def _training_text(path: tuple[str, ...]) -> ColumnElement[str]:
    """A value in trainingInput as text, SQL's NULL where there is none."""
    text: ColumnElement[str] = Job.training_input[path].as_string()
    return text


def _with_default(field: Field, raw: ColumnElement[str]) -> ColumnElement[Any]:
    """The value, or its default where it was left out."""
    if field.kind == Kind.NUMBER:
        return func.coalesce(cast(raw, BigInteger), 0)
    if field.kind == Kind.DOUBLE:
        return func.coalesce(cast(raw, Double), 0.0)
    if field.kind == Kind.DURATION:
        return func.coalesce(cast(func.rtrim(raw, "s"), Double), 0.0)
    if field.kind == Kind.BOOLEAN:
        return func.coalesce(Job.training_input[field.path[1:]].as_boolean(), false())
    return func.coalesce(raw, field.names[0] if field.names else "")


def _compared(value: ColumnElement[Any], condition: Condition) -> ColumnElement[bool]:
    given: Any = condition.value
    answer: ColumnElement[bool]
    match condition.operator:
        case Operator.ONE_OF:
            answer = value.in_(given)
        case Operator.BEGINS:
            # Not LIKE: on SQLite, capitals and small letters are the same to it.
            answer = func.substr(value, 1, len(given)) == given
        case Operator.CONTAINS:
            # Not LIKE either; a text without what it contains is another text.
            answer = func.replace(value, given, "") != value
        case Operator.EQUAL:
            answer = value.is_(given) if condition.field.kind == Kind.BOOLEAN else value == given
        case order:
            left = Bytewise(value) if condition.field.kind == Kind.TEXT else value
            answer = ORDERS[order](left, given)
    return answer
