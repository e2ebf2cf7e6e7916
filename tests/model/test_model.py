"""The states of jobs, trials and attempts, in random interleavings of looks, faults and what trials do.

`python -m tests.model` makes many more runs. A plan that broke something is kept here as a test of its own.
"""

import pytest

from tests.model.plan import Cancel, Ends, Look, Plan, Platform, Report, Submit, Wait, Wake
from tests.model.platform import End
from tests.model.search import search
from tests.model.workers import At, Cut, Fate
from tests.model.world import run

RUNS = 100
MET = {
    "attempt not started",
    "cancel",
    "decision replayed",
    "job CANCELLED",
    "job FAILED",
    "job SUCCEEDED",
    "job waits for room",
    "late comer",
    "lease lost",
    "look at a job failed",
}
"""What the runs are about: a search that never comes to one of these shows less than it says."""


@pytest.mark.timeout(900)  # Making a failing plan short takes long.
def test_the_guarantees_hold_in_random_interleavings() -> None:
    met = search(range(RUNS))
    assert met.keys() >= {f"{fate} {At.BEGIN}" for fate in Fate if fate is not Fate.GOES_ON}
    assert met.keys() >= MET


def test_a_seed_gives_the_same_run_again() -> None:
    assert search(range(7, 10)) == search(range(7, 10))


def test_an_attempt_that_was_refused_is_not_started_by_a_worker_that_comes_late() -> None:
    """The worker that hangs had meant to start it before another was refused, and closed it for that."""
    before_launch = Cut(Fate.HANGS, At.LAUNCH)
    run([Submit("plain"), Look(0, 0, before_launch), Platform(refusals=1), Wait(31.0), Look(1, 0)])


def test_an_attempt_that_one_worker_started_and_another_was_refused_ends_before_it_is_closed() -> None:
    plan: Plan = [
        Submit("plain"),
        Look(0, 0, Cut(Fate.HANGS, At.LAUNCH)),
        Wait(31.0),
        Look(1, 0, Cut(Fate.HANGS, At.LAUNCH)),
        Wake(0),
        Platform(refusals=1, stubborn=True),
        Wake(1),
    ]
    assert run(plan)["job FAILED"]


def test_a_worker_that_dies_over_a_refusal_leaves_it_to_the_next() -> None:
    after_stop = Cut(Fate.DIES, At.STOPPED)
    assert run([Submit("plain"), Platform(refusals=1), Look(0, 0, after_stop)])["job FAILED"]


def test_a_job_whose_end_was_written_though_told_to_have_failed_is_not_looked_at_again() -> None:
    run([Submit("plain"), Cancel(0), Look(0, 0, Cut(Fate.MEETS_TROUBLE, At.COMMITTED, 1))])


def test_what_a_trial_reports_and_ends_with_while_a_worker_looks_is_kept() -> None:
    asks_how_it_is = Cut(Fate.HANGS, At.OBSERVE)
    run(
        [
            Submit("random"),
            Look(0, 0),
            Look(0, 0, asks_how_it_is),
            Report(0, 1, 0.5),
            Ends(0, End.WELL),
            Wake(0),
        ]
    )


def test_an_attempt_that_was_to_be_stopped_is_not_started_by_a_worker_that_comes_late() -> None:
    """The one that was to tell the platform died before it did; the next closes what was never started."""
    run(
        [
            Submit("plain"),
            Look(0, 0, Cut(Fate.HANGS, At.LAUNCH)),
            Cancel(0),
            Wait(31.0),
            Look(1, 0, Cut(Fate.DIES, At.STOP)),
        ]
    )


def test_what_a_cancelled_job_runs_does_not_end_by_itself() -> None:
    plan: Plan = [Submit("random"), Look(0, 0), Cancel(0)]
    assert run(plan)["job CANCELLED"]


def test_room_that_another_job_takes_meanwhile_is_not_taken_twice() -> None:
    """Each needs two of three slots; one worker has counted them when the other takes them."""
    before_it_writes_its_trial = Cut(Fate.HANGS, At.BEGIN, 4)
    jobs: Plan = [Submit("replicas"), Submit("replicas")]
    assert run([*jobs, Look(0, 0, before_it_writes_its_trial), Look(1, 1), Wake(0)])["job SUCCEEDED"] == 2
