"""The metric file of the cloudml-hypertune package (docs/contract.md 5.2).

Each report rewrites the whole file with the newest 100 records at most, one JSON object a line:

    {"checkpoint_path": "", "global_step": "10", "timestamp": 1525851440.12,
     "training/hptuning/metric": "0.98", "trial": "1"}

The rewrite is not atomic, so a read may meet an empty file or a part of it. What is new is told by comparing
whole lines (their timestamp, step and value) with those already seen: there is no offset to go on from, and
the clock that made the timestamps may be set back.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from math import isfinite
from pathlib import Path
from typing import Any, Final

from worker.metrics.measurement import Measurement, clamp_step, known_time
from worker.metrics.regular_file import open_regular, read_at
from worker.metrics.tag_names import add_tag

SOURCE: Final = 0
RECORDS_LIMIT: Final = 100
BYTES_LIMIT: Final = 2**22
_READ_ATTEMPTS = 5
# More than one file's worth, so that a part of the file never makes older lines look new.
_SEEN_LIMIT = 2 * RECORDS_LIMIT
_RESERVED = frozenset({"checkpoint_path", "global_step", "timestamp", "trial"})


@dataclass(frozen=True, slots=True)
class HypertuneReading:
    """What one look at the file gave.

    Attributes:
        measurements: the new ones, in the order of the file.
        seen: digests of the newest lines seen, to be passed in again; at most 200.
        tags: names of the metrics in the new lines.
        problems: what could not be read.
    """

    measurements: list[Measurement] = field(default_factory=list)
    seen: tuple[str, ...] = ()
    tags: frozenset[str] = frozenset()
    problems: list[str] = field(default_factory=list)


def read_hypertune(path: Path, tag: str, seen: tuple[str, ...], final: bool) -> HypertuneReading:
    """Read the records of `tag` that are not in `seen`; a file that is not there has none.

    With `final`, nobody writes any more: a line that was cut off becomes a problem instead of being awaited.
    """
    try:
        content = _content(path)
    except (FileNotFoundError, NotADirectoryError):
        return HypertuneReading(seen=seen)
    except OSError as error:
        return HypertuneReading(seen=seen, problems=[f"{path}: {error.strerror or error}"])
    if content is None:
        return HypertuneReading(
            seen=seen, problems=[f"{path}: kept changing while it was read"] if final else []
        )
    *lines, unfinished = content.split(b"\n")
    problems = []
    if len(lines) > RECORDS_LIMIT:
        problems.append(f"{path}: only the newest {RECORDS_LIMIT} of {len(lines)} lines are read")
    measurements: list[Measurement] = []
    tags: set[str] = set()
    known = dict.fromkeys(seen)
    for line in [*lines[-RECORDS_LIMIT:], unfinished]:
        digest = blake2b(line.strip(), digest_size=6).hexdigest()
        if digest in known or not line.strip():
            continue
        try:
            record = _parse(line)
            measurement = _measurement(record, tag)
        except ValueError as error:
            if line is unfinished and not final:
                continue
            problems.append(f"{path}: {error}")
        else:
            for name in _metric_names(record):
                add_tag(tags, name)
            if measurement is not None:
                measurements.append(measurement)
        known[digest] = None
    return HypertuneReading(measurements, tuple(known)[-_SEEN_LIMIT:], frozenset(tags), problems)


def _content(path: Path) -> bytes | None:
    """Read the file's newest BYTES_LIMIT bytes, from the start of a line; None when it would not hold still.

    A read that meets a rewrite may give the beginning of one version and the end of another, even as lines
    that parse. Only what two reads in a row agree on is taken.

    Raises:
        OSError: when it cannot be read.
    """
    with open_regular(path) as (descriptor, status):
        start = max(0, status.st_size - BYTES_LIMIT)
        before = read_at(descriptor, BYTES_LIMIT, start)
        for _ in range(_READ_ATTEMPTS):
            content = read_at(descriptor, BYTES_LIMIT, start)
            if content == before:
                return content[content.find(b"\n") + 1 :] if start else content
            before = content
    return None


def _parse(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise ValueError(f"a line is no JSON object: {line[:80]!r}")
    return record


def _metric_names(record: dict[str, Any]) -> Iterable[str]:
    """Name a record's metrics: every key that is not the package's own.

    A tag may bear the name of one of those keys and takes its place: then there is no other key, and where
    the timestamp was there is text. (For `global_step` and `checkpoint_path` the package loses the metric.)
    """
    names = record.keys() - _RESERVED
    if names:
        return names
    return ["timestamp"] if isinstance(record.get("timestamp"), str) else ["trial"]


def _measurement(record: dict[str, Any], tag: str) -> Measurement | None:
    """Read one record; None when it is of another metric.

    Raises:
        ValueError: when its value or its step is no number.
    """
    if tag not in record or tag not in _metric_names(record):
        return None
    return Measurement(
        step=clamp_step(_step(record.get("global_step") or 0)),
        value=_number(tag, record[tag]),
        wall_time=_time(record.get("timestamp")),
        source=SOURCE,
    )


def _number(name: str, value: object) -> float:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise ValueError(f"{name} is no number: {str(value)[:80]!r}")


def _step(value: object) -> int:
    if isinstance(value, str | int) and not isinstance(value, bool):
        try:
            return int(value)
        except ValueError:
            pass  # perhaps written as a float
    number = _number("global_step", value)
    if not isfinite(number):
        raise ValueError(f"global_step is no number: {value!r}")
    return int(number)


def _time(value: object) -> float:
    try:
        return known_time(_number("timestamp", value))
    except ValueError:
        return 0.0
