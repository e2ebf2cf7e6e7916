"""`vernier serve`: the embedded service in the foreground."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.settings_from import settings_from

if TYPE_CHECKING:
    from settings import Settings


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; loopback only.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder for the database, logs and trials.")] = None,
    launcher: Annotated[str | None, typer.Option(help="Where trials run: local or kubernetes.")] = None,
    namespace: Annotated[str | None, typer.Option(help="The namespace of trials on Kubernetes.")] = None,
) -> None:
    """Start the service on this machine.

    Ctrl-C stops it; running trials go on.
    """
    settings = settings_from(
        "serve",
        {"kubernetes_namespace": "namespace"},
        host=host,
        port=port,
        data_dir=data_dir,
        launcher=launcher,
        kubernetes_namespace=namespace,
    )
    run(settings)


def run(settings: "Settings") -> None:
    """Serve until told to stop. Exits with 1 if it can't start."""
    # Imported here: the other commands should not wait for a web server and a task queue to load.
    from cli.data_folder import CannotServe, own_data_dir, own_name
    from cli.embedded import Embedded
    from cli.listening import address_of, listen, serve_http
    from cli.logs import configure_logs

    configure_logs(settings.log_format)
    try:
        with (
            own_data_dir(settings.data_dir),
            own_name(settings.data_dir) as name,
            listen(settings.host, settings.port) as listener,
        ):
            embedded = Embedded(settings, name)
            address = address_of(settings.host, listener)
            typer.echo(_welcome(settings, address))
            embedded.start()
            # For programs that start a service on a free port: where it listens, for as long as it does.
            told = settings.data_dir / "address"
            told.write_text(address + "\n")
            try:
                serve_http(embedded.api, listener)
            finally:
                typer.echo("Stopping …")
                told.unlink(missing_ok=True)
                embedded.stop()
    except CannotServe as error:
        typer.echo(f"ERROR: (vernier.serve) {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo("Stopped. Trials that were running go on, and are found again at the next start.")


def _welcome(settings: "Settings", address: str) -> str:
    away = "" if address == "http://127.0.0.1:8080" else f"\n    export VERNIER_API={address}"
    return f"""
Vernier: training and hyperparameter tuning jobs, with the API of Cloud ML Engine v1.

  API         {address}/v1/projects/local/jobs
  Data        {settings.data_dir}
  Trials      {_where(settings)}

Submit a job from another terminal:
{away}
    vernier jobs submit training my_job_1 --config job.yaml \\
        --package-path trainer --module-name trainer.task --watch
    curl {address}/v1/projects/local/jobs

Ctrl-C stops the service; running trials go on.
"""


def _where(settings: "Settings") -> str:
    if settings.launcher == "kubernetes":
        return "as Jobs of the Kubernetes cluster of the current context"
    return f"up to {settings.slots} at once, as processes of this machine"
