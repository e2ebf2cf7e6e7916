"""A look that takes longer than its lease keeps its job; one that hangs loses it, and writes no more."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from store.database import Database
from store.measurements import curves_of
from store.models import Job, Trial
from store.states import State
from tests.running_service import wait_until
from tests.stored_rows import add_job, expire_lease
from tests.worker.test_asked_looks import NOW, PACE, PARAMS
from tests.worker.test_quiet import LINE, Platform
from worker.launchers.protocol import AttemptPhase, AttemptRef, AttemptSpec, AttemptStatus, Launcher
from worker.reconcile import Reconciler
from worker.renewal import LONGEST, LongLooks

LEASE = PACE.lease_seconds


class Slow(Platform):
    """A platform that two workers share, of which one waits for its answers while it is to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder
        self.slow_at: str | None = None
        self.is_asked, self.may_answer = threading.Event(), threading.Event()
        self.launched: list[AttemptRef] = []

    def launch(self, spec: AttemptSpec) -> None:
        self._take_time("launch")
        self.launched.append(spec.ref)
        super().launch(spec)

    def observe(self, refs: Sequence[AttemptRef]) -> dict[AttemptRef, AttemptStatus]:
        found = super().observe(refs)
        self._take_time("observe")
        return found

    def _take_time(self, at: str) -> None:
        if self.slow_at == at and threading.current_thread().name == "first":
            self.is_asked.set()
            assert self.may_answer.wait(60)


class Two:
    """Two workers and one job with a trial; the first of them has the job, and waits for the platform."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.platform = Slow(folder)
        self.looks = LongLooks(database, LEASE)
        search = {"maxTrials": 1, "hyperparameterMetricTag": "loss", "params": PARAMS}
        with database.write() as session:
            job = add_job(session, training_input={"pythonModule": "m"}, hyperparameters=search)
            job.create_time = NOW
            self.key = job.id
        launcher = cast(Launcher, self.platform)
        self._first = Reconciler(database, launcher, PACE, "1", lambda: NOW, long_looks=self.looks)
        self._second = Reconciler(database, launcher, PACE, "2", lambda: NOW)
        self.came_through: list[bool] = []

    def second_looks(self) -> bool:
        return self._second.reconcile(self.key)

    @contextmanager
    def first_waits_in(self, at: str) -> Iterator[None]:
        """The first worker waits there while the block runs, and goes on then."""
        self.platform.slow_at = at
        thread = threading.Thread(
            target=lambda: self.came_through.append(self._first.reconcile(self.key)), name="first"
        )
        thread.start()
        try:
            assert self.platform.is_asked.wait(60)
            yield
        finally:
            self.platform.may_answer.set()
            thread.join(60)
        assert not thread.is_alive()

    def pass_in_the_database(self, seconds: float) -> None:
        with self.database.write() as session:
            job = self.job(session)
            assert job.lease_expires_at is not None
            job.lease_expires_at -= seconds

    def job(self, session: Any) -> Job:
        return cast(Job, session.get_one(Job, self.key))

    def steps(self) -> list[int]:
        with self.database.read() as session:
            trial = session.scalars(select(Trial.id)).one()
            return [step for step, _ in curves_of(session, [trial])[trial]]

    def state(self) -> State:
        with self.database.read() as session:
            return self.job(session).state

    def report(self, step: int) -> None:
        self.platform.hypertune_file.write_text(LINE.format(step))

    def ends(self) -> None:
        for ref in self.platform.statuses:
            self.platform.statuses[ref] = AttemptStatus(AttemptPhase.ENDED, 0)


@pytest.fixture
def two(database: Database, tmp_path: Path) -> Two:
    return Two(database, tmp_path)


@pytest.mark.parametrize("at", ["launch", "observe"])
def test_a_look_that_takes_longer_than_its_lease_keeps_its_job(
    at: str, two: Two, passing: Callable[[float], None]
) -> None:
    if at == "observe":
        assert two.second_looks()
        two.report(1)
    with two.first_waits_in(at):
        for _ in range(5):  # Of two thirds of the lease each.
            two.pass_in_the_database(2 / 3 * LEASE)
            passing(2 / 3 * LEASE)
            two.looks.step()
            assert not two.second_looks()
    assert two.came_through == [True]
    assert len(two.platform.launched) == 1
    assert two.steps() == ([1] if at == "observe" else [])
    assert two.second_looks(), "it has been given back"


def test_a_look_that_hangs_loses_its_job_and_writes_nothing_any_more(
    two: Two, passing: Callable[[float], None]
) -> None:
    assert two.second_looks()
    with two.first_waits_in("observe"):  # It has seen that the trial runs.
        passing(LONGEST * LEASE + 1)
        two.looks.step()
        with two.database.write() as session:
            expire_lease(session, two.key)
        two.report(1)
        two.ends()
        assert two.second_looks()
        assert two.state() is State.SUCCEEDED
        two.report(2)
    assert two.came_through == [False]
    assert two.steps() == [1]
    assert two.state() is State.SUCCEEDED


def test_a_launch_that_hangs_leaves_no_second_trial(two: Two, passing: Callable[[float], None]) -> None:
    with two.first_waits_in("launch"):
        passing(LONGEST * LEASE + 1)
        two.looks.step()
        with two.database.write() as session:
            expire_lease(session, two.key)
        assert two.second_looks(), "which launches what the first was about to"
    assert len(two.platform.launched) == 2
    assert len(set(two.platform.launched)) == 1, "under one name: whoever comes second finds it there"
    with two.database.read() as session:
        assert len(session.scalars(select(Trial)).all()) == 1


def test_what_another_has_is_left_to_it(two: Two, passing: Callable[[float], None]) -> None:
    with two.first_waits_in("launch"):
        with two.database.write() as session:
            job = two.job(session)
            job.lease_owner, job.lease_fence = "2/1", job.lease_fence + 1
            until = job.lease_expires_at
        passing(2 / 3 * LEASE)
        for _ in range(2):
            two.looks.step()
        with two.database.read() as session:
            assert (two.job(session).lease_owner, two.job(session).lease_expires_at) == ("2/1", until)


def test_a_database_that_is_away_is_asked_again(
    two: Two, passing: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**_: Any) -> Any:
        raise OperationalError("UPDATE", {}, Exception("gone"))

    with two.first_waits_in("launch"):
        two.pass_in_the_database(2 / 3 * LEASE)
        passing(2 / 3 * LEASE)
        with monkeypatch.context() as patched, capture_logs() as logs:
            patched.setattr(two.database, "write", away)
            two.looks.step()
        assert [line["log_level"] for line in logs] == ["warning"]
        two.looks.step()
        two.pass_in_the_database(2 / 3 * LEASE)
        assert not two.second_looks()
    assert two.came_through == [True]


def test_it_renews_until_it_is_told_to_stop(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    looks = LongLooks(database, 0.01)
    monkeypatch.setattr(looks, "step", lambda: steps.append(1))
    told = threading.Event()
    thread = threading.Thread(target=looks.run, args=(told,))
    thread.start()
    wait_until(lambda: len(steps) > 2)
    told.set()
    thread.join(60)
    assert not thread.is_alive()
