"""What the objects of an attempt are called, and what marks them as ours.

Names are made of the attempt alone, so that whoever creates an object twice meets the first. The owner is
part of them: two services in one namespace that have a job of the same name never take each other's.
"""

import hashlib
import re

from worker.cluster import Replica
from worker.launchers.protocol import AttemptRef, JobRef

LONGEST = 63
"""Characters of a DNS label, which host names, Services' names and the values of labels are."""

MANAGED_BY = "app.kubernetes.io/managed-by"
OWNER = "vernier/owner"
JOB = "vernier/job"
ATTEMPT = "vernier/attempt"
TRIAL = "vernier/trial"
TRY = "vernier/try"
ROLE = "vernier/role"
REPLICA = "vernier/replica"
"""Labels. Those of a job and an attempt are digests: a job may be called what a label's value can't be."""

PROJECT = "vernier/project"
JOB_ID = "vernier/job-id"
REPLICAS = "vernier/replicas"
"""Annotations: plain names, and those of all replicas of the attempt."""

SEALED = "vernier/sealed"
"""Annotation of a Job that stands where an attempt must not be launched any more. It runs nothing."""
STOP = "vernier/stop"
"""Annotation of the primary's Job: the attempt was told to stop before it had come to its end."""
TOLD = "vernier/told"
"""Annotation of a replica's Job: it is being told to end."""
GIVEN_UP = "vernier/given-up"
"""Annotation of a replica's Job that is not waited for any more: why, as JSON."""
EXCEEDED = "vernier/exceeded"
"""Annotation of a replica's Job that is being ended for a limit that it went beyond: which, as JSON."""
QUEUE = "kueue.x-k8s.io/queue-name"
"""Label of a Job that waits in a queue of Kueue, which resumes it when it lets it in."""


def job_digest(owner: str, job: JobRef) -> str:
    """What is common to all objects of a job, and to no others."""
    return _digest(owner, job.project, job.job_id)


def preparation_digest(owner: str, job: JobRef) -> str:
    """Stands where an attempt's would in the labels of what installs a job's packages."""
    return _digest(owner, job.project, job.job_id, "packages")


def preparation_name(owner: str, job: JobRef) -> str:
    """The name of the Job that installs a job's packages."""
    return _readable(job, f"-packages-{preparation_digest(owner, job)}")


def attempt_digest(owner: str, ref: AttemptRef) -> str:
    return _digest(owner, ref.job.project, ref.job.job_id, str(ref.trial), str(ref.attempt))


def attempt_name(owner: str, ref: AttemptRef) -> str:
    """The name of the Service that the replicas of an attempt find each other by.

    It begins with what of the job's name there is room for, for who reads a list of objects.
    """
    return _readable(ref.job, _of_attempt(owner, ref))


def replica_name(owner: str, ref: AttemptRef, replica: Replica) -> str:
    """The name of a replica's Job."""
    return _readable(ref.job, f"{_of_attempt(owner, ref)}-{host_name(replica)}")


def host_name(replica: Replica) -> str:
    """What a replica's pod is called within its attempt."""
    return f"{replica.role}-{replica.index}"


def preparation_labels(owner: str, job: JobRef) -> dict[str, str]:
    return {
        MANAGED_BY: "vernier",
        OWNER: owner,
        JOB: job_digest(owner, job),
        ATTEMPT: preparation_digest(owner, job),
    }


def labels(owner: str, ref: AttemptRef, replica: Replica) -> dict[str, str]:
    return {
        MANAGED_BY: "vernier",
        OWNER: owner,
        JOB: job_digest(owner, ref.job),
        ATTEMPT: attempt_digest(owner, ref),
        TRIAL: str(ref.trial),
        TRY: str(ref.attempt),
        ROLE: str(replica.role),
        REPLICA: replica.name,
    }


def _of_attempt(owner: str, ref: AttemptRef) -> str:
    return f"-{ref.trial}-{ref.attempt}-{attempt_digest(owner, ref)}"


def _readable(job: JobRef, end: str) -> str:
    start = re.sub(r"[^a-z0-9]+", "-", job.job_id.lower()).strip("-")
    # A Service's name begins with a letter.
    start = start if start[:1].isalpha() else f"job-{start}".rstrip("-")
    return start[: LONGEST - len(end)].rstrip("-") + end


def _digest(*words: str) -> str:
    # 48 bits: among 100,000 attempts in one namespace two are the same with a chance of 1 in 50,000.
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:12]
