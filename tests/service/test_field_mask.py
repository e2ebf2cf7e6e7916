"""The mask `fields`: which texts are masks, and what they keep (docs/contract.md 1.1)."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.field_mask import MAX_DEPTH, Mask, apply_mask, merged, parse_mask

ANSWER = {
    "jobs": [
        {"jobId": "a", "labels": {"team": "x", "a.b-c": "y"}, "trainingInput": {"args": ["1", "2"]}},
        {"jobId": "b", "state": "QUEUED"},
    ],
    "nextPageToken": "t",
}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("nextPageToken", {"nextPageToken": "t"}),
        ("jobs(jobId,state),nextPageToken", None),
        ("jobs", {"jobs": ANSWER["jobs"]}),
        ("*", ANSWER),
        ("jobs/jobId", {"jobs": [{"jobId": "a"}, {"jobId": "b"}]}),
        ("jobs/state", {"jobs": [{}, {"state": "QUEUED"}]}),
        ("jobs/trainingInput/args", {"jobs": [{"trainingInput": {"args": ["1", "2"]}}, {}]}),
        ("jobs(trainingInput(args))", {"jobs": [{"trainingInput": {"args": ["1", "2"]}}, {}]}),
        ("jobs/labels/a.b-c", {"jobs": [{"labels": {"a.b-c": "y"}}, {}]}),
        ("jobs/labels(team)", {"jobs": [{"labels": {"team": "x"}}, {}]}),
        ("jobs/*/args", {"jobs": [{"labels": {}, "trainingInput": {"args": ["1", "2"]}}, {}]}),
        ("*/jobId", {"jobs": [{"jobId": "a"}, {"jobId": "b"}]}),
        ("jobs/jobId,jobs/state", {"jobs": [{"jobId": "a"}, {"jobId": "b", "state": "QUEUED"}]}),
        ("jobs/jobId,jobs", {"jobs": ANSWER["jobs"]}),
        ("jobs/jobId,*/state", {"jobs": [{"jobId": "a"}, {"jobId": "b", "state": "QUEUED"}]}),
        (" jobs ( jobId , state ) ", {"jobs": [{"jobId": "a"}, {"jobId": "b", "state": "QUEUED"}]}),
        ("absent", {}),
    ],
)
def test_a_mask_keeps_what_it_names(text: str, kept: dict[str, Any] | None) -> None:
    if kept is None:
        kept = {"jobs": [{"jobId": "a"}, {"jobId": "b", "state": "QUEUED"}], "nextPageToken": "t"}
    assert apply_mask(parse_mask(text), ANSWER) == kept


def test_a_mask_reaches_into_json_that_is_written_already() -> None:
    written = orjson.Fragment(b'[{"step":"1","value":0.5},{"step":"2","value":0.25}]')
    answer = {"trial": {"metrics": written}}
    assert apply_mask(parse_mask("trial/metrics/value"), answer) == {
        "trial": {"metrics": [{"value": 0.5}, {"value": 0.25}]}
    }
    # Where it does not, nothing is read.
    assert apply_mask(parse_mask("trial/metrics"), answer)["trial"]["metrics"] is written


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "At character 1 there should be a field's name, not the end."),
        ("  ", "At character 3 there should be a field's name, not the end."),
        ("jobs,", "At character 6 there should be a field's name, not the end."),
        (",jobs", "At character 1 there should be a field's name, not ','."),
        ("jobs(", "At character 6 there should be a field's name, not the end."),
        ("jobs()", "At character 6 there should be a field's name, not ')'."),
        ("jobs(jobId", "At character 11 there should be a comma, or ), not the end."),
        ("jobs(jobId))", "At character 12 there should be the end, or a comma, not ')'."),
        ("jobs jobId", "At character 6 there should be the end, or a comma, not 'jobId'."),
        ("jobs//jobId", "At character 6 there should be a field's name, not '/'."),
        ("/jobs", "At character 1 there should be a field's name, not '/'."),
        ("a(b)/c", "At character 5 there should be the end, or a comma, not '/'."),
        ("/".join(["a"] * (MAX_DEPTH + 1)), f"deeper than {MAX_DEPTH} levels"),
        ("a(" * 30_000, f"deeper than {MAX_DEPTH} levels"),
    ],
)
def test_what_is_no_mask_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_mask(text)
    assert said in str(refused.value)


names = st.sampled_from(["a", "b", "c", "*"])
masks: st.SearchStrategy[Mask] = st.recursive(
    st.just({}), lambda inner: st.dictionaries(names, inner, max_size=3), max_leaves=8
)
values: st.SearchStrategy[Any] = st.recursive(
    st.integers(0, 3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3)
    ),
    max_leaves=12,
)


def written(mask: Mask) -> str:
    return ",".join(f"{name}({written(inner)})" if inner else name for name, inner in mask.items())


@given(masks.filter(bool))
def test_a_mask_is_read_as_it_was_written(mask: Mask) -> None:
    assert parse_mask(written(mask)) == mask


@given(masks, values)
def test_what_is_kept_stays_when_it_is_masked_again(mask: Mask, value: Any) -> None:
    once = apply_mask(mask, value)
    assert apply_mask(mask, once) == once


@given(masks, masks, values)
def test_two_masks_together_keep_what_either_keeps(one: Mask, other: Mask, value: Any) -> None:
    assert leaves(apply_mask(merged(one, other), value)) == leaves(apply_mask(one, value)) | leaves(
        apply_mask(other, value)
    )


def leaves(value: Any, path: str = "") -> set[tuple[str, int]]:
    if isinstance(value, dict):
        return {leaf for name, item in value.items() for leaf in leaves(item, f"{path}/{name}")}
    if isinstance(value, list):
        return {leaf for index, item in enumerate(value) for leaf in leaves(item, f"{path}/{index}")}
    return {(path, value)}
