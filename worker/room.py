"""What there is of the machine, who has it and who waits, as one look at the database found it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from store.states import State
from store.trials import is_in_line, live_resources_by_job, sharers
from worker.resources import Machine, Need, Share, find_share, free_of
from worker.slots import Waiter, shares_to_start


@dataclass(frozen=True, slots=True)
class Room:
    """The machine and its use."""

    machine: Machine
    taken: Mapping[int, Sequence[Share]]
    """What the live attempts of each job have."""
    running: frozenset[int]
    """Keys of the jobs in RUNNING."""
    waiters: Sequence[Waiter]

    def shares(self, job_pk: int, need: Need, wanted: int) -> list[Share]:
        """What a job's next trials are given; see `shares_to_start`."""
        return shares_to_start(self.machine, self.taken, self.running, self.waiters, job_pk, need, wanted)

    def why_not(self, need: Need) -> str:
        """Why a trial that needs this has to wait, as sentences for the job's owner."""
        asked = f"A trial needs {need}"
        if find_share(self.machine, [], need) is None:
            return f"{asked}, which is more than this machine has."
        held = [share for shares in self.taken.values() for share in shares]
        said = f"{asked}; {free_of(self.machine, held, need)}."
        if find_share(self.machine, held, need) is None:
            return said
        return f"{said} Jobs that have waited longer, or have less, go first."


def read_room(session: Session, machine: Machine) -> Room:
    """The room there is now."""
    taken = {
        key: [Share.from_json(each) for each in all_of_it]
        for key, all_of_it in live_resources_by_job(session).items()
    }
    jobs = sharers(session)
    waiters = [
        # One that had trials until a moment ago comes after all that have waited meanwhile.
        Waiter(
            job.job_pk,
            job.waiting["since"] if is_in_line(job.waiting) else math.inf,
            Need(**job.waiting["need"]),
        )
        for job in jobs
        if job.waiting is not None
    ]
    running = frozenset(job.job_pk for job in jobs if job.state == State.RUNNING)
    return Room(machine, taken, running, waiters)
