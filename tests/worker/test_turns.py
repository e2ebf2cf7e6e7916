"""Many jobs of any needs on one machine: everybody has a turn, nothing is given twice, little lies idle."""

import math
from collections import Counter
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.cluster import PRIMARY
from worker.resources import Machine, Need, Share, find_share
from worker.slots import Waiter, shares_to_start

MASTER = PRIMARY.name
MACHINE = Machine(cpus=4, gpus=("0", "1"), memory=16)
LONGEST = 4
"""Rounds that a trial lasts at most."""
NEEDS = st.builds(
    Need,
    st.integers(1, 4),
    st.one_of(st.just({}), st.builds(lambda count: {MASTER: count}, st.integers(1, 2))),
    st.sampled_from([25, 50, 60, 100]),
    st.sampled_from([0, 0, 1, 8, 16]),
)


@dataclass
class Running:
    share: Share
    ends: int


@dataclass
class Simulated:
    """A job as the reconciler treats it."""

    key: int
    need: Need
    parallel: int
    trials: int
    live: list[Running] = field(default_factory=list)
    wants_since: int | None = None
    in_line: bool = False
    """Whether it had no trial at the last look, and wanted one."""
    first_at: int | None = None

    @property
    def over(self) -> bool:
        return self.trials == 0 and not self.live


class Simulation:
    """Rounds, in each of which every job is looked at once, in any order."""

    def __init__(self, jobs: list[Simulated]) -> None:
        self.jobs = jobs
        self.round = 0

    def look(self, job: Simulated, lasts: int) -> None:
        """What a look at the job does: it takes what it may have, or is noted as one that wants more."""
        room = min(job.parallel - len(job.live), job.trials)
        if job.over or room == 0:
            return
        shares = shares_to_start(
            MACHINE,
            {each.key: [run.share for run in each.live] for each in self.jobs if each.live},
            [each.key for each in self.jobs if not each.over and each.first_at is not None],
            self._waiters(),
            job.key,
            job.need,
            room,
        )
        assert len(shares) <= room
        job.live += [Running(share, self.round + lasts) for share in shares]
        job.trials -= len(shares)
        if shares:
            job.first_at = self.round if job.first_at is None else job.first_at
            since = self.round if job.wants_since is None else job.wants_since
            job.wants_since, job.in_line = since if len(shares) < room else None, False
        elif job.wants_since is None or job.in_line is bool(job.live):
            job.wants_since, job.in_line = self.round, not job.live

    def end_round(self) -> None:
        self.round += 1
        for job in self.jobs:
            job.live = [run for run in job.live if run.ends > self.round]

    def check(self) -> None:
        shares = [run.share for job in self.jobs for run in job.live]
        used = Counter[str]()
        for share in shares:
            for devices in (share.gpus or {}).values():
                assert len(set(devices)) == len(devices)
                for device in devices:
                    used[device] += share.percent
        assert sum(share.cpus for share in shares) <= MACHINE.cpus
        assert sum(share.memory for share in shares) <= (MACHINE.memory or 0)
        assert all(percent <= 100 for percent in used.values())

    def could_have_more(self) -> list[Simulated]:
        """The jobs that could have a trial at once, beside all that runs."""
        held = [run.share for job in self.jobs for run in job.live]
        return [
            job
            for job in self.jobs
            if job.trials and len(job.live) < job.parallel and find_share(MACHINE, held, job.need) is not None
        ]

    def _waiters(self) -> list[Waiter]:
        return [
            Waiter(job.key, job.wants_since if job.in_line else math.inf, job.need)
            for job in self.jobs
            if job.wants_since is not None and not job.over
        ]


JOBS = st.lists(st.tuples(NEEDS, st.integers(1, 4), st.integers(1, 6)), min_size=1, max_size=6)


def _jobs(given_: list[tuple[Need, int, int]]) -> list[Simulated]:
    return [Simulated(key, *each) for key, each in enumerate(given_, start=1)]


@settings(max_examples=40)
@given(JOBS, st.randoms(use_true_random=False))
def test_all_jobs_come_to_their_end_and_nothing_is_given_twice(
    given_: list[tuple[Need, int, int]],
    random: Random,
) -> None:
    simulation = Simulation(_jobs(given_))
    most = sum(job.trials for job in simulation.jobs) * (LONGEST + 1) + 1
    while not all(job.over for job in simulation.jobs):
        for job in random.sample(simulation.jobs, len(simulation.jobs)):
            simulation.look(job, random.randint(1, LONGEST))
            simulation.check()
        simulation.end_round()
        assert simulation.round <= most, "even one trial after the other would have been quicker"


@settings(max_examples=40)
@given(JOBS, NEEDS, st.randoms(use_true_random=False))
def test_nobody_waits_for_longer_than_those_before_it_take(
    given_: list[tuple[Need, int, int]],
    late: Need,
    random: Random,
) -> None:
    """However many come later, without end, each is looked at first and needs little."""
    simulation = Simulation(_jobs(given_))
    late_comer = Simulated(100, late, 1, 1)
    simulation.jobs.append(late_comer)
    for _ in range((len(simulation.jobs) + 1) * (LONGEST + 2)):
        key = 101 + simulation.round
        newcomers = [Simulated(key * 2 + side, Need(1 + side), 2, 2) for side in (0, 1)]
        simulation.jobs += newcomers
        old = [job for job in simulation.jobs if job not in newcomers]
        for job in [*newcomers, *random.sample(old, len(old))]:
            # All that is there in the first round is in line before those of the second.
            if simulation.round > 0 or job not in newcomers:
                simulation.look(job, random.randint(1, LONGEST))
        if late_comer.first_at is not None:
            return
        simulation.end_round()
    raise AssertionError("it never had its turn")


@pytest.mark.parametrize("parallel", [(8, 8), (3, 3), (2, 8), (8, 1), (8, 8, 8), (8, 2, 2), (8, 8, 8, 8)])
def test_jobs_that_want_more_come_to_have_as_much_as_others(parallel: tuple[int, ...]) -> None:
    """The first has all slots when the others come."""
    random = Random(7)
    jobs = [Simulated(key, Need(1), wanted, 10**6) for key, wanted in enumerate(parallel, start=1)]
    simulation = Simulation(jobs)
    had = Counter[int]()
    for _ in range(60):
        for job in jobs:
            simulation.look(job, random.randint(1, LONGEST))
        had += Counter({job.key: len(job.live) for job in jobs if simulation.round >= 20})
        simulation.end_round()
    poorest = min(had[job.key] / min(job.parallel, MACHINE.cpus // len(jobs)) / 40 for job in jobs)
    assert poorest > 0.75


def test_nothing_lies_idle_while_somebody_wants_it() -> None:
    """Jobs that share no resource but slots, in whatever order they are looked at."""
    random = Random(7)
    needs = [Need(1), Need(1, {MASTER: 1}), Need(1, {MASTER: 1}, 50), Need(1, {}, memory=8)]
    simulation = Simulation([Simulated(key, need, 4, 10**6) for key, need in enumerate(needs, start=1)])
    for _ in range(200):
        for _ in needs:  # What one leaves to another is there for that one's next look.
            for job in random.sample(simulation.jobs, len(simulation.jobs)):
                simulation.look(job, random.randint(1, LONGEST))
        assert not simulation.could_have_more()
        simulation.end_round()
