"""What the platform lets trials wait for reaches the job, and does not count as running."""

import pytest

from store.database import Database
from store.models import Job, LogEntry
from store.states import State
from store.trials import live_trials
from tests.stored_rows import NOW
from tests.worker.test_time_limits import HALF_AN_HOUR, Waiting
from worker.failure_classes import FailureClass
from worker.failures import failure_of
from worker.launchers.protocol import AttemptPhase, AttemptStatus, Cause, Fault, PreparationPhase

NO_NODE = "No node takes the replica master 0: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
RUNNING = AttemptStatus(AttemptPhase.RUNNING)


def _held(why: str) -> AttemptStatus:
    return AttemptStatus(AttemptPhase.RUNNING, waiting=why)


class Cluster(Waiting):
    """A job of one trial on a platform that says what its trial waits for."""

    def __init__(self, database: Database, **scheduling: str) -> None:
        super().__init__(database, **scheduling)
        self.database = database
        self.platform.preparation = PreparationPhase.READY
        self.platform.first = _held("")

    def is_now(self, status: AttemptStatus) -> None:
        (ref,) = self.platform.statuses
        self.platform.statuses[ref] = status

    def trial_state(self, job: Job) -> State:
        with self.database.read() as session:
            (trial,) = live_trials(session, job.id)
            return trial.state


def test_the_job_says_what_its_trial_waits_for_as_long_as_it_does(database: Database) -> None:
    cluster = Cluster(database)
    cluster.at(0)
    cluster.is_now(_held(NO_NODE))
    job = cluster.at(1)
    assert (job.state, job.platform_waits) == (State.RUNNING, NO_NODE)
    assert cluster.trial_state(job) == State.PREPARING, "its program has not begun"
    cluster.at(2)
    cluster.is_now(_held(""))
    assert cluster.at(3).platform_waits is None
    cluster.is_now(RUNNING)
    job = cluster.at(4)
    assert (job.platform_waits, cluster.trial_state(job)) == (None, State.RUNNING)
    with database.read() as session:
        said = [each.message for each in session.query(LogEntry) if "platform" in each.message]
    assert said == [f"Waiting for the platform. {NO_NODE}"], "once"


def test_time_that_it_is_held_up_does_not_count_as_running(database: Database) -> None:
    cluster = Cluster(database, maxRunningTime="60s")
    cluster.at(0)
    cluster.is_now(_held(NO_NODE))
    cluster.at(1)
    assert cluster.at(1000).state == State.RUNNING
    cluster.is_now(RUNNING)
    assert cluster.at(2000).state == State.RUNNING
    assert cluster.at(2060).state == State.RUNNING
    assert cluster.at(2061).state == State.CANCELLED


def test_an_attempt_starts_when_its_program_does(database: Database) -> None:
    """So the grace that it has before it may be stopped early is no shorter for having waited."""
    cluster = Cluster(database)
    cluster.at(0)
    cluster.is_now(_held(NO_NODE))
    cluster.at(1000)
    cluster.is_now(RUNNING)
    job = cluster.at(2000)
    with database.read() as session:
        (trial,) = live_trials(session, job.id)
        assert trial.attempts[-1].start_time == NOW + 2000


def test_time_that_it_is_held_up_counts_as_waiting(database: Database) -> None:
    cluster = Cluster(database, maxWaitTime="1800s")
    cluster.at(0)
    cluster.is_now(_held(NO_NODE))
    assert cluster.at(HALF_AN_HOUR - 1).state == State.RUNNING
    job = cluster.at(HALF_AN_HOUR)
    assert job.state == State.CANCELLED
    assert job.error_message == "The job waited longer than its maxWaitTime of 1800 s and was cancelled."
    assert job.platform_waits is None
    assert job.end_time == NOW + HALF_AN_HOUR


@pytest.mark.parametrize(
    ("fault", "failure_class"),
    [
        (Fault.EVICTED, FailureClass.EVICTED),
        (Fault.PREEMPTED, FailureClass.PREEMPTED),
        (Fault.NODE_LOST, FailureClass.NODE_LOST),
        (Fault.REFUSED, FailureClass.LAUNCH),
        (Fault.IMAGE, FailureClass.IMAGE),
        (Fault.CONFIG, FailureClass.CONFIG),
    ],
)
def test_what_the_platform_says_of_a_loss_is_its_class_and_message(
    fault: Fault, failure_class: FailureClass
) -> None:
    failure = failure_of(AttemptStatus(AttemptPhase.LOST, cause=Cause(fault, "It said so.")), {})
    assert failure is not None
    assert (failure.failure_class, failure.message) == (failure_class, "It said so.")


def test_an_image_that_can_not_be_had_fails_the_trial_at_once(database: Database) -> None:
    cluster = Cluster(database)
    cluster.at(0)
    cluster.is_now(AttemptStatus(AttemptPhase.LOST, cause=Cause(Fault.IMAGE, "There is no image x.")))
    job = cluster.at(1)
    assert (job.state, job.error_message) == (State.FAILED, "There is no image x.")
