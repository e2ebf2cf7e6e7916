"""Who waits for room is told when there is some, asks seldom by itself, and no hint is lost."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import select

from store.database import Database
from store.jobs import ask_for_look, due_jobs, request_cancel, set_state
from store.models import Job, Trial
from store.objects.names import Place
from store.states import State
from tests.stored_rows import add_job
from tests.worker.test_time_limits import Endless
from worker.launchers.protocol import (
    AttemptPhase,
    AttemptRef,
    AttemptStatus,
    JobRef,
    Launcher,
    MetricPlaces,
    PreparationPhase,
)
from worker.pace import WAITING_POLLS, Pace
from worker.reconcile import Reconciler
from worker.resources import Machine, Need
from worker.room import Room as SeenRoom
from worker.study import Study, Suggested

POLL = 3.0
PACE = Pace(
    poll_seconds=POLL, lease_seconds=30.0, stop_grace_seconds=0.0, trouble_seconds=0.0, max_lost_attempts=0
)
NOW = 4e9
"""Later than the database's clock has it, so that what is put off is not due."""
TRAINING: dict[str, Any] = {"pythonModule": "m"}
PARAMS = [{"parameterName": "x", "type": "DOUBLE", "minValue": 0.0, "maxValue": 1.0}]


class Platform(Endless):
    """One on which nothing is measured."""

    def metric_places(self, ref: AttemptRef, job_dir: Path | Place | None) -> MetricPlaces:
        return MetricPlaces((), Path("/nowhere/output.metrics"))


class Room:
    """A machine of some slots, jobs of one trial each, and what one worker does about them."""

    def __init__(self, database: Database, slots: int) -> None:
        self.platform = Platform()
        self.platform.machine = Machine(slots)
        self.platform.preparation = PreparationPhase.READY
        self.told: list[int] = []
        self.now = NOW
        self._database = database
        launcher = cast(Launcher, self.platform)
        self._reconciler = Reconciler(database, launcher, PACE, "w", lambda: self.now, self.told.append)

    def add(self, job_id: str, trials: int = 0, **scheduling: str) -> int:
        search = {"maxTrials": trials, "params": PARAMS} if trials else None
        with self._database.write() as session:
            training = {**TRAINING, "scheduling": scheduling}
            job = add_job(session, job_id, training_input=training, hyperparameters=search)
            job.create_time = NOW
            return job.id

    def look(self, job_pk: int) -> Job:
        self._reconciler.reconcile(job_pk)
        with self._database.read() as session:
            return session.get_one(Job, job_pk)

    def end_trial(self, job_id: str) -> None:
        (ref,) = [ref for ref in self.platform.statuses if ref.job.job_id == job_id]
        self.platform.statuses[ref] = AttemptStatus(AttemptPhase.ENDED, 0)

    def due(self) -> list[int]:
        with self._database.read() as session:
            return list(due_jobs(session, 10, farthest=1e12))


def test_who_waits_longest_is_told_when_a_trial_ends(database: Database) -> None:
    room = Room(database, slots=1)
    first, second, third = [room.add(name) for name in ("first", "second", "third")]
    assert room.look(first).state == State.RUNNING
    for waiting in (second, third):
        assert room.look(waiting).waiting is not None
    assert (room.told, room.due()) == ([], [])
    room.end_trial("first")
    assert room.look(first).state == State.SUCCEEDED
    assert room.told == [second]
    assert room.due() == [second], "should the message be lost, the sweep finds it"
    assert room.look(second).state == State.RUNNING
    assert room.told == [second], "what is taken is offered to nobody"


def test_as_many_are_told_as_there_is_room_for(database: Database) -> None:
    room = Room(database, slots=2)
    keys = [room.add(name) for name in "abcd"]
    for key in keys:
        room.look(key)
    for name in "ab":
        room.end_trial(name)
    room.look(keys[0])
    assert room.told == [keys[2]]
    room.look(keys[1])
    assert room.told == [keys[2], keys[3]], "who was told already is not told again"


