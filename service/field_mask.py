"""Partial answers: the query parameter `fields`, as Google's APIs have it (docs/contract.md 1.1).

`jobs(jobId,state),nextPageToken` keeps these and nothing else. `a/b` is short for `a(b)`, `*` is every field
of a message, and a mask goes through lists to their items.
"""

import re
from typing import Any

import orjson
from pydantic.alias_generators import to_camel

from api_schemas.names import shortened
from api_schemas.schemas import Schemas, name_of

Mask = dict[str, "Mask"]
"""{field: what to keep of it}; an empty one keeps all."""

MAX_DEPTH = 32
MAX_NAMES = 1000
TOKEN = re.compile(r"\s*([,()/]|[^,()/\s]+)\s*")


def parse_mask(text: str) -> Mask:
    """Read a mask.

    Raises:
        ValueError: it is none; says where and what was awaited.
    """
    tokens: list[tuple[str, int]] = []
    at = 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:  # Only white space is left.
            break
        tokens.append((found[1], found.start(1)))
        at = found.end()
    return _Reader([*tokens, ("", len(text))]).whole()


class _Reader:
    def __init__(self, tokens: list[tuple[str, int]]) -> None:
        self._tokens = iter(tokens)
        self._names = 0
        self._advance()

    def _advance(self) -> None:
        self._next, self._at = next(self._tokens)

    def whole(self) -> Mask:
        mask = self._selectors(0)
        if self._next:
            raise self._wrong("the end, or a comma")
        return mask

    def _selectors(self, depth: int) -> Mask:
        mask: Mask = {}
        while True:
            name, inner = self._selector(depth)
            mask[name] = merged(mask[name], inner) if name in mask else inner
            if self._next != ",":
                return mask
            self._advance()

    def _selector(self, depth: int) -> tuple[str, Mask]:
        name = self._next
        if name in ("", ",", "(", ")", "/"):
            raise self._wrong("a field's name")
        if depth == MAX_DEPTH:
            raise ValueError(f"It is nested deeper than {MAX_DEPTH} levels.")
        self._names += 1
        if self._names > MAX_NAMES:
            raise ValueError(f"It names more than {MAX_NAMES} fields.")
        self._advance()
        inner: Mask = {}
        if self._next == "/":
            self._advance()
            inner = dict([self._selector(depth + 1)])
        elif self._next == "(":
            self._advance()
            inner = self._selectors(depth + 1)
            if self._next != ")":
                raise self._wrong("a comma, or )")
            self._advance()
        return name, inner

    def _wrong(self, awaited: str) -> ValueError:
        got = f"'{shortened(self._next)}'" if self._next else "the end"
        return ValueError(f"At character {self._at + 1} there should be {awaited}, not {got}.")


def merged(one: Mask, other: Mask) -> Mask:
    """What keeps all that either keeps."""
    if not one or not other:
        return {}
    both = {name: merged(one[name], other[name]) for name in one.keys() & other.keys()}
    return {**one, **other, **both}


def apply_mask(mask: Mask, value: Any) -> Any:
    """What the mask keeps of a JSON value. An `orjson.Fragment` is read only if the mask reaches into it."""
    if not mask:
        return value
    if isinstance(value, orjson.Fragment):
        value = orjson.loads(orjson.dumps(value))
    if isinstance(value, list | tuple):
        return [apply_mask(mask, item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, item in value.items():
        inner = _wanted(mask, name)
        # A mask that reaches into a scalar, as `*/a` may, keeps nothing of it.
        if inner is not None and (not inner or isinstance(item, dict | list | tuple | orjson.Fragment)):
            kept[name] = apply_mask(inner, item)
    return kept


def _wanted(mask: Mask, name: str) -> Mask | None:
    if name in mask and "*" in mask:
        return merged(mask[name], mask["*"])
    return mask.get(name, mask.get("*"))


def fitted(mask: Mask, schemas: Schemas, schema: dict[str, Any] | bool, path: str = "") -> Mask:
    """The mask with its fields spelled as answers of this schema spell them.

    Raises:
        ValueError: a field that such answers do not have; says which.
    """
    if isinstance(schema, bool) or not schema:  # It may be anything, so anything may be asked of it.
        return mask
    schema = _inside(schemas, schema)
    fields, of_map = schema.get("properties"), schema.get("additionalProperties")
    if mask and fields is None and not of_map:
        raise ValueError(f"'{shortened(path)}' has no fields to choose from.")
    fit: Mask = {}
    fields = fields or {}
    for given, inner in mask.items():
        at = f"{path}/{given}" if path else given
        name = given
        if of_map:
            inner = fitted(inner, schemas, of_map, at)
        elif given != "*":  # Which fields have those inside a * is seen when there is an answer.
            name = given if given in fields else to_camel(given)
            if name not in fields:
                raise ValueError(f"There is no field '{shortened(at)}' in the answer.")
            inner = fitted(inner, schemas, fields[name], at)
        fit[name] = merged(fit[name], inner) if name in fit else inner
    return fit


def _inside(schemas: Schemas, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of what is in a list, or behind a reference."""
    while True:
        if "$ref" in schema:
            schema = schemas[name_of(schema)]
        elif schema.get("type") == "array":
            schema = schema["items"]
        else:
            return schema
