"""Who may have what is free of the machine."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from worker.resources import Machine, Need, Share, find_share


@dataclass(frozen=True, slots=True)
class Waiter:
    """A job that has no trial, since the machine has had no room for one."""

    job_pk: int
    since: float
    need: Need


def shares_to_start(
    machine: Machine,
    taken: Mapping[int, Sequence[Share]],
    running: Collection[int],
    waiters: Sequence[Waiter],
    job_pk: int,
    need: Need,
    wanted: int,
) -> list[Share]:
    """What the job's next trials are given, at most `wanted`; none if it has to wait.

    Jobs share CPU slots as `free_slots` says. A job that waits goes before those that came later, and before
    those that have trials: the slots it needs are kept for it, and no GPU is given before it has its own. So
    one that needs much has its turn, however many need little.

    Args:
        taken: what each job's live attempts have.
        running: keys of the jobs in RUNNING.
    """
    mine = next((waiter for waiter in waiters if waiter.job_pk == job_pk), None)
    ahead = [
        waiter
        for waiter in waiters
        if waiter.job_pk != job_pk
        and (mine is None or (waiter.since, waiter.job_pk) < (mine.since, job_pk))
        # One that the machine has become too small for would be waited for without end.
        and find_share(machine, [], waiter.need) is not None
    ]
    if need.gpus and any(waiter.need.gpus for waiter in ahead):
        return []
    used = {job: sum(share.cpus for share in shares) for job, shares in taken.items()}
    budget = free_slots(used, running, job_pk, machine.cpus)
    if job_pk not in taken:
        budget = max(budget, need.cpus)  # Its equal share may be less than one trial.
    held = [share for shares in taken.values() for share in shares]
    held += [Share(waiter.need.cpus, {}) for waiter in ahead]
    given: list[Share] = []
    while len(given) < wanted and (len(given) + 1) * need.cpus <= budget:
        share = find_share(machine, [*held, *given], need)
        if share is None:
            break
        given.append(share)
    return given


def free_slots(live_by_job: Mapping[int, int], running: Collection[int], job_pk: int, slots: int) -> int:
    """How many more slots a job may take.

    A job may take every free slot, unless another one runs that has none: then each keeps to its equal share
    until that one has its first.

    Args:
        live_by_job: slots that the live attempts of each job have, ending jobs included.
        running: keys of the jobs in RUNNING, with attempts or not.
        slots: what the platform has in all.
    """
    free = slots - sum(live_by_job.values())
    mine = live_by_job.get(job_pk, 0)
    if any(job not in live_by_job for job in running if job != job_pk):
        free = min(free, math.ceil(slots / len(running)) - mine)
    return max(0, free)
