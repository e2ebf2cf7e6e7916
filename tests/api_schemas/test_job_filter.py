"""Filters of jobs: whatever is written, it is read or refused (docs/contract.md 1.3)."""

import re
from collections.abc import Iterator
from typing import get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_schemas.errors import InvalidArgument
from api_schemas.filter_language import AllOf, AnyOf, Not, Tree
from api_schemas.job_filter import Condition, Kind, Operator, parse_job_filter
from api_schemas.jobs import TrainingInput
from api_schemas.scalars import Message

WORDS = """
jobId state createTime labels labels.owner trainingInput.scaleTier trainingInput x
= != < >= : AND OR NOT - ( ) FAILED rnn* * ' " \\ . , ü
2020-03-02T10:00:00Z 0001-01-01T00:00:00+23:59 9999-12-31T23:59:59-23:59 9999-12-31T23:59:60Z 3600s
"""
PIECES = [*WORDS.split(), " ", "\n", "\0", '"a b"']


@given(st.lists(st.sampled_from(PIECES), max_size=12), st.sampled_from(["", " "]))
def test_anything_is_a_filter_or_refused_with_its_place(pieces: list[str], between: str) -> None:
    text = between.join(pieces)
    try:
        parse_job_filter(text)
    except InvalidArgument as error:
        (violation,) = error.violations
        assert violation.field == "filter"
        place = violation.description.removeprefix("At character ").partition(":")[0]
        assert 1 <= int(place) <= len(text) + 1


@given(st.text(max_size=30))
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    try:
        parse_job_filter(text)
    except InvalidArgument as error:
        assert [violation.field for violation in error.violations] == ["filter"]  # noqa: PT017


def fields(model: type[Message], path: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{path}.{name}"
        yield f"{path}.{field.alias}"
        for inner in get_args(field.annotation):
            # What is inside a list is not reached by a path.
            if (
                isinstance(inner, type)
                and issubclass(inner, Message)
                and get_origin(field.annotation) is not list
            ):
                yield from fields(inner, f"{path}.{name}")


@pytest.mark.parametrize("field", sorted(set(fields(TrainingInput, "trainingInput"))))
def test_every_field_of_a_training_input_can_be_asked_whether_it_is_there(field: str) -> None:
    asked = parse_job_filter(f"{field}:*")
    assert isinstance(asked, Condition)
    assert asked.operator == Operator.PRESENT
    assert asked.field.kind in Kind
    assert "_" not in "".join(asked.field.path)


def shown(tree: Tree[Condition] | None) -> str:
    """The structure of a filter whose conditions are labels: `all(a any(b c))`."""
    if isinstance(tree, AllOf | AnyOf):
        word = "all" if isinstance(tree, AllOf) else "any"
        return f"{word}({' '.join(map(shown, tree.terms))})"
    if isinstance(tree, Not):
        return f"not({shown(tree.term)})"
    assert isinstance(tree, Condition)
    return tree.field.path[1]


@pytest.mark.parametrize(
    ("text", "structure"),
    [
        ("a:*", "a"),
        ("a:* b:*", "all(a b)"),
        ("a:* AND b:* AND c:*", "all(a b c)"),
        ("a:* AND b:* OR c:* AND d:*", "all(a any(b c) d)"),
        ("a:* b:* AND c:* OR d:*", "all(a b any(c d))"),
        ("NOT a:* OR b:*", "any(not(a) b)"),
        ("-a:* b:*", "all(not(a) b)"),
        ("NOT (a:* OR b:*) OR -(c:*)", "any(not(any(a b)) not(c))"),
        ("(a:* AND b:*) OR c:*", "any(all(a b) c)"),
        ("((a:*))", "a"),
    ],
)
def test_or_binds_tighter_than_and_and_not_tighter_than_both(text: str, structure: str) -> None:
    assert shown(parse_job_filter(re.sub(r"\b(\w:)", r"labels.\1", text))) == structure
