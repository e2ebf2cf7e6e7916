"""`vernier jobs submit training`, with gcloud's flags (docs/contract.md 7.2)."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from cli.errors import EXIT_INTERRUPTED, EXIT_REFUSED_BY_SERVICE, UsageError, reported
from cli.options import DEFAULT_ADDRESS, DEFAULT_PROJECT, Address, OutputFormat, Project
from cli.output import Format, chosen, console_on, print_document
from cli.stream_logs import print_log
from cli.submit import SCALE_TIERS, ReplicaFlags, SubmitFlags, build_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from client import Job, VernierClient

_USER_ARGS = "vernier.user_args"
_BRIEF = ("jobId", "state", "startTime", "endTime")


class UserArgsCommand(TyperCommand):
    """A command that keeps all that follows the first `--` for the trainer, as gcloud does.

    A plain variadic argument would take stray words before the `--` as well.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses the words up to the `--`."""
        if "--" in args:
            separator = args.index("--")
            ctx.meta[_USER_ARGS] = args[separator + 1 :]
            args = args[:separator]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Shows the trainer's arguments in the usage line."""
        return [*super().collect_usage_pieces(ctx), "[-- USER_ARGS ...]"]


def _flag(help_text: str, *names: str, **settings: Any) -> Any:
    return typer.Option(*names, help=help_text, show_default=False, **settings)


_ACCELERATOR = "type=TYPE,count=COUNT"


def training(
    context: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="The new job's id.", show_default=False)],
    config: Annotated[Path | None, _flag("A job in YAML or JSON; flags override it.", metavar="FILE")] = None,
    module_name: Annotated[str | None, _flag("The module to run, e.g. trainer.task.")] = None,
    package_path: Annotated[
        str | None, _flag("The package's folder, which has __init__.py.", metavar="DIR")
    ] = None,
    packages: Annotated[
        str | None, _flag("Archives that pip can install, with commas between.", metavar="A,B")
    ] = None,
    staging_bucket: Annotated[
        str | None, _flag("The folder, or gs://BUCKET, to copy packages to.", metavar="DIR")
    ] = None,
    job_dir: Annotated[
        str | None, _flag("Where the job writes, given to it as --job-dir.", metavar="DIR")
    ] = None,
    runtime_version: Annotated[str | None, _flag("The runtime's version.")] = None,
    python_version: Annotated[str | None, _flag("Python's version.")] = None,
    labels: Annotated[str | None, _flag("Labels of the job.", metavar="K=V,...")] = None,
    region: Annotated[
        str | None, _flag("Where to run, if that matters.", envvar="CLOUDSDK_COMPUTE_REGION")
    ] = None,
    scale_tier: Annotated[str | None, _flag(f"One of {', '.join(SCALE_TIERS)}.", metavar="TIER")] = None,
    master_machine_type: Annotated[str | None, _flag("The master's machine.")] = None,
    master_accelerator: Annotated[
        str | None, _flag("The master's accelerators.", metavar=_ACCELERATOR)
    ] = None,
    master_image_uri: Annotated[str | None, _flag("The image to run.")] = None,
    worker_machine_type: Annotated[str | None, _flag("The workers' machine.")] = None,
    worker_count: Annotated[int | None, _flag("How many workers.", min=0)] = None,
    worker_accelerator: Annotated[
        str | None, _flag("The workers' accelerators.", metavar=_ACCELERATOR)
    ] = None,
    worker_image_uri: Annotated[str | None, _flag("The workers' image.")] = None,
    parameter_server_machine_type: Annotated[str | None, _flag("The parameter servers' machine.")] = None,
    parameter_server_count: Annotated[int | None, _flag("How many parameter servers.", min=0)] = None,
    parameter_server_accelerator: Annotated[
        str | None, _flag("The parameter servers' accelerators.", metavar=_ACCELERATOR)
    ] = None,
    parameter_server_image_uri: Annotated[str | None, _flag("The parameter servers' image.")] = None,
    use_chief_in_tf_config: Annotated[bool | None, _flag("Call the master chief in TF_CONFIG.")] = None,
    service_account: Annotated[str | None, _flag("The account that the job runs as.")] = None,
    enable_web_access: Annotated[bool | None, _flag("Allow an interactive shell.")] = None,
    kms_key: Annotated[str | None, _flag("The encryption key.")] = None,
    kms_keyring: Annotated[str | None, _flag("The key's key ring.")] = None,
    kms_location: Annotated[str | None, _flag("The key's location.")] = None,
    kms_project: Annotated[str | None, _flag("The key's project.")] = None,
    watch: Annotated[
        bool, _flag("Show the job until it ends; exit with 0 only if it succeeds.", "--watch")
    ] = False,
    asynchronous: Annotated[bool, _flag("Return at once, which is the default.", "--async")] = False,
    stream_logs: Annotated[
        bool, _flag("Print the job's log until it ends; exit with 0 only if it succeeds.", "--stream-logs")
    ] = False,
    project: Project = DEFAULT_PROJECT,
    api: Address = DEFAULT_ADDRESS,
    form: OutputFormat = None,
) -> None:
    """Submit a training or tuning job.

    It is a tuning job if its config has hyperparameters. What follows -- goes to the trainer as it is.
    """
    with reported(context):
        if watch + stream_logs + asynchronous > 1:
            raise UsageError("--watch, --stream-logs and --async exclude each other")

        from cli.config_file import read_config
        from cli.staging import absolute
        from client import VernierClient

        flags = SubmitFlags(
            job_id=job_id,
            project=project,
            region=region,
            scale_tier=scale_tier,
            module_name=module_name,
            package_path=package_path,
            packages=[name for name in (packages or "").split(",") if name],
            job_dir=None if job_dir is None else absolute(job_dir),
            runtime_version=runtime_version,
            python_version=python_version,
            master=ReplicaFlags(
                machine_type=master_machine_type,
                accelerator=master_accelerator,
                image_uri=master_image_uri,
            ),
            worker=ReplicaFlags(
                machine_type=worker_machine_type,
                count=worker_count,
                accelerator=worker_accelerator,
                image_uri=worker_image_uri,
            ),
            parameter_server=ReplicaFlags(
                machine_type=parameter_server_machine_type,
                count=parameter_server_count,
                accelerator=parameter_server_accelerator,
                image_uri=parameter_server_image_uri,
            ),
            use_chief_in_tf_config=use_chief_in_tf_config,
            service_account=service_account,
            enable_web_access=enable_web_access,
            kms_key=kms_key,
            kms_keyring=kms_keyring,
            kms_location=kms_location,
            kms_project=kms_project,
            labels=labels,
        )
        user_args = context.meta.get(_USER_ARGS, [])
        job = build_job(flags, {} if config is None else read_config(config), user_args)
        if flags.package_path or flags.packages:
            job["trainingInput"].pop("package_uris", None)
            job["trainingInput"]["packageUris"] = staged_packages(flags, staging_bucket, api)

        with VernierClient(api, project) as client:
            created = client.create_job(job)
            print(f"Job [{job_id}] submitted successfully.", file=sys.stderr)
            if watch or stream_logs:
                follow = _watched if watch else _streamed
                _follow(client, job_id, follow, chosen(form), _target(context))
                return
        print(
            "Your job is still active. You may view the status of your job with the command\n\n"
            f"  $ vernier jobs describe {job_id}{_target(context)}\n",
            file=sys.stderr,
        )
        _print_brief(created, chosen(form))


