"""Who may have the machine's free slots."""

import math
from collections.abc import Mapping


def free_slots(live_by_job: Mapping[int, int], running_jobs: int, job_pk: int, slots: int) -> int:
    """How many more attempts a job may start.

    A job may take every free slot, unless another one runs that has none: then each keeps to its equal share
    until that one has its first.

    Args:
        live_by_job: live attempts of each job that has any.
        running_jobs: jobs in RUNNING, with attempts or not.
        slots: what the platform has in all.
    """
    free = slots - sum(live_by_job.values())
    mine = live_by_job.get(job_pk, 0)
    waiting = running_jobs - len(live_by_job) - (1 if mine == 0 else 0)
    if waiting > 0:
        free = min(free, math.ceil(slots / running_jobs) - mine)
    return max(0, free)
