"""Who may have the machine's free slots."""

import math
from collections.abc import Collection, Mapping


def free_slots(live_by_job: Mapping[int, int], running: Collection[int], job_pk: int, slots: int) -> int:
    """How many more attempts a job may start.

    A job may take every free slot, unless another one runs that has none: then each keeps to its equal share
    until that one has its first.

    Args:
        live_by_job: live attempts of each job that has any, ending jobs included.
        running: keys of the jobs in RUNNING, with attempts or not.
        slots: what the platform has in all.
    """
    free = slots - sum(live_by_job.values())
    mine = live_by_job.get(job_pk, 0)
    if any(job not in live_by_job for job in running if job != job_pk):
        free = min(free, math.ceil(slots / len(running)) - mine)
    return max(0, free)
