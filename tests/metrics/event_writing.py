"""Event files made by hand, byte by byte: the framing and messages that no library writes on request."""

import struct
from pathlib import Path
from typing import Any

from google_crc32c import value as crc32c
from tensorboard.compat.proto import event_pb2, summary_pb2

from worker.metrics.watch import Cursor, Reading, read_new

TAG = "accuracy"


def checksum(data: bytes) -> bytes:
    """The masked checksum of TFRecord, four bytes."""
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def record(data: bytes) -> bytes:
    """Frame data as one TFRecord."""
    length = struct.pack("<Q", len(data))
    return length + checksum(length) + data + checksum(data)


def event(step: int, value: float, tag: str = TAG, **fields: Any) -> bytes:
    """Serialise an event with one `simple_value`, as TensorFlow 1 and PyTorch do."""
    scalar = summary_pb2.Summary.Value(tag=tag, simple_value=value)
    fields = {"wall_time": 1.7e9 + step, **fields}
    message: bytes = event_pb2.Event(
        step=step, summary=summary_pb2.Summary(value=[scalar]), **fields
    ).SerializeToString()
    return message


def scalar_records(count: int, tag: str = TAG) -> list[bytes]:
    """Frame `count` scalars: at step i the value i / 4, which float32 holds exactly."""
    return [record(event(step, step / 4, tag)) for step in range(count)]


def write(directory: Path, data: bytes, name: str = "events.out.tfevents.1") -> Path:
    """Put bytes into an event file below a directory that need not exist."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_bytes(data)
    return path


def look(root: Path, cursor: Cursor | None = None, *, tag: str = TAG, **options: Any) -> Reading:
    """Read what is new below one root, without a hypertune file."""
    return read_new([root], None, tag, cursor or Cursor(), **options)


def steps(reading: Reading) -> list[int]:
    """The steps of a reading, in its order."""
    return [measurement.step for measurement in reading.measurements]
