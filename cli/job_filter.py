"""`--filter` and `--sort-by` of `vernier jobs list`, applied here and not by the service, as gcloud does.

A filter is terms joined by AND. A term is `FIELD=VALUE`, `FIELD!=VALUE`, `FIELD:VALUE` (contains) or
`FIELD:PREFIX*`; a field is a path into the job such as `state`, `jobId`, `labels.owner` or
`trainingInput.scaleTier`. The rest of gcloud's language is refused rather than misread.
"""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from cli.errors import UsageError

if TYPE_CHECKING:
    from client import Job

_TERM = re.compile(r"(?P<field>[A-Za-z][\w.-]*?)\s*(?P<operator>!=|=|:)\s*(?P<value>\"[^\"]*\"|[^\s()\"]+)")


def parse_filter(expression: str) -> "Callable[[Job], bool]":
    """A test of jobs; the empty expression takes them all.

    Raises:
        UsageError: the expression says more than this language can.
    """
    terms = re.split(r"\s+AND\s+", expression.strip()) if expression.strip() else []
    tests = [_term(text) for text in terms]
    return lambda job: all(test(job) for test in tests)


def sort_key(field: str) -> "tuple[Callable[[Job], str], bool]":
    """What to sort by, and whether the largest comes first (`~FIELD`). Jobs without the field sort as ""."""
    return lambda job: _at(job, field.lstrip("~")), field.startswith("~")


def _term(text: str) -> "Callable[[Job], bool]":
    match = _TERM.fullmatch(text)
    if match is None:
        raise UsageError(
            f"--filter: cannot read {text!r}; supported are FIELD=VALUE, FIELD!=VALUE, FIELD:VALUE and "
            "FIELD:PREFIX*, joined by AND"
        )
    field, operator, value = match["field"], match["operator"], match["value"].strip('"')
    if operator == "=":
        return lambda job: _at(job, field) == value
    if operator == "!=":
        return lambda job: _at(job, field) != value
    if value.endswith("*"):
        return lambda job: _at(job, field).startswith(value[:-1])
    return lambda job: value in _at(job, field)


def _at(job: object, path: str) -> str:
    """The value at a dotted path, as text; "" where there is none."""
    for name in path.split("."):
        job = job.get(name, "") if isinstance(job, Mapping) else ""
    return str(job)
