"""The language of filters in the Logging API (docs/contract.md 10.4): from text to a tree.

NOT binds tightest, then OR, then AND, which may be left out. What a field is, and whether it can be compared
so, is not decided here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

MAX_LENGTH = 20_000
"""Characters; the old service's limit."""
MAX_DEPTH = 30
MAX_COMPARISONS = 200
OPERATORS = ("=", "!=", "<", "<=", ">", ">=", ":")

_TOKEN = re.compile(
    r"""(?P<space>(?:\s|--[^\n]*)+)
      | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<operator>=~|!~|!=|<=|>=|[=<>:])
      | (?P<bracket>[()])
      | (?P<word>[^\s"'()=<>!:~]+)""",
    re.X | re.S,
)
_ESCAPE = re.compile(
    r"\\(?:(?P<hex>x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})|(?P<octal>[0-7]{1,3})|(?P<plain>.))", re.S
)
_PLAIN_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


class BadQuery(Exception):
    """The text is no query; says where and what would be right."""

    def __init__(self, at: int, why: str) -> None:
        super().__init__(f"At character {at + 1}: {why}")


@dataclass(frozen=True, slots=True)
class Comparison:
    """`field operator value`; without a field, a text that is looked for."""

    field: str | None
    operator: str
    value: str
    is_quoted: bool
    at: int
    """Where in the text it begins, from 0."""


@dataclass(frozen=True, slots=True)
class Not:
    part: "Node"


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple["Node", ...]


Node = Comparison | Not | And | Or


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    """string, operator, bracket, word, or end."""
    text: str
    at: int


def parse_query(text: str) -> Node | None:
    """The tree of a filter; None if there is nothing in it.

    Raises:
        BadQuery: it is none.
    """
    if len(text) > MAX_LENGTH:
        raise BadQuery(MAX_LENGTH, f"A filter has at most {MAX_LENGTH} characters.")
    return _Parser(list(_tokens(text))).query()


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._place = 0
        self._comparisons = 0

    def query(self) -> Node | None:
        if self._next.kind == "end":
            return None
        tree = self._all_of(0, None)
        if self._next.kind != "end":
            raise self._unexpected("a further comparison, AND, OR or the end")
        return tree

    @property
    def _next(self) -> _Token:
        return self._tokens[self._place]

    def _take(self) -> _Token:
        token = self._next
        self._place += token.kind != "end"
        return token

    def _is(self, *texts: str) -> bool:
        return self._next.kind in ("word", "bracket", "operator") and self._next.text in texts

    def _unexpected(self, wanted: str) -> BadQuery:
        found = f"'{self._next.text[:40]}'" if self._next.text else "the end"
        return BadQuery(self._next.at, f"{found} stands where {wanted} should be.")

    def _all_of(self, depth: int, comparing: Comparison | None) -> Node:
        """Parts that must all hold. With `comparing`, values that its field is compared with."""
        parts = [self._any_of(depth, comparing)]
        while self._is("AND") or not (self._next.kind == "end" or self._is(")", "OR", *OPERATORS)):
            if self._is("AND"):
                self._take()
            parts.append(self._any_of(depth, comparing))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _any_of(self, depth: int, comparing: Comparison | None) -> Node:
        parts = [self._part(depth, comparing)]
        while self._is("OR"):
            self._take()
            parts.append(self._part(depth, comparing))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _part(self, depth: int, comparing: Comparison | None) -> Node:
        if depth > MAX_DEPTH:
            raise BadQuery(self._next.at, f"It is nested deeper than {MAX_DEPTH} levels.")
        if self._is("NOT", "-"):
            self._take()
            return Not(self._part(depth + 1, comparing))
        if self._is("("):
            self._take()
            inner = self._all_of(depth + 1, comparing)
            if not self._is(")"):
                raise self._unexpected("a closing parenthesis")
            self._take()
            return inner
        if comparing is not None:
            return self._value(comparing)
        return self._comparison(depth)

    def _comparison(self, depth: int) -> Node:
        if self._next.kind not in ("word", "string") or self._is("AND", "OR"):
            raise self._unexpected("a comparison, such as severity>=WARNING,")
        first = self._take()
        name = first.text
        if first.kind == "word":
            # A part of a field's name may be quoted: labels."ml.googleapis.com/trial_id".
            end = first.at + len(first.text)
            while name.endswith(".") and self._next.kind == "string" and self._next.at == end:
                part = self._take()
                name += _unquoted(part)
                end = part.at + len(part.text)
                if self._next.kind == "word" and self._next.at == end and self._next.text[0] == ".":
                    end += len(self._next.text)
                    name += self._take().text
        if self._next.kind != "operator":
            self._count(first.at)
            text = _unquoted(first) if first.kind == "string" else name
            return Comparison(None, ":", text, first.kind == "string", first.at)
        operator = self._take()
        if operator.text not in OPERATORS:
            raise BadQuery(
                operator.at, f"Regular expressions ({operator.text}) are not served; : finds texts."
            )
        field = _unquoted(first) if first.kind == "string" else name
        comparing = Comparison(field, operator.text, "", False, first.at)
        if self._is("("):
            return self._part(depth + 1, comparing)
        return self._value(comparing)

    def _value(self, comparing: Comparison) -> Node:
        if self._next.kind not in ("word", "string") or self._is("AND", "OR", "NOT"):
            raise self._unexpected("a value")
        token = self._take()
        if self._next.kind == "operator":
            raise BadQuery(self._next.at, f"A value that has '{self._next.text}' in it must be quoted.")
        self._count(token.at)
        quoted = token.kind == "string"
        value = _unquoted(token) if quoted else token.text
        return Comparison(comparing.field, comparing.operator, value, quoted, comparing.at)

    def _count(self, at: int) -> None:
        self._comparisons += 1
        if self._comparisons > MAX_COMPARISONS:
            raise BadQuery(at, f"A filter has at most {MAX_COMPARISONS} comparisons.")


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            _refuse(text, place)
        kind = str(match.lastgroup)
        word = match.group()
        if kind == "word" and word.startswith("-"):
            # Before a comparison it is NOT; a value may begin with it: x=-1.
            before = text[:place].rstrip()
            if not before.endswith(("=", "<", ">", ":")):
                yield _Token("word", "-", place)
                place += 1
                continue
        if kind != "space":
            yield _Token(kind, word, place)
        place = match.end()
    yield _Token("end", "", len(text))


def _refuse(text: str, place: int) -> NoReturn:
    if text[place] in "\"'":
        raise BadQuery(place, "The quotes that open here are never closed.")
    raise BadQuery(place, f"'{text[place]}' can stand in quotes only.")


def _unquoted(token: _Token) -> str:
    def character(match: re.Match[str]) -> str:
        if match["hex"]:
            code = int(match["hex"][1:], 16)
        elif match["octal"]:
            code = int(match["octal"], 8)
        else:
            return _PLAIN_ESCAPES.get(match["plain"], match["plain"])
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise BadQuery(token.at + 1 + match.start(), f"{match.group()} is no character.")
        return chr(code)

    text = _ESCAPE.sub(character, token.text[1:-1])
    if "\0" in text:
        raise BadQuery(token.at, "No entry has a NUL in it.")
    return text
