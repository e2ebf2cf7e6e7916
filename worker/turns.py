"""Whose turn it is when room appears: those who wait are told, rather than ask again and again."""

from worker.room import Room
from worker.slots import shares_to_start


def whose_turn(room: Room) -> list[int]:
    """Keys of the jobs that there is now room for, a trial of each, in the order of their turns.

    First those that have no trial, the one that has waited longest before the others; then those that want
    more, the one that has the fewest slots before the others.
    """
    taken = dict(room.taken)
    used = {job: sum(share.cpus for share in shares) for job, shares in taken.items()}
    order = sorted(room.waiters, key=lambda waiter: (used.get(waiter.job_pk, 0), waiter.since, waiter.job_pk))
    free = room.machine.cpus - sum(used.values())
    turns: list[int] = []
    for waiter in order:
        if free <= 0:
            break
        given = shares_to_start(
            room.machine, taken, room.running, room.waiters, waiter.job_pk, waiter.need, 1
        )
        if given:
            turns.append(waiter.job_pk)
            taken[waiter.job_pk] = [*taken.get(waiter.job_pk, ()), *given]
            free -= sum(share.cpus for share in given)
    return turns
