"""From the bytes of a request to a message, or to an error that names every field at fault.

Three passes, each of which tells all it finds: is it JSON of a sane shape; has every field a name that exists
(`_Reader`); has every value its type (pydantic) and its rule (`rules.py`).
"""

import json
from collections.abc import Iterator
from functools import cache
from types import NoneType
from typing import Any, NoReturn, TypeVar, get_args, get_origin

from pydantic import ValidationError

from api_schemas.errors import FieldViolation, InvalidArgument
from api_schemas.jobs import OUTPUT_ONLY, Job
from api_schemas.names import shortened
from api_schemas.rules import job_violations
from api_schemas.scalars import Message, decoded

MAX_DEPTH = 64
TOO_DEEP = f"It is nested deeper than {MAX_DEPTH} levels."
MAX_ENTRIES = 1000
"""Of a map or of a list of messages; lists of scalars may be longer."""
TOLD_AT_MOST = 100
"""Violations in one answer."""

M = TypeVar("M", bound=Message)


def parse_job(body: bytes) -> Job:
    """Read the body of projects.jobs.create.

    Raises:
        InvalidArgument: it is no job; each violation names a field, by its path in the body.
    """
    # What only the service writes may be anything: clients send back what they got.
    raw = {key: value for key, value in load_object(body).items() if key not in _IGNORED}
    job = read_message(raw, Job, "job")
    refuse(job_violations(job))
    return job


def parse_patch(body: bytes) -> tuple[Job, bytes | None]:
    """Read the body of projects.jobs.patch: the job, of which nothing needs to be given, and its etag.

    Raises:
        InvalidArgument: a field has no such name, or not its type. The rules beyond are not looked at.
    """
    raw = load_object(body)
    job = read_message({key: value for key, value in raw.items() if key not in _IGNORED}, Job, "job")
    etag = raw.get("etag")
    try:
        return job, None if etag is None else decoded(etag) or None
    except ValueError as problem:
        raise _payload_error([_invalid("job.etag", etag, str(problem))]) from problem


def refuse(violations: Iterator[FieldViolation]) -> None:
    """Raise `InvalidArgument` with the first of these, if there are any."""
    told = list(_first(violations))
    if told:
        raise InvalidArgument(told)


def load_object(body: bytes, path: str = "job") -> dict[str, Any]:
    """Read bytes as one JSON object.

    Args:
        path: what the object is called in errors.

    Raises:
        InvalidArgument: they are not UTF-8, not JSON, nested too deep, or something else than an object.
    """
    try:
        value = json.loads(
            body.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_without_duplicates
        )
        if b"\\u" in body:
            # Half of a surrogate pair is a string that can't be stored or sent.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except ValueError as error:
        raise _bad_payload(path, shortened(str(error), 200)) from error
    except RecursionError as error:
        raise _bad_payload(path, TOO_DEEP) from error
    if not isinstance(value, dict):
        raise _bad_payload(path, "The body must be a JSON object.")
    if _is_deeper(value, MAX_DEPTH):
        raise _bad_payload(path, TOO_DEEP)
    return value


def read_message(raw: dict[str, Any], model: type[M], path: str) -> M:
    """The message that a JSON object is.

    Args:
        path: what the object is called in errors; "" if it is the whole request.

    Raises:
        InvalidArgument: a field has no such name, or not its type.
    """
    reader = _Reader()
    fields = reader.message(raw, model, path)
    for noted in (reader.unknown, reader.invalid):
        if noted:
            raise _payload_error(list(_first(iter(noted))))
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise _payload_error(list(_first(_type_violations(error, path)))) from None


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
                self._wrong(_below(path, field[0]), item, "is given twice, in two spellings")
            else:
                read[field[0]] = self._field(item, *field[1:], _below(path, field[0]))
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
            where = f" at '{path}'" if path else ""
            said = f'Unknown name "{shortened(name)}"{where}: Cannot find field.'
            at = path or shortened(name)
            self.unknown.append(FieldViolation(at, f"Invalid JSON payload received. {said}"))

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


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _type_violations(error: ValidationError, root: str) -> Iterator[FieldViolation]:
    for found in error.errors(include_url=False, include_context=True):
        path = root
        for part in found["loc"]:
            path = f"{path}[{part}]" if isinstance(part, int) else _below(path, shortened(part))
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


def _bad_payload(path: str, why: str) -> InvalidArgument:
    message = f"Invalid JSON payload received. {why}"
    return InvalidArgument([FieldViolation(path, message)], message)


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


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        # Which of them holds is for each reader to choose: two that choose differently read two messages.
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f'Duplicate name "{shortened(twice)}" in an object.')
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f'{name} is not JSON; the string "{name}" is.')


_IGNORED = frozenset(spelling for spelling, field in _fields(Job).items() if field[0] in OUTPUT_ONLY)
