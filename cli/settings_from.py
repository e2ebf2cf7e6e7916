"""The settings of a process of the service: its flags go before the variables of the same names."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from cli.errors import EXIT_USAGE

if TYPE_CHECKING:
    from settings import Settings


def settings_from(command: str, renamed: Mapping[str, str] | None = None, /, **flags: Any) -> "Settings":
    """Reads them; a flag that is None was not given.

    Args:
        renamed: {setting: its flag}, where the two are not called the same.

    Raises:
        typer.Exit: one is wrong; which, and why, has been said.
    """
    from pydantic import ValidationError

    from settings import Settings

    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        for wrong in error.errors():
            name = str(wrong["loc"][0])
            called = (renamed or {}).get(name, name)
            flag = f"--{called.replace('_', '-')} or " if name in flags else ""
            typer.echo(f"ERROR: (vernier.{command}) {flag}VERNIER_{name.upper()}: {wrong['msg']}", err=True)
        raise typer.Exit(EXIT_USAGE) from None
