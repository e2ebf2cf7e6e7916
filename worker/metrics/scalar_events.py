"""Scalars of one tag, out of the serialised `Event` messages that TensorBoard's writers make.

A scalar is a `simple_value` (TensorFlow 1, PyTorch, tensorboardX) or a `tensor` of one number (TensorFlow 2,
Keras). The tag must match exactly. Which plugin a value is meant for is not asked: TensorFlow 1 names it in a
tag's first event only.

Nearly every record of a training run holds one scalar, its fields in order of their numbers. Regular
expressions read that layout; the protobuf parser reads everything else. Both give the same answer, which is
tested.
"""

import re
import struct
from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorboard.compat.proto import event_pb2

from worker.metrics.measurement import Measurement, clamp_step, known_time
from worker.metrics.tag_names import TAGS_LIMIT, add_tag
from worker.metrics.tensor_number import one_number

_unpack_double = struct.Struct("<d").unpack
_unpack_float = struct.Struct("<f").unpack
# A varint of ten bytes is a negative step, which is left to the parser.
_TIME_AND_STEP = rb"\x09(.{8})(?:\x10([\x80-\xff]{0,8}[\x00-\x7f]))?"
# A TensorProto of one float32 up to its four bytes: its type, its empty shape if it is given, and the key of
# tensor_content (TensorFlow) or of float_val (PyTorch, TensorBoard).
_FLOAT_TENSORS = (b"\x08\x01\x12\x00\x22\x04", b"\x08\x01\x12\x00\x2a\x04", b"\x08\x01\x2a\x04")
_SCALAR_METADATA = (b"\x4a\x0b\x0a\x09\x0a\x07scalars", b"")
# The start of an event whose first value is below 128 bytes long and has its tag first. Groups: the lengths
# of the summary, of the value and of the tag, whose bytes come next.
_FIRST_VALUE = re.compile(
    rb"\x09.{8}(?:\x10[\x80-\xff]{0,9}[\x00-\x7f])?\x2a(.)\x0a(.)\x0a([\x00-\x7f])", re.S
)


class ScalarReader:
    """Reads the scalars of one tag, and learns the names of the others.

    Attributes:
        tags: names of the scalar tags seen, the wanted one included; the first TAGS_LIMIT of them.
        unparsable: how many records were no `Event`.
    """

    def __init__(self, tag: str, tags: Iterable[str] = ()) -> None:
        self.tags = set(tags)
        self.unparsable = 0
        self._tag = tag
        self._tag_bytes = tag.encode(errors="surrogatepass")
        self._match = _layout(self._tag_bytes).fullmatch
        # Each tag already looked at, with the key of the field behind it, which tells scalars from the rest.
        self._familiar: set[bytes] = set()

    def read(self, records: Iterable[bytes], source: int) -> list[Measurement]:
        """Take the wanted tag's scalars out of `records`, in their order."""
        found: list[Measurement] = []
        for record in records:
            match = self._match(record)
            if match is not None:
                wall_time, step, value = match.group(1, 2, match.lastindex or 0)
                found.append(
                    Measurement(
                        _varint(step) if step else 0,
                        _unpack_float(value)[0],
                        known_time(_unpack_double(wall_time)[0]),
                        source,
                    )
                )
            elif self._tag_bytes in record or not self._is_familiar(record):
                self._parse(record, source, found)
        if found:
            add_tag(self.tags, self._tag)
        return found

    def _is_familiar(self, record: bytes) -> bool:
        """Whether parsing a record without the wanted tag would teach nothing."""
        if len(self.tags) >= TAGS_LIMIT:
            return True
        match = _FIRST_VALUE.match(record)
        if match is None:
            return False
        summary, value, tag = match.group(1, 2, 3)
        if summary[0] != value[0] + 2:
            return False  # there is a second value
        start = match.end()
        key = record[start : start + tag[0] + 1]
        if key in self._familiar:
            return True
        if len(self._familiar) < 4096:
            self._familiar.add(key)
        return False

    def _parse(self, record: bytes, source: int, found: list[Measurement]) -> None:
        try:
            event = event_pb2.Event.FromString(record)
        except DecodeError:
            self.unparsable += 1
            return
        for value in event.summary.value:
            wanted = value.tag == self._tag
            if not wanted and (value.tag in self.tags or len(self.tags) >= TAGS_LIMIT):
                continue
            number = _number(value)
            if number is None:
                continue
            if wanted:
                found.append(Measurement(clamp_step(event.step), number, known_time(event.wall_time), source))
            else:
                add_tag(self.tags, value.tag)


def _number(value: Any) -> float | None:
    """Read a `Summary.Value`; None unless it holds one number."""
    kind = value.WhichOneof("value")
    if kind == "simple_value":
        return float(value.simple_value)
    return one_number(value.tensor) if kind == "tensor" else None


def _layout(tag: bytes) -> re.Pattern[bytes]:
    """Compile the layouts of an event that holds one float32 scalar of a tag and nothing else.

    Groups: the wall time (8 bytes), the step (a varint, absent when it is 0), and the last one that took
    part, the value (4 bytes). The tag fixes all lengths inside, so what matches is a well-formed message.
    """
    name, name_length = _delimited(0x0A, re.escape(tag), len(tag))
    bodies = [(rb"\x15(.{4})", 5)]  # simple_value
    for tensor in _FLOAT_TENSORS:
        pattern, length = _delimited(0x42, re.escape(tensor) + b"(.{4})", len(tensor) + 4)
        bodies += [(pattern + re.escape(metadata), length + len(metadata)) for metadata in _SCALAR_METADATA]
    summaries = []
    for body, body_length in bodies:
        value, value_length = _delimited(0x0A, name + body, name_length + body_length)
        summaries.append(_delimited(0x2A, value, value_length)[0])
    return re.compile(_TIME_AND_STEP + b"(?:" + b"|".join(summaries) + b")", re.DOTALL)


def _delimited(key: int, pattern: bytes, length: int) -> tuple[bytes, int]:
    """Make the pattern of `length` bytes into that of a length-delimited field; return it with its length."""
    size = []
    rest = length
    while rest > 0x7F:
        size.append(0x80 | rest & 0x7F)
        rest >>= 7
    head = bytes([key, *size, rest])
    return re.escape(head) + pattern, len(head) + length


def _varint(data: bytes) -> int:
    """Decode a whole varint of at most nine bytes."""
    value = 0
    for byte in reversed(data):
        value = value << 7 | byte & 0x7F
    return value
