"""Reads the `--config` file: a Job in YAML or JSON.

YAML is read by the rules of version 1.2, which gcloud follows and PyYAML by itself does not: `1e-4` is a
number, `on` and `no` are words, `2020-01-01` and `1:30` are strings, a repeated key is an error.
"""

import json
import re
from collections import Counter
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from cli.errors import UsageError


class _Loader(yaml.SafeLoader):
    """SafeLoader with the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/, section 10.3.2)."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - so the base class declares it

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        for name, times in names.items():
            if times > 1:
                line = node.start_mark.line + 1
                raise yaml.constructor.ConstructorError(
                    None, None, f"{name!r} is there twice in the mapping that begins in line {line}"
                )
        return super().construct_mapping(node, deep)


def _integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node)
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)


def read_config(path: Path) -> dict[str, Any]:
    """The job in the file; an empty file is an empty job.

    Raises:
        UsageError: the file cannot be read, is neither YAML nor JSON, or holds what JSON cannot carry.
    """
    try:
        text = path.read_text(encoding="utf-8")
        is_json = path.suffix == ".json"  # which may have tabs, as YAML may not
        document = json.loads(text) if is_json else yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
        json.dumps(document, allow_nan=False)
    except OSError as problem:
        raise UsageError(f"--config: cannot read {path}: {problem.strerror}") from problem
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as problem:
        raise UsageError(f"--config: {path} is no job in YAML or JSON: {problem}") from problem
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise UsageError(
            f"--config: {path} must hold a job, with keys like trainingInput; it holds "
            f"{'a list' if isinstance(document, list) else repr(document)[:80]}"
        )
    return document