def test_nobody_is_told_of_room_that_is_not_enough(database: Database) -> None:
    room = Room(database, slots=2)
    small, other, large = [room.add(name) for name in ("small", "other", "large")]
    room.look(small)
    room.look(other)
    room.platform.machine = Machine(2, cpus_per_replica=2)
    room.look(large)
    room.end_trial("small")
    room.look(small)
    assert room.told == []
    room.end_trial("other")
    room.look(other)
    assert room.told == [large]


def test_it_asks_seldom_by_itself_once_it_is_in_line(database: Database) -> None:
    room = Room(database, slots=1)
    room.look(room.add("first"))
    second = room.add("second")
    # Room may have appeared while it lined up, before anybody could have told it.
    assert room.look(second).next_check_at == NOW + POLL
    assert room.look(second).next_check_at == NOW + POLL * WAITING_POLLS


def test_it_asks_in_time_for_its_own_limit(database: Database) -> None:
    room = Room(database, slots=1)
    room.look(room.add("first"))
    second = room.add("second", maxWaitTime="10s")
    room.look(second)
    assert room.look(second).next_check_at == NOW + 10


def test_when_it_has_its_trial_it_is_looked_at_as_often_as_others(database: Database) -> None:
    room = Room(database, slots=1)
    first, second = room.add("first"), room.add("second")
    for key in (first, second, second):
        room.look(key)
    room.end_trial("first")
    room.look(first)
    assert room.look(second).next_check_at == NOW + POLL


def test_who_gives_its_place_to_another_asks_seldom_at_once(database: Database) -> None:
    room = Room(database, slots=1)
    first, second = room.add("first", trials=9), room.add("second", trials=9)
    for key in (first, second, second):
        room.look(key)
    room.end_trial("first")
    room.now += 1
    assert room.look(first).next_check_at == room.now + POLL * WAITING_POLLS
    assert room.told == [second]


def test_room_that_appeared_while_it_lined_up_is_offered_to_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Room(database, slots=1)
    first, second = room.add("first", trials=9), room.add("second")
    for key in (first, second, second):
        room.look(key)
    room.end_trial("first")
    why_not = SeenRoom.why_not

    def end_the_second(seen: SeenRoom, need: Need) -> str:
        """Just when the first has seen no room, all there is becomes free, and nobody is told."""
        with database.write() as session:
            request_cancel(session.get_one(Job, second), "by its owner", NOW)
            set_state(session.get_one(Job, second), State.CANCELLED)
        return why_not(seen, need)

    monkeypatch.setattr(SeenRoom, "why_not", end_the_second)
    room.look(first)
    assert room.told == [first]
    assert AttemptRef(JobRef("p", "first"), 2, 1) in room.platform.statuses


def test_who_has_begun_its_trial_is_not_due_for_what_it_was_told_meanwhile(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Room(database, slots=1)
    key = room.add("job", trials=9)
    suggest = Study.suggest

    def be_told(study: Study, pending: Sequence[Trial], count: int) -> Suggested:
        with database.write() as session:
            assert ask_for_look(session, key)
        return suggest(study, pending, count)

    monkeypatch.setattr(Study, "suggest", be_told)
    assert room.look(key).next_check_at == NOW + POLL


@pytest.mark.parametrize("asked", [False, True])
def test_a_look_that_is_asked_for_during_another_follows_it(
    database: Database, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    room = Room(database, slots=1)
    key = room.add("job")
    room.look(key)
    looks = 0
    observe = room.platform.observe

    def observe_and_ask(refs: Sequence[AttemptRef]) -> dict[AttemptRef, AttemptStatus]:
        nonlocal looks
        looks += 1
        seen = observe(refs)
        if asked and looks == 1:
            with database.write() as session:
                assert ask_for_look(session, key)
        return seen

    monkeypatch.setattr(room.platform, "observe", observe_and_ask)
    room.look(key)
    assert looks == (2 if asked else 1)
    with database.read() as session:
        assert session.scalar(select(Job.next_check_at)) == NOW + POLL
