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
from functools import lru_cache
from math import isfinite
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorboard.compat.proto import event_pb2

from worker.metrics.measurement import Measurement, clamp_step, known_time
from worker.metrics.tag_names import TAGS_LIMIT, add_tag
from worker.metrics.tensor_number import one_number

_new = tuple.__new__
_unpack_time = struct.Struct("<d").unpack_from
_unpack_value = struct.Struct("<f").unpack_from
_unpack_time_and_value = struct.Struct("<df").unpack
# A varint of ten bytes is a negative step, which is left to the parser.
_TIME_AND_STEP = rb"\x09(.{8})(?:\x10([\x80-\xff]{0,8}[\x00-\x7f]))?"
# A TensorProto of one float32 up to its four bytes: its type, its empty shape if it is given, and the key of
# tensor_content (TensorFlow) or of float_val (PyTorch, TensorBoard).
_FLOAT_TENSORS = (b"\x08\x01\x12\x00\x22\x04", b"\x08\x01\x12\x00\x2a\x04", b"\x08\x01\x2a\x04")
_SCALAR_METADATA = b"\x4a\x0b\x0a\x09\x0a\x07scalars"
_MEMORY_LIMIT = 4096
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
        # All bytes between the step and the number of records with the wanted scalar: quicker to compare.
        self._wanted: set[bytes] = set()
        # The tags already parsed, each with the key of the field behind it, which tells its kind.
        self._kinds: set[bytes] = set()
        # The same for `simple_value`, as all bytes between the step and the number.
        self._plain: set[bytes] = set()

    def read(self, records: Iterable[bytes], source: int) -> list[Measurement]:
        """Take the wanted tag's scalars out of `records`, in their order."""
        found: list[Measurement] = []
        for record in records:
            # "*" is the key of the summary, which follows the step. Where it is a byte of the step instead,
            # the middle is none that is known.
            summary = record.find(b"*", 9)
            middle = record[summary:-4]
            step = _short_step(record, summary) if middle in self._wanted else None
            if step is not None:
                wall_time = _unpack_time(record, 1)[0]
                number = _unpack_value(record, len(record) - 4)[0]
                # Measurement() and known_time() written out: this runs for every point of every trial.
                if not isfinite(wall_time):
                    wall_time = 0.0
                found.append(_new(Measurement, (step, number, wall_time, source)))
            elif middle not in self._plain and not self._match_wanted(record, source, found):
                self._learn(record, source, found)
        if found:
            add_tag(self.tags, self._tag)
        return found

    def _match_wanted(self, record: bytes, source: int, found: list[Measurement]) -> bool:
        """Take the wanted scalar out of a record of the usual layout; remembers that layout's bytes."""
        match = self._match(record)
        if match is None:
            return False
        time, step, _, value = match.groups()
        wall_time, number = _unpack_time_and_value(time + value)
        found.append(Measurement(_varint(step) if step else 0, number, known_time(wall_time), source))
        if match.end(4) == len(record) and len(self._wanted) < _MEMORY_LIMIT:
            self._wanted.add(record[match.end(2) if step else 9 : -4])
        return True

    def _learn(self, record: bytes, source: int, found: list[Measurement]) -> None:
        """Parse a record unless it is like one that gave nothing."""
        if not self._is_familiar(record):
            self._parse(record, source, found)

    def _is_familiar(self, record: bytes) -> bool:
        """Whether parsing a record would give nothing; remembers the look of those without the wanted tag."""
        if self._tag_bytes in record:
            return False
        if len(self.tags) >= TAGS_LIMIT:
            return True
        match = _FIRST_VALUE.match(record)
        if match is None:
            return False
        summary_length, value_length, tag_length = map(ord, match.groups())
        if summary_length != value_length + 2:
            return False  # there is a second value
        tag_start = match.end()
        tag_end = tag_start + tag_length
        kind = record[tag_start : tag_end + 1]
        if kind not in self._kinds:
            if len(self._kinds) < _MEMORY_LIMIT:
                self._kinds.add(kind)
            return False
        if (
            record[tag_end:-4] == b"\x15"
            and value_length == tag_length + 7
            and len(self._plain) < _MEMORY_LIMIT
        ):
            self._plain.add(record[record.find(b"*", 9) : -4])
        return True

    def _parse(self, record: bytes, source: int, found: list[Measurement]) -> None:
        try:
            event = event_pb2.Event.FromString(record)
        except DecodeError:
            self.unparsable += 1
            return
        for value in event.summary.value:
            name = value.tag
            wanted = name == self._tag
            if not wanted and (name in self.tags or len(self.tags) >= TAGS_LIMIT):
                continue
            number = _number(value)
            if number is None:
                continue
            if wanted:
                found.append(Measurement(clamp_step(event.step), number, known_time(event.wall_time), source))
            else:
                add_tag(self.tags, name)


