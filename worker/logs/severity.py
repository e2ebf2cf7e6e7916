"""What level a printed line names: the habits of the loggers that trainers use.

Recognised are Python's logging, with its default format and those that begin with a time; absl and glog;
TensorFlow's C++ side; loguru, hydra and others that set levels between brackets or bars; Python's warnings;
and lines that are JSON objects. A line that names none has the default severity.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

DEFAULT = "INFO"
SEVERITIES: Mapping[str, str] = {
    "TRACE": "DEBUG",
    "DEBUG": "DEBUG",
    "INFO": "INFO",
    "SUCCESS": "INFO",
    "NOTICE": "NOTICE",
    "WARN": "WARNING",
    "WARNING": "WARNING",
    "ERROR": "ERROR",
    "CRITICAL": "CRITICAL",
    "FATAL": "CRITICAL",
    "ALERT": "ALERT",
    "EMERGENCY": "EMERGENCY",
}
"""{a level as loggers write it: the severity it stands for}."""
LOOKED_AT = 300
"""Characters at the beginning of a line within which a level is looked for."""

_LEVEL = "|".join(sorted(SEVERITIES, key=len, reverse=True))
_LETTERS = {"D": "DEBUG", "I": "INFO", "W": "WARNING", "E": "ERROR", "F": "CRITICAL"}
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# WARNING:root:text, and ERROR: text, INFO | text, INFO - text.
_LEADING = re.compile(rf"(?P<level>{_LEVEL})(?::[\w.\-]*:|\s*[:|\]] |\s+-\s)")
# [INFO] text, [LightGBM] [Info] text, <WARNING> text.
_BRACKETED = re.compile(rf"(?:\[[^\[\]]{{1,60}}\]\s?){{0,3}}[\[<](?P<level>{_LEVEL})\s*[\]>]", re.I)
# I0624 10:06:29.600425 123 file.py:12] text; some write the year, too.
_GLOG = re.compile(r"(?P<letter>[DIWEF])(?:\d{4})?\d{4} \d\d:\d\d:\d\d(?:\.\d+)?\s+\d+ \S+:\d+\] ")
_TIME = re.compile(
    r"\[?\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z| ?[+-]\d\d:?\d\d)?(?P<colon>:)?"
)
# 2019-06-24 10:06:29.600425: W tensorflow/core/file.cc:12] text.
_TENSORFLOW = re.compile(r" (?P<letter>[DIWEF]) \S+:\d+\] ")
_WORD = re.compile(r"(?P<before>[\s|\[\]():,;-]*)(?P<word>[^\s|\[\]():,;]+)(?P<after>[\s|\[\]():,;-]*)")
_WORDS_BEFORE_LEVEL = 3
_WARNING = re.compile(r"\S[^:]{0,250}:\d+: \w*Warning: ")

_MESSAGE_KEYS = ("message", "msg")
_LEVEL_KEYS = ("severity", "level", "levelname")
_KNOWN_KEYS = frozenset(
    {*_MESSAGE_KEYS, *_LEVEL_KEYS, "time", "timestamp", "asctime", "created", "name", "logger"}
)


@dataclass(frozen=True, slots=True)
class Record:
    """A line that a logger wrote."""

    severity: str
    message: str


def read_record(line: str) -> Record | None:
    """The line as a logger's record; None if it is not known to be one."""
    if not line or line[0] in " \t":
        return None
    if line[0] == "{":
        return _json(line)
    head = line[:LOOKED_AT]
    if "\x1b" in head:
        head = _COLOURS.sub("", head)
    severity = _severity(head)
    return None if severity is None else Record(severity, line)


def _severity(head: str) -> str | None:
    first = head[:1]
    if first.isdigit() or (first == "[" and head[1:2].isdigit()):
        found = _after_time(head)
    elif first in "[<":
        found = _named(_BRACKETED.match(head))
    elif first.isupper():
        found = _named(_LEADING.match(head)) or _lettered(_GLOG.match(head))
    else:
        found = None
    if found is None and "Warning: " in head and _WARNING.match(head):
        return "WARNING"
    return found


def _named(match: re.Match[str] | None) -> str | None:
    return None if match is None else SEVERITIES[match["level"].upper()]


def _lettered(match: re.Match[str] | None) -> str | None:
    return None if match is None else _LETTERS[match["letter"]]


def _after_time(head: str) -> str | None:
    """The level among the first words after a time: `10:06:29,600 - name - ERROR - text` and its like."""
    time = _TIME.match(head)
    if time is None:
        return _named(_BRACKETED.match(head)) if head[0] == "[" else None
    if time["colon"] and (match := _TENSORFLOW.match(head, time.end())):
        return _lettered(match)
    place, spaces_only = time.end(), 0
    for _ in range(_WORDS_BEFORE_LEVEL + 1):
        match = _WORD.match(head, place)
        if match is None:
            return None
        word = match["word"]
        enclosed = match["before"].endswith("[")
        if word in SEVERITIES or (enclosed and word.upper() in SEVERITIES):
            return SEVERITIES[word.upper()]
        if not match["after"].strip():
            # Words apart by nothing but a space are a text, except a logger's name before the level.
            spaces_only += 1
            if spaces_only > 1:
                return None
        place = match.end("word")
    return None


def _json(line: str) -> Record | None:
    if not line.endswith("}"):
        return None
    try:
        value: Any = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(value, dict):
        return None
    level = next((value[key] for key in _LEVEL_KEYS if key in value), None)
    if isinstance(level, int) and not isinstance(level, bool):
        severity = _numbered(level)
    else:
        severity = SEVERITIES.get(level.upper()) if isinstance(level, str) else None
    if severity is None:
        return None
    message = next((value[key] for key in _MESSAGE_KEYS if isinstance(value.get(key), str)), "")
    # With fields of its own the line is kept whole: they are a part of what it says.
    if not message.strip() or "\0" in message or not value.keys() <= _KNOWN_KEYS:
        message = line
    return Record(severity, message)


def _numbered(level: int) -> str | None:
    """The severity of a level of Python's logging."""
    names = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
    return names[min(max(level, 10) // 10, 5) - 1] if 0 < level <= 1000 else None
