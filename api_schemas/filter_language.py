"""The language of list filters, as AIP-160 (https://google.aip.dev/160) has it: from a text to a tree.

    jobId:rnn* AND (state = FAILED OR state = CANCELLED) AND NOT labels.owner:*

Terms are joined by AND, or by nothing but a space; OR binds tighter than AND; NOT or `-` before a term turns
it round. Which fields there are, and what they hold, is not known here (`job_filter.py`).

Every error tells the place, counted in characters from 1, and what would be right there.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar, Union

from api_schemas.errors import FieldViolation, InvalidArgument
from api_schemas.names import shortened

MAX_LENGTH = 4096
"""Of a filter, in characters."""
MAX_RESTRICTIONS = 100
MAX_DEPTH = 16
"""Of parentheses in parentheses; databases take expressions of some depth only."""

L = TypeVar("L")


@dataclass(frozen=True, slots=True)
class AllOf(Generic[L]):
    terms: tuple["Tree[L]", ...]


@dataclass(frozen=True, slots=True)
class AnyOf(Generic[L]):
    terms: tuple["Tree[L]", ...]


@dataclass(frozen=True, slots=True)
class Not(Generic[L]):
    term: "Tree[L]"


Tree: TypeAlias = Union[AllOf[L], AnyOf[L], Not[L], L]  # noqa: UP007  `|` can't take a type variable here


@dataclass(frozen=True, slots=True)
class Restriction:
    """`field operator value`, as it was written."""

    path: tuple[str, ...]
    operator: str
    """One of = != < > <= >= and the colon."""
    value: str
    is_prefix: bool
    """The value ended in a `*`, which is left out of it."""
    field_at: int
    value_at: int
    """Where they begin, for errors."""


def parse_filter(text: str, read: Callable[[Restriction], Tree[L]]) -> Tree[L] | None:
    """The tree that a filter is; None if it is blank.

    Args:
        read: says what a restriction means; raises `wrong` if it means nothing.

    Raises:
        InvalidArgument: it is no filter.
    """
    if len(text) > MAX_LENGTH:
        raise wrong(MAX_LENGTH, f"The filter is longer than {MAX_LENGTH} characters.")
    if not text.strip():
        return None
    parser = _Parser(text, read)
    tree = parser.expression()
    parser.end()
    return tree


def wrong(at: int, what: str) -> InvalidArgument:
    """The refusal of a filter for what stands at this index."""
    return InvalidArgument([FieldViolation("filter", f"At character {at + 1}: {what}")])


_SPACE = re.compile(r"\s*")
_KEYWORD = re.compile(r"(AND|OR|NOT)(?=[\s()]|$)")
_NAME = re.compile(r"""[^\s().:=<>!"',*\\-][^\s().:=<>!"',*\\]*""")
_OPERATOR = re.compile(r"<=|>=|!=|=|<|>|:")
_QUOTED = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*\'""", re.S)
_BARE = re.compile(r"""[^\s()"'=<>!:][^\s()"']*""")
_PIECE = re.compile(r"\\(?P<escaped>.?)|(?P<star>\*)|[^\\*]+", re.S)
_OPERATORS = "=, !=, <, >, <=, >= or :"


class _Parser(Generic[L]):
    """Recursive descent: one method for each rule of the grammar."""

    def __init__(self, text: str, read: Callable[[Restriction], Tree[L]]) -> None:
        self._text, self._read = text, read
        self._at = self._depth = self._restrictions = 0

    def expression(self) -> Tree[L]:
        """Terms joined by AND, or by nothing."""
        terms = [self._alternatives()]
        while self._keyword("AND") or self._begins_term():
            terms.append(self._alternatives())
        return terms[0] if len(terms) == 1 else AllOf(tuple(terms))

    def end(self) -> None:
        if self._skip() < len(self._text):
            raise wrong(self._at, f"'{shortened(self._text[self._at :], 20)}' is not expected here.")

    def _alternatives(self) -> Tree[L]:
        terms = [self._term()]
        while self._keyword("OR"):
            terms.append(self._term())
        return terms[0] if len(terms) == 1 else AnyOf(tuple(terms))

    def _term(self) -> Tree[L]:
        negated = self._keyword("NOT") or self._taken("-")
        term = self._group() if self._taken("(") else self._restriction()
        return Not(term) if negated else term

    def _group(self) -> Tree[L]:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise wrong(self._at - 1, f"Parentheses are nested deeper than {MAX_DEPTH} levels.")
        inner = self.expression()
        if not self._taken(")"):
            raise wrong(self._at, "A closing parenthesis is missing.")
        self._depth -= 1
        return inner

    def _restriction(self) -> Tree[L]:
        self._restrictions += 1
        field_at = self._skip()
        if self._restrictions > MAX_RESTRICTIONS:
            raise wrong(field_at, f"These are more than {MAX_RESTRICTIONS} restrictions.")
        path = [self._name()]
        while self._text.startswith(".", self._at):
            self._at += 1
            path.append(self._name())
        operator = _OPERATOR.match(self._text, self._skip())
        if operator is None:
            named = shortened(".".join(path), 40)
            hint = f" Write {named.upper()} in capitals." if named.upper() in ("AND", "OR", "NOT") else ""
            raise wrong(field_at, f"After '{named}', {_OPERATORS} and a value must follow.{hint}")
        self._at = operator.end()
        value_at = self._skip()
        value, is_prefix = self._value()
        return self._read(Restriction(tuple(path), operator[0], value, is_prefix, field_at, value_at))

    def _name(self) -> str:
        """One part of a field's path."""
        if (quoted := self._quoted()) is not None:
            return _unescaped(quoted, self._at - len(quoted) - 1)[0]
        name = _NAME.match(self._text, self._at)
        if name is None or _KEYWORD.match(self._text, self._at):
            raise wrong(self._at, "A field is needed here, such as state or labels.owner.")
        self._at = name.end()
        return name[0]

    def _value(self) -> tuple[str, bool]:
        start = self._at
        if (raw := self._quoted()) is not None:
            start += 1
        else:
            bare = _BARE.match(self._text, start)
            if bare is None or _KEYWORD.match(self._text, start):
                raise wrong(
                    start, "A value is needed here; put it in quotes if it has spaces or parentheses."
                )
            raw, self._at = bare[0], bare.end()
        if self._at < len(self._text) and not re.match(r"[\s)]", self._text[self._at]):
            raise wrong(
                self._at, "A space must follow a value; put the whole value in quotes if this is part of it."
            )
        return _unescaped(raw, start)

    def _quoted(self) -> str | None:
        """What is between the quotes that begin here; None if none do."""
        if not self._text.startswith(('"', "'"), self._at):
            return None
        quoted = _QUOTED.match(self._text, self._at)
        if quoted is None:
            raise wrong(self._at, "The closing quote is missing.")
        self._at = quoted.end()
        return quoted[0][1:-1]

    def _begins_term(self) -> bool:
        at = self._skip()
        keyword = _KEYWORD.match(self._text, at)
        return at < len(self._text) and self._text[at] != ")" and (keyword is None or keyword[1] == "NOT")

    def _keyword(self, word: str) -> bool:
        found = _KEYWORD.match(self._text, self._skip())
        if found is None or found[1] != word:
            return False
        self._at = found.end()
        return True

    def _taken(self, character: str) -> bool:
        if not self._text.startswith(character, self._skip()):
            return False
        self._at += 1
        return True

    def _skip(self) -> int:
        space = _SPACE.match(self._text, self._at)
        assert space is not None
        self._at = space.end()
        return self._at


def _unescaped(raw: str, start: int) -> tuple[str, bool]:
    """The text that is meant, and whether it ended in a `*` of its own."""
    meant = ""
    for piece in _PIECE.finditer(raw):
        at = start + piece.start()
        if piece["star"]:
            if piece.end() < len(raw):
                raise wrong(
                    at, r"A * can only stand at the end of a value; write \* if the character is meant."
                )
            return meant, True
        escaped = piece["escaped"]
        if escaped is not None and (not escaped or escaped not in "\\\"'*"):
            raise wrong(
                at, r"""A \ must stand before one of \ " ' and *; write \\ if the character is meant."""
            )
        meant += piece[0] if escaped is None else escaped
    return meant, False
