"""The settings of a process of the service: its flags go before the variables of the same names."""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import typer

from cli.errors import EXIT_USAGE

if TYPE_CHECKING:
    from settings import Settings

ELSEWHERE = {"VERNIER_API", "VERNIER_PROJECT", "VERNIER_PROCESS_GROUP"}
"""Variables of the other commands, and the one by which trials know themselves."""

GIVEN = ("SERVICE_", "PORT_")
"""What stands in variables that Kubernetes gives the containers beside a service that is called vernier."""


def settings_from(command: str, renamed: Mapping[str, str] | None = None, /, **flags: Any) -> "Settings":
    """Reads them; a flag that is None was not given.

    Args:
        renamed: {setting: its flag}, where the two are not called the same.

    Raises:
        typer.Exit: one is wrong; which, and why, has been said.
    """
    from pydantic import ValidationError

    from settings import Settings

    _warn_of_misspelt(command, Settings)
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        for wrong in error.errors():
            name = str(wrong["loc"][0])
            called = (renamed or {}).get(name, name)
            flag = f"--{called.replace('_', '-')} or " if name in flags else ""
            typer.echo(f"ERROR: (vernier.{command}) {flag}VERNIER_{name.upper()}: {wrong['msg']}", err=True)
        raise typer.Exit(EXIT_USAGE) from None


def _warn_of_misspelt(command: str, settings: "type[Settings]") -> None:
    """Name the variables that look like settings and are none: what was meant by them is not in force."""
    known = {f"VERNIER_{name.upper()}" for name in settings.model_fields} | ELSEWHERE
    for name in sorted(os.environ):
        if name.startswith("VERNIER_") and name not in known and not any(word in name for word in GIVEN):
            near = get_close_matches(name, known, 1, 0.8)
            meant = f"; is {near[0]} meant?" if near else "."
            typer.echo(f"WARNING: (vernier.{command}) {name} is no setting{meant}", err=True)