def staged_packages(flags: SubmitFlags, staging_bucket: str | None, api: str) -> list[str]:
    """Builds what `--package-path` names, stages it with the local `--packages`, and gives all their URIs.

    Raises:
        UsageError: a package cannot be built, read or staged.
        ClientError: the service's object store does not take one.
    """
    import tempfile
    from functools import partial

    from cli.object_upload import upload
    from cli.packaging import build_package
    from cli.staging import is_local, local_archive, local_path, stage, staging_place

    with tempfile.TemporaryDirectory(prefix="vernier-package-") as scratch:
        sources: list[str | Path] = []
        if flags.package_path:
            sources.append(build_package(local_path(flags.package_path), Path(scratch)))
        sources += [local_archive(package) if is_local(package) else package for package in flags.packages]
        where = staging_place(staging_bucket, flags.job_dir, flags.job_id)
        send = partial(upload, api)
        return [stage(source, where, send) if isinstance(source, Path) else source for source in sources]


def _watched(client: "VernierClient", job_id: str) -> "Job":
    from cli import progress

    return progress.watch(client, job_id, console_on(sys.stderr))


def _streamed(client: "VernierClient", job_id: str) -> "Job":
    print_log(client, job_id, sys.stderr)
    return client.get_job(job_id)


def _follow(
    client: "VernierClient",
    job_id: str,
    follow: "Callable[[VernierClient, str], Job]",
    form: Format,
    target: str,
) -> None:
    try:
        # On stderr: it is talk for the reader, while stdout has the answer for programs.
        ended = follow(client, job_id)
    except KeyboardInterrupt:
        print(
            f"\nStopped watching; job [{job_id}] goes on. You may end it with the command\n\n"
            f"  $ vernier jobs cancel {job_id}{target}\n",
            file=sys.stderr,
        )
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if form is not Format.HUMAN or follow is _streamed:
        _print_brief(ended, form)
    if ended.get("state") != "SUCCEEDED":
        raise typer.Exit(EXIT_REFUSED_BY_SERVICE)


def _print_brief(job: "Job", form: Format) -> None:
    print_document({name: value for name, value in job.items() if name in _BRIEF}, form)


def _target(context: typer.Context) -> str:
    """The --project and --api flags that the user gave, for a hint to repeat them."""
    given = [
        f" --{name} {context.params[name]}"
        for name in ("project", "api")
        if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    ]
    return "".join(given)
