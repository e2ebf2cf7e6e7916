"""How jobs share the platform's slots."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.resources import Machine, Need, Share
from worker.slots import Waiter, free_slots, shares_to_start

ME, OTHER, THIRD = 1, 2, 3


@pytest.mark.parametrize(
    ("live_by_job", "running", "slots", "free"),
    [
        pytest.param({}, {ME}, 4, 4, id="alone it may have all"),
        pytest.param({ME: 3}, {ME}, 4, 1, id="alone it may fill up"),
        pytest.param({ME: 4}, {ME}, 4, 0, id="what is taken is taken"),
        pytest.param({ME: 5}, {ME}, 4, 0, id="fewer slots than before a restart"),
        pytest.param({}, {ME, OTHER}, 4, 2, id="two that wait get half each"),
        pytest.param({ME: 2}, {ME, OTHER}, 4, 0, id="a job at its share leaves the rest to one that waits"),
        pytest.param({ME: 1}, {ME, OTHER}, 4, 1, id="a job below its share may reach it"),
        pytest.param({ME: 2, OTHER: 1}, {ME, OTHER}, 4, 1, id="nobody waits: free for all"),
        pytest.param({OTHER: 2}, {ME, OTHER}, 4, 2, id="the one that waits is the one that asks"),
        pytest.param({}, {ME, OTHER, THIRD}, 4, 2, id="shares are rounded up"),
        pytest.param({}, {ME, OTHER}, 1, 1, id="one slot goes to whoever asks first"),
        pytest.param({ME: 2, THIRD: 1}, {ME, OTHER}, 8, 2, id="an ending job's attempts hide no waiting one"),
        pytest.param({THIRD: 3}, {ME}, 4, 1, id="an ending job's attempts still hold slots"),
    ],
)
def test_free_slots(live_by_job: dict[int, int], running: set[int], slots: int, free: int) -> None:
    assert free_slots(live_by_job, running, ME, slots) == free


JOBS = st.integers(1, 5)


@given(st.dictionaries(JOBS, st.integers(1, 4)), st.sets(JOBS, min_size=1), st.integers(1, 16))
def test_whatever_runs_no_slot_is_given_twice(
    live_by_job: dict[int, int], running: set[int], slots: int
) -> None:
    free = free_slots(live_by_job, running, min(running), slots)
    assert 0 <= free <= max(0, slots - sum(live_by_job.values()))


WHOLE = Machine(4, ("0", "1"))
ONE_SLOT, ALL_SLOTS, ONE_GPU = Need(1), Need(4), Need(1, {"master-replica-0": 1})
BOTH_GPUS = Need(1, {"master-replica-0": 2})
ONE = Share(1, {})
WITH_GPU = Share(1, {"master-replica-0": ["0"]})


@pytest.mark.parametrize(
    ("taken", "waiters", "need", "wanted", "count"),
    [
        pytest.param({}, [], ONE_SLOT, 9, 4, id="alone it may have all"),
        pytest.param({}, [], ONE_SLOT, 2, 2, id="and no more than it wants"),
        pytest.param(
            {OTHER: [ONE]}, [], ALL_SLOTS, 1, 0, id="what needs the machine waits until it is empty"
        ),
        pytest.param(
            {THIRD: [ONE]}, [(OTHER, 1, ALL_SLOTS)], ONE_SLOT, 1, 0, id="who waits has its turn first"
        ),
        pytest.param(
            {ME: [ONE] * 3}, [(OTHER, 1, ALL_SLOTS)], ONE_SLOT, 9, 0, id="also before who has trials"
        ),
        pytest.param({ME: [ONE]}, [(OTHER, 1, Need(2))], ONE_SLOT, 9, 1, id="who takes what it leaves"),
        pytest.param({}, [(ME, 1, ALL_SLOTS), (OTHER, 2, ONE_SLOT)], ALL_SLOTS, 1, 1, id="first come"),
        pytest.param({}, [(ME, 2, ALL_SLOTS), (OTHER, 1, ONE_SLOT)], ALL_SLOTS, 1, 0, id="first served"),
        pytest.param({}, [(OTHER, 1, Need(9))], ONE_SLOT, 1, 1, id="nobody waits for what can never be"),
        pytest.param({OTHER: [WITH_GPU]}, [], ONE_GPU, 9, 1, id="devices count"),
        pytest.param({}, [(OTHER, 1, ONE_GPU)], ONE_GPU, 9, 0, id="who waits for a device has it first"),
        pytest.param(
            {ME: [ONE]}, [(OTHER, 1, ONE_GPU)], ONE_SLOT, 9, 1, id="others may have what it needs not"
        ),
        pytest.param(
            {THIRD: [WITH_GPU, Share(1, {"master-replica-0": ["1"]})]},
            [(OTHER, 1, ONE_GPU), (5, 2, ONE_GPU), (6, 3, ONE_GPU), (7, 4, ONE_GPU)],
            ONE_SLOT,
            9,
            0,
            id="slots are kept for those who can all run together",
        ),
        pytest.param(
            {THIRD: [WITH_GPU]},
            [(OTHER, 1, BOTH_GPUS), (5, 2, ONE_GPU), (6, 3, ONE_GPU)],
            ONE_SLOT,
            9,
            2,
            id="and not for those who can't before others have ended",
        ),
        pytest.param(
            {ME: [ONE] * 2, OTHER: [ONE]}, [(OTHER, 1, ONE_SLOT)], ONE_SLOT, 9, 0, id="poorer first"
        ),
        pytest.param({ME: [ONE], OTHER: [ONE]}, [(OTHER, 1, ONE_SLOT)], ONE_SLOT, 9, 1, id="as poor: one"),
        pytest.param({ME: [ONE], OTHER: [ONE] * 2}, [(OTHER, 1, ONE_SLOT)], ONE_SLOT, 9, 1, id="I am poorer"),
        pytest.param(
            {ME: [ONE] * 2, OTHER: [ONE], THIRD: [WITH_GPU]},
            [(OTHER, 1, BOTH_GPUS)],
            Need(0),
            1,
            1,
            id="nothing lies idle for who can't use it",
        ),
    ],
)
def test_turns(
    taken: dict[int, list[Share]],
    waiters: list[tuple[int, float, Need]],
    need: Need,
    wanted: int,
    count: int,
) -> None:
    running = {ME, *taken, *(OTHER for _ in waiters)}
    shares = shares_to_start(WHOLE, taken, running, [Waiter(*each) for each in waiters], ME, need, wanted)
    assert len(shares) == count


def test_a_job_that_needs_the_machine_is_not_passed_by_for_ever() -> None:
    """One job of many small trials, one of a single large one that came later."""
    taken: dict[int, list[Share]] = {}
    waiters: list[Waiter] = []
    for round_ in range(20):
        for job, need in ((ME, ONE_SLOT), (OTHER, ALL_SLOTS)):
            shares = shares_to_start(WHOLE, taken, {ME, OTHER}, waiters, job, need, 4)
            if shares:
                taken.setdefault(job, []).extend(shares)
                waiters = [waiter for waiter in waiters if waiter.job_pk != job]
            elif job not in taken and job not in {waiter.job_pk for waiter in waiters}:
                waiters.append(Waiter(job, round_, need))
        if OTHER in taken:
            return
        taken[ME].pop()
        taken = {job: shares for job, shares in taken.items() if shares}
    pytest.fail("it never had its turn")
