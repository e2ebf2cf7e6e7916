"""What a client may change of a job: its labels (docs/contract.md 1.4)."""

from api_schemas.errors import Aborted, FieldViolation, InvalidArgument
from api_schemas.names import label_problem
from api_schemas.parsing import refuse
from api_schemas.rules import label_violations
from service.etags import is_etag
from service.job_view import etag
from service.request_parts import read_mask
from store.models import Job

LABEL = "labels."
"""Before a key, it names that one label."""


def read_patch_mask(mask: str | None) -> frozenset[str]:
    """Which of `labels`, `labels.KEY` and `etag` a patch is of.

    Raises:
        InvalidArgument: none, or something else, or a key that no label can have.
    """
    paths = read_mask(mask, ("labels", "etag"), prefix=LABEL)
    for path in sorted(paths - {"labels", "etag"}):
        wrong = label_problem(path.removeprefix(LABEL), "")
        if wrong is not None:
            raise InvalidArgument([FieldViolation("update_mask", wrong)])
    return paths


def patch_job(job: Job, paths: frozenset[str], labels: dict[str, str], given_etag: bytes | None) -> None:
    """Change what the mask's paths name to what the request has, or to nothing where it has nothing.

    Args:
        job: held against other writers.
        given_etag: compared if the mask has `etag`, unless it is None.

    Raises:
        Aborted: the etag is not the job's.
        InvalidArgument: these labels break a rule.
    """
    if "etag" in paths and given_etag is not None and not is_etag(given_etag, etag(job)):
        raise Aborted(
            f"The etag is not that of projects/{job.project}/jobs/{job.job_id}: it has been changed since. "
            "Read it again, and patch what is there now."
        )
    if paths == {"etag"}:
        return
    if "labels" in paths:
        changed = dict(labels)
    else:
        keys = {path.removeprefix(LABEL) for path in paths - {"etag"}}
        kept = {key: value for key, value in job.labels.items() if key not in keys}
        changed = kept | {key: value for key, value in labels.items() if key in keys}
    refuse(label_violations(changed))
    job.labels = changed
    job.version += 1
