"""Who may have what is free of the machine."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from worker.resources import Machine, Need, Share, find_share


@dataclass(frozen=True, slots=True)
class Waiter:
    """A job that wants more trials than the machine has had room for. If it has none at all, it waits."""

    job_pk: int
    since: float
    """When it found no room for any; the last in line has infinity."""
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
    those that have trials: the slots and the memory it needs are kept for it, and no GPU is given before it
    has its own. So one that needs much has its turn, however many need little. Of jobs that have trials and
    want more, the one that has the fewest slots goes first.

    Args:
        taken: what each job's live attempts have.
        running: keys of the jobs in RUNNING.
    """
    mine = next((waiter for waiter in waiters if waiter.job_pk == job_pk and job_pk not in taken), None)
    ahead = [
        waiter
        for waiter in _in_line(machine, taken, waiters)
        if waiter.job_pk != job_pk and (mine is None or (waiter.since, waiter.job_pk) < (mine.since, job_pk))
    ]
    if need.gpus and any(waiter.need.gpus for waiter in ahead):
        return []
    used = {job: sum(share.cpus for share in shares) for job, shares in taken.items()}
    budget = free_slots(used, running, job_pk, machine.cpus)
    if job_pk not in taken:
        budget = max(budget, need.cpus)  # Its equal share may be less than one trial.
    held = [share for shares in taken.values() for share in shares]
    held += _kept_for(machine, ahead)
    poorer = [waiter for waiter in waiters if waiter.job_pk in taken and waiter.job_pk != job_pk]
    given: list[Share] = []
    while len(given) < wanted and (len(given) + 1) * need.cpus <= budget:
        share = find_share(machine, [*held, *given], need)
        after = used.get(job_pk, 0) + (len(given) + 1) * need.cpus
        if share is None or (
            after > need.cpus
            and any(
                used[other.job_pk] + other.need.cpus < after
                # What it could not use is not left idle for it.
                and find_share(machine, [*held, *given], other.need) is not None
                for other in poorer
            )
        ):
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


def _in_line(
    machine: Machine, taken: Mapping[int, Sequence[Share]], waiters: Sequence[Waiter]
) -> list[Waiter]:
    """Those that have nothing yet, in the order of their turns."""
    waiting = [
        waiter
        for waiter in waiters
        if waiter.job_pk not in taken
        # One that the machine has become too small for would be waited for without end.
        and find_share(machine, [], waiter.need) is not None
    ]
    return sorted(waiting, key=lambda waiter: (waiter.since, waiter.job_pk))


def _kept_for(machine: Machine, ahead: Sequence[Waiter]) -> list[Share]:
    """What nobody else may take meanwhile, devices aside, which are not given to anybody else at all.

    Nothing is kept for one that could not run beside those before it, even with the machine to themselves: it
    can't be its turn before theirs is over, and slots kept for ten that wait for one GPU would lie idle.
    """
    kept: list[Share] = []
    for waiter in ahead:
        share = find_share(machine, kept, waiter.need)
        if share is not None:
            kept.append(share)
    return [Share(share.cpus, {}, memory=share.memory) for share in kept]
