"""What a filter's tree means for stored entries: a condition in SQL, and what an index can find.

A field that entries do not have is absent: no comparison with it holds, and NOT of one does.
"""

import operator as operators
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    SQLColumnExpression,
    String,
    and_,
    cast,
    false,
    func,
    literal,
    not_,
    or_,
    true,
)

from service.logging.query import And, BadQuery, Comparison, Node, Not, Or
from store.models import Job, LogEntry

RESOURCE_TYPE = "ml_job"
LOG_AREA = "root"
INSERT_ID_DIGITS = 20
SEVERITIES: Mapping[str, int] = {
    "DEFAULT": 0,
    "DEBUG": 100,
    "INFO": 200,
    "NOTICE": 300,
    "WARNING": 400,
    "ERROR": 500,
    "CRITICAL": 600,
    "ALERT": 700,
    "EMERGENCY": 800,
}
"""{name: number}; filters may use both."""
MAX_INTEGER = 2**63 - 1
"""Of a column, in every database."""

_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)(?:[Tt](?P<time>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))?(?P<zone>[Zz]|[+-]\d\d:?\d\d))?",
    re.ASCII,
)

_ORDERS: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operators.eq,
    ":": operators.eq,
    "!=": operators.ne,
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}

Compare = Callable[[Comparison], ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a filter asks for.

    Attributes:
        where: over the columns of LogEntry and Job; never null.
        job_id: of this job only; None if it may be of others.
        low: none before this time, in nanoseconds.
        high: none after it.
    """

    where: ColumnElement[bool]
    job_id: str | None = None
    low: int | None = None
    high: int | None = None


def wanted(tree: Node | None) -> Wanted:
    """What the filter with this tree asks for.

    Raises:
        BadQuery: a field can't be compared so, or not with that.
    """
    if tree is None:
        return Wanted(true())
    low, high = _times(tree)
    return Wanted(_condition(tree), _job(tree), low, high)


def _condition(node: Node) -> ColumnElement[bool]:
    match node:
        case And(parts):
            return and_(*map(_condition, parts))
        case Or(parts):
            return or_(*map(_condition, parts))
        case Not(part):
            return not_(_condition(part))
        case Comparison(field=None):
            return _contains(LogEntry.message, node.value)
        case _:
            compare = _FIELDS.get(node.field or "")
            return false() if compare is None else compare(node)


def _job(node: Node) -> str | None:
    """The one job whose entries a node can be true of, if that is plain to see."""
    match node:
        case Comparison(field=field, operator="=") if field in _JOB_ID:
            return node.value
        case And(parts):
            return next((job for job in map(_job, parts) if job is not None), None)
        case Or(parts):
            jobs = {_job(part) for part in parts}
            return jobs.pop() if len(jobs) == 1 else None
        case _:
            return None


def _times(node: Node) -> tuple[int | None, int | None]:
    """Between which times, both included, the entries are of which a node can be true."""
    match node:
        case Comparison(field=field) if field in _TIMES and node.operator != "!=":
            time = _nanoseconds(node)
            low = time if node.operator in ("=", ">", ">=") else None
            high = time if node.operator in ("=", "<", "<=") else None
            return low, high
        case And(parts):
            lows, highs = zip(*map(_times, parts), strict=True)
            return (
                max((low for low in lows if low is not None), default=None),
                min((high for high in highs if high is not None), default=None),
            )
        case Or(parts):
            lows, highs = zip(*map(_times, parts), strict=True)
            return (
                None if None in lows else min(lows),
                None if None in highs else max(highs),
            )
        case _:
            return None, None


# What each kind of field can be compared with


def _contains(column: SQLColumnExpression[str], text: str) -> ColumnElement[bool]:
    """In any case of letters."""
    if not text:
        return true()
    # Not LIKE: SQLite refuses long patterns, and takes minutes where a text nearly matches everywhere. What
    # is without a text that it contains is another text.
    lower = func.lower(column)
    return func.replace(lower, func.lower(text), "") != lower


def _text(column: SQLColumnExpression[str], *, any_case: bool = False) -> Compare:
    def compare(node: Comparison) -> ColumnElement[bool]:
        if node.operator == ":":
            found = _any(node)
            return _contains(column, node.value) if found is None else found
        if node.operator not in ("=", "!="):
            raise BadQuery(node.at, f"{node.field} can be compared with =, != and : only.")
        same = func.lower(column) == func.lower(node.value) if any_case else column == node.value
        return same if node.operator == "=" else not_(same)

    return compare


def _constant(text: str) -> Compare:
    def compare(node: Comparison) -> ColumnElement[bool]:
        if node.operator == ":":
            holds = node.value == "*" or node.value.lower() in text
        elif node.operator in ("=", "!="):
            holds = (node.value == text) == (node.operator == "=")
        else:
            raise BadQuery(node.at, f"{node.field} can be compared with =, != and : only.")
        return true() if holds else false()

    return compare


def _time(node: Comparison) -> ColumnElement[bool]:
    if node.operator == ":":
        found = _any(node)
        if found is None:
            raise BadQuery(node.at, "A timestamp can be compared with =, !=, <, <=, > and >= only.")
        return found
    return _ordered(LogEntry.time_ns, node.operator, _nanoseconds(node))


def _severity(node: Comparison) -> ColumnElement[bool]:
    found = _any(node)
    if found is not None:
        return found
    name = node.value.upper()
    number = SEVERITIES.get(name, int(name) if re.fullmatch(r"[0-9]{1,4}", name) else None)
    if number is None:
        raise BadQuery(node.at, f"'{node.value[:40]}' is no severity; they are {', '.join(SEVERITIES)}.")
    holds = _ORDERS[node.operator]
    return LogEntry.severity.in_([name for name, level in SEVERITIES.items() if holds(level, number)])


def _insert_id(node: Comparison) -> ColumnElement[bool]:
    """Compares as strings of digits of one length compare."""
    text, operator = node.value, node.operator
    if operator == ":":
        found = _any(node)
        if found is None:
            raise BadQuery(node.at, "An insertId can be compared with =, !=, <, <=, > and >= only.")
        return found
    digits = re.match(r"[0-9]*", text[:INSERT_ID_DIGITS], re.ASCII)
    assert digits is not None
    if digits.group() == text and len(text) == INSERT_ID_DIGITS:
        return _ordered(LogEntry.id, operator, int(text))
    if operator in ("=", "!="):
        return false() if operator == "=" else true()
    # Among the insertIds it would stand just before this one.
    rest = text[digits.end() :]
    fill = "9" if rest and (digits.end() == INSERT_ID_DIGITS or rest[0] > "9") else "0"
    before = int(digits.group().ljust(INSERT_ID_DIGITS, fill)) + (fill == "9")
    return _ordered(LogEntry.id, "<" if operator in ("<", "<=") else ">=", before)


def _ordered(column: SQLColumnExpression[int], operator: str, number: int) -> ColumnElement[bool]:
    compared: ColumnElement[bool] = _ORDERS[operator](column, max(-MAX_INTEGER, min(number, MAX_INTEGER)))
    return compared


def _any(node: Comparison) -> ColumnElement[bool] | None:
    """For `field:*`, which asks whether there is such a field."""
    return true() if node.operator == ":" and node.value == "*" and not node.is_quoted else None


def _nanoseconds(node: Comparison) -> int:
    match = _TIME.fullmatch(node.value)
    try:
        if match is None:
            raise ValueError
        zone = (match["zone"] or "Z").upper().replace("Z", "+00:00")
        time = datetime.fromisoformat(f"{match['date']}T{match['time'] or '00:00:00'}{zone}")
        since = time - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        wrong = f"'{node.value[:40]}' is no time such as \"2019-06-24T10:06:29.600425481Z\"."
        raise BadQuery(node.at, wrong) from None
    fraction = int((match["fraction"] or "0").ljust(9, "0"))
    nanoseconds = (since.days * 86400 + since.seconds) * 10**9 + fraction
    return max(-MAX_INTEGER, min(nanoseconds, MAX_INTEGER))


_JOB_ID = ("resource.labels.job_id",)
_TIMES = ("timestamp", "receiveTimestamp", "receive_timestamp")
_SAME: Mapping[tuple[str, ...], Compare] = {
    _JOB_ID: _text(Job.job_id),
    _TIMES: _time,
    ("resource.type",): _constant(RESOURCE_TYPE),
    ("resource.labels.project_id",): _text(LogEntry.project),
    ("resource.labels.task_name", "labels.task_name", "labels.ml.googleapis.com/task_name"): _text(
        LogEntry.task_name
    ),
    ("labels.trial_id", "labels.ml.googleapis.com/trial_id"): _text(
        func.coalesce(cast(LogEntry.trial, String), "")
    ),
    ("labels.ml.googleapis.com/job_id/log_area",): _constant(LOG_AREA),
    ("logName", "log_name"): _text(
        literal("projects/") + LogEntry.project + literal("/logs/") + LogEntry.task_name
    ),
    ("severity",): _severity,
    ("jsonPayload.levelname", "json_payload.levelname"): _text(LogEntry.severity, any_case=True),
    ("insertId", "insert_id"): _insert_id,
    ("jsonPayload.message", "json_payload.message", "jsonPayload", "textPayload", "text_payload"): _text(
        LogEntry.message, any_case=True
    ),
}
_FIELDS: Mapping[str, Compare] = {name: compare for names, compare in _SAME.items() for name in names}
