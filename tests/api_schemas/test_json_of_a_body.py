"""Bytes that are no JSON, or JSON that no job may hold, are refused with a sentence and nothing else."""

import json

import pytest

from api_schemas.parsing import MAX_DEPTH, load_object
from tests.api_schemas.job_bodies import fields, job, parse, refusal

LONE_SURROGATE = rb'{"jobId": "a\ud83d"}'


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b'{"jobId": "a",}', "line 1 column"),
        (b"{'jobId': 'a'}", "double quotes"),
        (b'{"jobId": "a"} {}', "Extra data"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b'{"jobId": "\xff"}', "can't decode byte 0xff"),
        (b'{"jobId": "\xed\xa0\x80"}', "can't decode byte 0xed"),
        (LONE_SURROGATE, "surrogates not allowed"),
        (b'{"jobId": NaN}', 'the string "NaN" is'),
        (b'{"jobId": -Infinity}', 'the string "-Infinity" is'),
        (b'{"jobId": ' + b"1" * 5000 + b"}", "digits"),
        (b"[]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'"job"', "must be a JSON object"),
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes, said: str) -> None:
    error = refusal(body)
    assert fields(error) == ["job"]
    assert error.message.startswith("Invalid JSON payload received. ")
    assert said in error.message


def test_both_halves_of_a_surrogate_pair_are_one_character() -> None:
    assert load_object(rb'{"a": "\ud83d\ude00"}') == {"a": "\N{GRINNING FACE}"}


def test_the_nul_character_is_refused_wherever_a_text_can_stand() -> None:
    error = refusal(job(args=["a\0b"], region="a\0", labels=None) | {"labels": {"team": "\0"}})
    assert fields(error) == ["job.training_input.args[0]", "job.training_input.region", "job.labels.team"]
    assert all("NUL" in violation.description for violation in error.violations)


def nested(levels: int) -> bytes:
    """JSON in which brackets stand `levels` deep, the outermost included."""
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def test_nesting_is_limited() -> None:
    assert load_object(nested(MAX_DEPTH)).keys() == {"a"}
    assert f"deeper than {MAX_DEPTH} levels" in refusal(nested(MAX_DEPTH + 1)).message
    assert f"deeper than {MAX_DEPTH} levels" in refusal(b"[" * 1_000_000).message


def test_brackets_in_strings_do_not_nest() -> None:
    text = '\\"[{' * 100
    body = job(args=[text, "]}" * 100])
    assert parse(body).training_input is not None
    assert load_object(json.dumps({"a": text}).encode()) == {"a": text}


def test_brackets_side_by_side_do_not_nest() -> None:
    assert len(load_object(b'{"a":[' + b"[]," * 1000 + b"[]]}")["a"]) == 1001
