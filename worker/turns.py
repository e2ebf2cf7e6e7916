"""Whose turn it is when room appears: those who wait are told, rather than ask again and again."""

from sqlalchemy.orm import Session

from store.trials import live_resources_by_job, running_jobs, waiting_jobs
from worker.resources import Machine, Need, Share
from worker.slots import Waiter, shares_to_start


def whose_turn(session: Session, machine: Machine) -> list[int]:
    """Keys of the jobs that wait for room and now have it, each for a trial, in the order of their turns."""
    waiters = [
        Waiter(key, waiting["since"], Need(**waiting["need"]))
        for key, waiting in waiting_jobs(session).items()
    ]
    if not waiters:
        return []
    taken = {
        key: [Share.from_json(each) for each in all_of_it]
        for key, all_of_it in live_resources_by_job(session).items()
    }
    running = running_jobs(session)
    waiters.sort(key=lambda waiter: (waiter.since, waiter.job_pk))
    turns: list[int] = []
    for waiter in list(waiters):
        if sum(share.cpus for shares in taken.values() for share in shares) >= machine.cpus:
            break
        shares = shares_to_start(machine, taken, running, waiters, waiter.job_pk, waiter.need, 1)
        if shares:
            turns.append(waiter.job_pk)
            waiters.remove(waiter)
            taken[waiter.job_pk] = [*taken.get(waiter.job_pk, []), *shares]
    return turns
