"""What is refused on this side, and how errors are shown.

Exit codes: 2 means that nothing was sent (the command line, the config file or the package is wrong),
1 that the service refused, failed or could not be reached, or that a watched job did not succeed.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

EXIT_REFUSED_BY_SERVICE = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


class UsageError(Exception):
    """The command line, or a file it names, is wrong; nothing was sent."""


@contextmanager
def reported(context: typer.Context) -> Iterator[None]:
    """Turns errors in the block into stderr lines as gcloud words them (docs/contract.md 7.3), and an exit.

    Raises:
        typer.Exit: with the exit code that stands for the error.
    """
    from client import ClientError

    command = ".".join(["vernier", *context.command_path.split()[1:]])
    try:
        yield
    except UsageError as error:
        print(f"ERROR: ({command}) {error}", file=sys.stderr)
        raise typer.Exit(EXIT_USAGE) from error
    except ClientError as error:
        print(f"ERROR: ({command}) {error.status}: {error.message}", file=sys.stderr)
        if error.details:
            from cli.output import to_yaml

            print(to_yaml(error.details), end="", file=sys.stderr)
        raise typer.Exit(EXIT_REFUSED_BY_SERVICE) from error
