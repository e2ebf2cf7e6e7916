"""From the bytes of a request to a message, or to an error that names every field at fault.

Three passes, each of which tells all it finds: is it JSON of a sane shape; has every field a name that exists
(`_Reader`); has every value its type (pydantic) and its rule (`rules.py`).
"""

import json
from collections.abc import Iterator
from functools import cache
from types import NoneType
from typing import Any, NoReturn, get_args, get_origin

from pydantic import ValidationError

from api_schemas.errors import FieldViolation, InvalidArgument
from api_schemas.jobs import OUTPUT_ONLY, Job
from api_schemas.names import shortened
from api_schemas.rules import job_violations
from api_schemas.scalars import Message

MAX_DEPTH = 64
TOO_DEEP = f"It is nested deeper than {MAX_DEPTH} levels."
MAX_ENTRIES = 1000
"""Of a map or of a list of messages; lists of scalars may be longer."""
TOLD_AT_MOST = 100
"""Violations in one answer."""


def parse_job(body: bytes) -> Job:
    """Read the body of projects.jobs.create.

    Raises:
        InvalidArgument: it is no job; each violation names a field, by its path in the body.
    """
    job = _read(body)
    violations = list(_first(job_violations(job)))
    if violations:
        raise InvalidArgument(violations)
    return job


def load_object(body: bytes) -> dict[str, Any]:
    """Read bytes as one JSON object.

    Raises:
        InvalidArgument: they are not UTF-8, not JSON, nested too deep, or something else than an object.
    """
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
        if b"\\u" in body:
            # Half of a surrogate pair is a string that can't be stored or sent.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except ValueError as error:
        raise _bad_payload(shortened(str(error), 200)) from error
    except RecursionError as error:
        raise _bad_payload(TOO_DEEP) from error
    if not isinstance(value, dict):
        raise _bad_payload("The body must be a JSON object.")
    if _is_deeper(value, MAX_DEPTH):
        raise _bad_payload(TOO_DEEP)
    return value


def _read(body: bytes) -> Job:
    reader = _Reader()
    # What only the service writes may be anything: clients send back what they got.
    raw = {key: value for key, value in load_object(body).items() if key not in _IGNORED}
    fields = reader.message(raw, Job, "job")
    for noted in (reader.unknown, reader.invalid):
        if noted:
            raise _payload_error(list(_first(iter(noted))))
    try:
        return Job.model_validate(fields)
    except ValidationError as error:
        raise _payload_error(list(_first(_type_violations(error)))) from None


class _Reader:
    """Renames fields to ours, drops nulls, and notes what is no field at all.

    Takes no more notes than are told, and one more that tells that there were more.
    """

    def __init__(self) -> None:
        self.unknown: list[FieldViolation] = []
        self.invalid: list[FieldViolation] = []

    def message(self, value: Any, model: type[Message], path: str) -> Any:
        if not isinstance(value, dict):
            self._wrong(path, value, "must be an object")
            return None
        read: dict[str, Any] = {}
        for key, item in value.items():
            field = _fields(model).get(key)
            if field is None:
                self._not_found(path, key)
            elif item is None:
                continue  # proto3 JSON: null is absent.
            elif field[0] in read:
                self._wrong(f"{path}.{field[0]}", item, "is given twice, in two spellings")
            else:
                read[field[0]] = self._field(item, *field[1:], f"{path}.{field[0]}")
        return read

    def _field(self, value: Any, kind: str, model: type[Message] | None, path: str) -> Any:
        if kind == "list":
            if not isinstance(value, list):
                return self._wrong(path, value, "must be an array")
            if any(item is None for item in value):
                return self._wrong(path, None, "must not contain null")
            if model is None:
                return value
            if len(value) > MAX_ENTRIES:
                return self._wrong(path, value, f"must have at most {MAX_ENTRIES} items")
            return [self.message(item, model, f"{path}[{index}]") for index, item in enumerate(value)]
        if kind == "map":
            if not isinstance(value, dict):
                return self._wrong(path, value, "must be an object")
            if len(value) > MAX_ENTRIES:
                return self._wrong(path, value, f"must have at most {MAX_ENTRIES} entries")
            return value
        return value if model is None else self.message(value, model, path)

    def _not_found(self, path: str, name: str) -> None:
        if len(self.unknown) <= TOLD_AT_MOST:
            said = f"Unknown name \"{shortened(name)}\" at '{path}': Cannot find field."
            self.unknown.append(FieldViolation(path, f"Invalid JSON payload received. {said}"))

    def _wrong(self, path: str, value: Any, why: str) -> None:
        if len(self.invalid) <= TOLD_AT_MOST:
            self.invalid.append(_invalid(path, value, why))


@cache
def _fields(model: type[Message]) -> dict[str, tuple[str, str, type[Message] | None]]:
    """{spelling: (name, "one" | "list" | "map", the message it holds if it holds one)}."""
    table = {}
    for name, field in model.model_fields.items():
        kind, nested = _kind(field.annotation)
        for spelling in (name, field.alias or name):
            table[spelling] = (name, kind, nested)
    return table


def _kind(annotation: Any) -> tuple[str, type[Message] | None]:
    origin = get_origin(annotation)
    if origin is list:
        return "list", _message_in(get_args(annotation)[:1])
    if origin is dict:
        return "map", None
    return "one", _message_in(get_args(annotation) or (annotation,))


def _message_in(candidates: tuple[Any, ...]) -> type[Message] | None:
    for candidate in candidates:
        if candidate is not NoneType and isinstance(candidate, type) and issubclass(candidate, Message):
            return candidate
    return None


def _type_violations(error: ValidationError) -> Iterator[FieldViolation]:
    for found in error.errors(include_url=False, include_context=True):
        path = "job"
        for part in found["loc"]:
            path += f"[{part}]" if isinstance(part, int) else f".{shortened(part)}"
        cause = found.get("ctx", {}).get("error")
        yield _invalid(path, found["input"], str(cause) if cause is not None else found["msg"])


def _invalid(path: str, value: Any, why: str) -> FieldViolation:
    quoted = shortened(json.dumps(value, ensure_ascii=False)) if _is_small(value) else "…"
    return FieldViolation(path, f"Invalid value at '{path}', {quoted}: {why}.")


def _is_small(value: Any) -> bool:
    # What is quoted is cut to a line anyway; a list of millions need not be written out first.
    return not isinstance(value, list | dict) or len(value) < 20


def _payload_error(violations: list[FieldViolation]) -> InvalidArgument:
    return InvalidArgument(violations, "\n".join(violation.description for violation in violations))


def _bad_payload(why: str) -> InvalidArgument:
    message = f"Invalid JSON payload received. {why}"
    return InvalidArgument([FieldViolation("job", message)], message)


def _first(violations: Iterator[FieldViolation]) -> Iterator[FieldViolation]:
    for count, violation in enumerate(violations, start=1):
        if count > TOLD_AT_MOST:
            yield FieldViolation("job", f"More than {TOLD_AT_MOST} fields are wrong; these are the first.")
            return
        yield violation


def _is_deeper(outermost: dict[str, Any], levels: int) -> bool:
    # Level by level: what comes from outside must not decide how deep we recurse.
    level: list[Any] = [outermost]
    for _ in range(levels):
        items = (item for outer in level for item in (outer.values() if isinstance(outer, dict) else outer))
        level = [item for item in items if isinstance(item, list | dict)]
    return bool(level)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f'{name} is not JSON; the string "{name}" is.')


_IGNORED = frozenset(spelling for spelling, field in _fields(Job).items() if field[0] in OUTPUT_ONLY)
