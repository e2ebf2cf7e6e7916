"""The options that every command about jobs takes."""

from typing import Annotated

import typer

from cli.output import Format

Project = Annotated[
    str,
    typer.Option(
        envvar=["VERNIER_PROJECT", "CLOUDSDK_CORE_PROJECT"],
        help="The project that the job belongs to.",
    ),
]
Address = Annotated[str, typer.Option("--api", envvar="VERNIER_API", help="The service's address.")]
OutputFormat = Annotated[
    Format | None,
    typer.Option(
        "--format",
        help="human on a terminal, yaml otherwise.",
        show_default=False,
    ),
]
ListFormat = Annotated[
    Format | None,
    typer.Option(
        "--format",
        help="A table unless yaml or json is asked for.",
        show_default=False,
    ),
]

DEFAULT_PROJECT = "local"
DEFAULT_ADDRESS = "http://127.0.0.1:8080"
