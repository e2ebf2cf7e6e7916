"""`--sort-by` of `vernier jobs list`, applied here as gcloud does: the service has one order only."""

import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from client import Job

_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)


def sort_jobs(jobs: "list[Job]", fields: str) -> "list[Job]":
    """The jobs by these fields, the first of them before the others.

    Tells on standard error, in gcloud's words, which fields no job has.

    Args:
        fields: paths into a job such as `createTime` or `labels.owner`, with commas between; `~` before one
            puts the largest first. Numbers are compared as numbers, also where the wire has them as strings.
            A job without the field comes before all others.
    """
    keys = [field.strip() for field in fields.split(",") if field.strip()]
    paths = [key.removeprefix("~") for key in keys]
    strange = [path for path in paths if jobs and all(_at(job, path) is None for job in jobs)]
    if strange:
        told = ", ".join(strange)
        print(f"WARNING: The following sort keys were not present in any resource : {told}", file=sys.stderr)
    for key, path in reversed(list(zip(keys, paths, strict=True))):
        # Each sort keeps the order of those before it among jobs that are equal.
        jobs = sorted(jobs, key=lambda job, path=path: _rank(_at(job, path)), reverse=key.startswith("~"))  # type: ignore[misc]
    return jobs


def _at(job: object, path: str) -> object:
    """The value at a dotted path; None where there is none."""
    for name in path.split("."):
        job = job.get(name) if isinstance(job, Mapping) else None
    return job


def _rank(value: object) -> tuple[int, float, str]:
    if value is None:
        return 0, 0.0, ""
    text = str(value)
    return (1, float(text), "") if _NUMBER.fullmatch(text) else (2, 0.0, text)