def _number(value: Any) -> float | None:
    """Read a `Summary.Value`; None unless it holds one number."""
    kind = value.WhichOneof("value")
    if kind == "simple_value":
        return float(value.simple_value)
    return one_number(value.tensor) if kind == "tensor" else None


@lru_cache(maxsize=100)
def _layout(tag: bytes) -> re.Pattern[bytes]:
    """Compile the layouts of an event that holds one float32 scalar of a tag and nothing else.

    Groups: the wall time (8 bytes), the step (a varint, absent when it is 0), one that says whether metadata
    follows, and the value (4 bytes). The tag fixes all lengths inside, so what matches is well formed.
    """
    name, name_length = _delimited(0x0A, re.escape(tag), len(tag))

    def head(body: bytes, body_length: int, rest_length: int) -> bytes:
        """Match a summary up to the number, which has `rest_length` bytes with what follows it."""
        value, value_length = _delimited(0x0A, name + body, name_length + body_length + rest_length)
        return _delimited(0x2A, value, value_length)[0]

    plain = [head(rb"\x15", 1, 4)]  # simple_value
    described = []
    for tensor in _FLOAT_TENSORS:
        body, length = _delimited(0x42, re.escape(tensor), len(tensor) + 4)
        plain.append(head(body, length - 4, 4))
        described.append(head(body, length - 4, 4 + len(_SCALAR_METADATA)))
    heads = b"(?:" + b"|".join(plain) + b"|(" + b"|".join(described) + b"))"
    return re.compile(_TIME_AND_STEP + heads + b"(.{4})(?(3)" + re.escape(_SCALAR_METADATA) + b")", re.DOTALL)


def _delimited(key: int, pattern: bytes, length: int) -> tuple[bytes, int]:
    """Make the pattern of `length` bytes into that of a length-delimited field; return it with its length."""
    size = []
    rest = length
    while rest > 0x7F:
        size.append(0x80 | rest & 0x7F)
        rest >>= 7
    head = bytes([key, *size, rest])
    return re.escape(head) + pattern, len(head) + length


def _short_step(record: bytes, end: int) -> int | None:
    """Decode the step that stands behind the wall time and ends at `end`; None unless it is below 2**21."""
    if record[0] != 0x09 or record[9] != 0x10:
        return None
    low = record[10]
    if end == 12:  # most steps of most runs
        high = record[11]
        return low & 0x7F | high << 7 if low > 0x7F >= high else None
    if end == 13:
        middle, high = record[11], record[12]
        return low & 0x7F | (middle & 0x7F) << 7 | high << 14 if min(low, middle) > 0x7F >= high else None
    return low if end == 11 and low <= 0x7F else None


def _varint(data: bytes) -> int:
    """Decode a whole varint of at most nine bytes."""
    if len(data) == 2:  # most steps of most runs
        return data[0] & 0x7F | data[1] << 7
    value = 0
    for byte in reversed(data):
        value = value << 7 | byte & 0x7F
    return value
