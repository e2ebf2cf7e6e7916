"""What counts as a scalar of a tag, and that the quick path and the parser agree on it."""

import math
import struct
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, types_pb2
from tensorboard.util import tensor_util

from tests.metrics.event_writing import TAG, event
from worker.metrics.measurement import Measurement
from worker.metrics.scalar_events import ScalarReader
from worker.metrics.tag_names import TAGS_LIMIT
from worker.metrics.tensor_number import one_number

Value: Any = summary_pb2.Summary.Value
floats = st.floats(width=32)
tags = st.sampled_from([TAG, TAG + "x", "loss", "*", "ä/验证", "t" * 127, "t" * 128, ""]) | st.text(
    max_size=9
)


def plain(tag: str, number: float) -> Any:
    return Value(tag=tag, simple_value=number)


def tensor_value(tag: str, tensor: tensor_pb2.TensorProto, plugin: str) -> Any:
    metadata = summary_pb2.SummaryMetadata(plugin_data={"plugin_name": plugin}) if plugin else None
    return Value(tag=tag, tensor=tensor, metadata=metadata)


def float_tensor(number: float, *, content: bool, shape: bool) -> tensor_pb2.TensorProto:
    """A float32 scalar as TensorFlow (content), tensorboardX (shape) or PyTorch (neither) writes it."""
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT)
    if shape:
        tensor.tensor_shape.SetInParent()
    if content:
        tensor.tensor_content = struct.pack("<f", number)
    else:
        tensor.float_val.append(number)
    return tensor


tensors = st.builds(float_tensor, floats, content=st.booleans(), shape=st.booleans()) | st.builds(
    lambda numbers, kind: tensor_util.make_tensor_proto(np.array(numbers, kind)),
    st.integers(0, 100) | st.lists(st.integers(0, 100), max_size=3),
    st.sampled_from(["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2"]),
)
values = st.builds(plain, tags, floats) | st.builds(
    tensor_value, tags, tensors, st.sampled_from(["", "scalars", "other"])
)
events = st.builds(
    lambda time, step, contents: event_pb2.Event(
        wall_time=time, step=step, summary=summary_pb2.Summary(value=contents)
    ),
    st.floats(),
    st.integers(-(2**63), 2**63 - 1) | st.integers(0, 300),
    st.lists(values, min_size=1, max_size=1) | st.lists(values, max_size=4),
)


def by_the_parser(messages: Iterable[event_pb2.Event], tag: str) -> tuple[list[Measurement], set[str]]:
    """Read whole messages with TensorBoard's own means, as slowly as it takes."""
    found, names = [], set()
    for message in messages:
        for value in message.summary.value:
            if value.HasField("simple_value"):
                number = value.simple_value
            elif value.HasField("tensor") and (array := tensor_util.make_ndarray(value.tensor)).size == 1:
                number = float(array.item())
            else:
                continue
            names.add(value.tag)
            if value.tag == tag:
                time = message.wall_time if math.isfinite(message.wall_time) else 0.0
                found.append(Measurement(message.step, number, time, 7))
    return found, {name for name in names if "\0" not in name}


@given(st.lists(events, max_size=6), tags)
@example([event_pb2.Event.FromString(event(5, 1.0)), event_pb2.Event.FromString(event(42, 2.0))], "*")
def test_quick_path_and_parser_agree_on_any_events(messages: list[event_pb2.Event], tag: str) -> None:
    reader = ScalarReader(tag)
    found = reader.read([message.SerializeToString() for message in messages], 7)
    expected, names = by_the_parser(messages, tag)
    assert repr(found) == repr(expected)  # nan equals nan in writing only
    assert reader.tags == names
    assert reader.unparsable == 0


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 255)), max_size=4), st.booleans())
def test_records_with_changed_bytes_read_as_the_parser_reads_them(
    changes: list[tuple[int, int]], described: bool
) -> None:
    tensor = float_tensor(0.5, content=True, shape=True)
    value = tensor_value(TAG, tensor, "scalars") if described else plain(TAG, 0.5)
    message = event_pb2.Event(wall_time=1.0, step=300, summary=summary_pb2.Summary(value=[value]))
    record = bytearray(message.SerializeToString())
    for place, byte in changes:
        record[place % len(record)] = byte
    quick, parsing = ScalarReader(TAG), ScalarReader(TAG)
    found: list[Measurement] = []
    parsing._parse(bytes(record), 1, found)
    assert repr(quick.read([bytes(record)], 1)) == repr(found)


