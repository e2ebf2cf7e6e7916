"""How jobs share the platform's slots."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.slots import free_slots

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
