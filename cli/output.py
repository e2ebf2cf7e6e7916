"""Documents on stdout: JSON and YAML for programs, plain columns for lists."""

import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PIPED_WIDTH = 160  # columns that a table may take where no terminal sets a limit


class Format(StrEnum):
    """How a command writes its answer."""

    HUMAN = "human"
    TABLE = "table"
    YAML = "yaml"
    JSON = "json"


def chosen(given: Format | None) -> Format:
    """The format asked for; without one, human on a terminal and YAML elsewhere, as gcloud prints it."""
    if given is not None:
        return given
    return Format.HUMAN if sys.stdout.isatty() else Format.YAML


def to_yaml(document: object) -> str:
    """The document as block style YAML with its keys sorted, which is what gcloud prints."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(document, Dumper=dumper, allow_unicode=True, width=10_000)
    return text


def print_document(document: object, form: Format) -> None:
    """Writes the document to stdout, as JSON for `Format.JSON` and as YAML for every other format."""
    if form is Format.JSON:
        print(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        print(to_yaml(document), end="")


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The rows under their header, aligned by spaces, without trailing ones: easy to cut with awk."""
    lines = [header, *rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def print_table(table: "RenderableType") -> None:
    """Writes what rich has laid out to stdout, without the spaces at the ends of lines."""
    console = console_on(sys.stdout)
    with console.capture() as laid_out:
        console.print(table)
    print("\n".join(line.rstrip() for line in laid_out.get().splitlines()))


def console_on(stream: TextIO) -> "Console":
    """A rich console on the stream, wide enough not to squeeze tables where no terminal is."""
    from rich.console import Console

    return Console(file=stream, highlight=False, width=None if stream.isatty() else PIPED_WIDTH)