@pytest.mark.parametrize(
    "value",
    [
        plain(TAG, 0.5),  # PyTorch, tensorboardX, TensorFlow 1
        tensor_value(TAG, float_tensor(0.5, content=True, shape=True), "scalars"),  # TensorFlow 2
        tensor_value(TAG, float_tensor(0.5, content=False, shape=False), "scalars"),  # PyTorch's new style
    ],
    ids=["plain", "content", "float_val"],
)
def test_the_common_layouts_need_no_parser(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ScalarReader, "_parse")
    message = event_pb2.Event(wall_time=2.0, step=300, summary=summary_pb2.Summary(value=[value]))
    assert ScalarReader(TAG).read([message.SerializeToString()], 1) == [Measurement(300, 0.5, 2.0, 1)]


@pytest.mark.parametrize(
    ("tensor", "number"),
    [
        (tensor_util.make_tensor_proto(np.float16(1.5)), 1.5),
        (tensor_util.make_tensor_proto(np.float64(0.1)), 0.1),
        (tensor_util.make_tensor_proto(np.bool_(True)), 1.0),
        (tensor_util.make_tensor_proto(np.array([[4.0]])), 4.0),
        (tensor_pb2.TensorProto(dtype=types_pb2.DT_BFLOAT16, half_val=[0x4020]), 2.5),
        (tensor_pb2.TensorProto(dtype=types_pb2.DT_BFLOAT16, tensor_content=b"\x20\x40"), 2.5),
        (tensor_pb2.TensorProto(dtype=types_pb2.DT_HALF, tensor_content=b"\x00\x3e"), 1.5),
        (tensor_pb2.TensorProto(dtype=types_pb2.DT_UINT64, uint64_val=[2**40]), 2.0**40),
        (tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT), 0.0),
        (tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, tensor_content=b"abc"), None),
        (tensor_util.make_tensor_proto(np.array([1.0, 2.0])), None),
        (tensor_util.make_tensor_proto(np.array([], np.float32)), None),
        (tensor_util.make_tensor_proto(np.complex64(1)), None),
        (tensor_util.make_tensor_proto("0.5"), None),
        (tensor_pb2.TensorProto(), None),
    ],
)
def test_a_tensor_is_a_scalar_when_it_holds_one_number(
    tensor: tensor_pb2.TensorProto, number: float | None
) -> None:
    assert one_number(tensor) == number


def test_other_kinds_of_values_are_no_scalars() -> None:
    contents = [
        Value(tag=TAG, histo=summary_pb2.HistogramProto(num=1)),
        Value(tag=TAG, image=summary_pb2.Summary.Image(width=1)),
        Value(tag=TAG),
        Value(tag="text", tensor=tensor_util.make_tensor_proto(TAG)),
    ]
    message = event_pb2.Event(step=1, summary=summary_pb2.Summary(value=contents))
    reader = ScalarReader(TAG)
    assert reader.read([message.SerializeToString()], 1) == []
    assert reader.tags == set()


def test_a_tag_that_first_held_a_histogram_is_named_once_it_holds_a_scalar() -> None:
    histogram = Value(tag="loss", histo=summary_pb2.HistogramProto(num=1))
    reader = ScalarReader(TAG)
    summary = summary_pb2.Summary(value=[histogram])
    message = event_pb2.Event(wall_time=1.0, summary=summary).SerializeToString()
    reader.read([message, message], 1)
    assert reader.tags == set()
    reader.read([event(1, 0.5, "loss")], 1)
    assert reader.tags == {"loss"}


def test_a_tag_is_named_that_comes_second_in_an_event() -> None:
    reader = ScalarReader(TAG)
    both = summary_pb2.Summary(value=[plain("loss", 0.5), plain("val_loss", 0.5)])
    message = event_pb2.Event(wall_time=1.0, step=3, summary=both).SerializeToString()
    reader.read([event(1, 0.5, "loss"), event(2, 0.5, "loss"), message], 1)
    assert reader.tags == {"loss", "val_loss"}


def test_the_number_of_tag_names_is_bounded() -> None:
    reader = ScalarReader(TAG)
    found = reader.read([*(event(1, 0.5, f"loss{i}") for i in range(TAGS_LIMIT + 50)), event(2, 0.5)], 1)
    assert len(reader.tags) == TAGS_LIMIT
    assert len(found) == 1


@pytest.mark.parametrize("wall_time", [math.nan, math.inf, -math.inf])
def test_a_wall_time_that_is_no_time_becomes_zero(wall_time: float) -> None:
    (measurement,) = ScalarReader(TAG).read([event(3, 0.5, wall_time=wall_time)], 1)
    assert measurement.wall_time == 0.0
