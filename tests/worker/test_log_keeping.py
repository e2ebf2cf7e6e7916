"""Keeping what trials print: entries and cursor move together, under the job's lease, or not at all."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy.orm import Session

from store.database import Database
from store.jobs import Lease, LeaseLost, acquire_lease
from store.models import Attempt, LogEntry
from store.states import State
from store.trials import add_trial
from tests.stored_rows import NOW, add_job, expire_lease
from tests.worker.launcher_contract import end_of
from tests.worker.local_platform import local_platform
from worker.cluster import PRIMARY, Replica, Role
from worker.launchers.protocol import AttemptPhase, AttemptRef, AttemptStatus, Launcher, Stream
from worker.logs import following
from worker.logs.keeping import LogKeeper
from worker.observe import Sight
from worker.view import look

TRAINING = {"pythonModule": "trainer.task", "packageUris": ["/a.tar.gz"]}
TUNING = {"goal": "MAXIMIZE", "params": [{"parameterName": "x", "type": "DOUBLE", "maxValue": 1.0}]}


class Output:
    """A launcher that knows nothing but what attempts have printed."""

    def __init__(self) -> None:
        self.printed: dict[tuple[int, Stream], bytes] = {}
        self.others: dict[Replica, bytes] = {}
        """What replicas beside the primary have printed."""

    def read_output(
        self, ref: AttemptRef, stream: Stream, offset: int, limit: int, replica: Replica = PRIMARY
    ) -> bytes:
        if replica == PRIMARY:
            printed = self.printed.get((ref.trial, stream), b"")
        else:
            printed = self.others.get(replica, b"") if stream is Stream.OUT else b""
        return printed[offset : offset + limit]


class Kept:
    """A job with running trials, its lease, and a keeper of their output."""

    def __init__(
        self, database: Database, trials: int, hyperparameters: dict[str, Any] | None, **training: Any
    ) -> None:
        self.database, self.output = database, Output()
        self.writes = 0
        with database.write() as session:
            training_input = (
                TRAINING | training | ({"hyperparameters": hyperparameters} if hyperparameters else {})
            )
            job = add_job(
                session, state=State.RUNNING, training_input=training_input, hyperparameters=hyperparameters
            )
            for number in range(1, trials + 1):
                add_trial(session, job, number, {}, NOW)
            self.job_pk = job.id
        self.lease = self.take_over()
        self.keeper = LogKeeper(self._counting(), cast(Launcher, self.output), lambda: NOW)

    def take_over(self) -> Lease:
        with self.database.write() as session:
            lease = acquire_lease(session, self.job_pk, "a worker", 30.0)
        assert lease is not None
        return lease

    def keep(self, phase: AttemptPhase = AttemptPhase.RUNNING) -> frozenset[int]:
        view = look(self.database, self.job_pk)
        sights = {trial.id: Sight(1, AttemptStatus(phase), (), {}) for trial in view.live}
        return self.keeper.keep(self.lease, view, sights).behind

    def entries(self) -> Sequence[LogEntry]:
        with self.database.read() as session:
            return session.query(LogEntry).order_by(LogEntry.time_ns).all()

    def messages(self) -> list[str]:
        return [entry.message for entry in self.entries()]

    def _counting(self) -> Database:
        kept = self

        class Counting:
            @contextmanager
            def write(self, *, durable: bool = True) -> Iterator[Session]:
                kept.writes += 1
                with kept.database.write(durable=durable) as session:
                    yield session

        return cast(Database, Counting())


@pytest.fixture
def plain(database: Database) -> Kept:
    return Kept(database, 1, None)


def test_entries_tell_their_trial_when_tuning(database: Database) -> None:
    kept = Kept(database, 2, TUNING)
    kept.output.printed = {(1, Stream.OUT): b"one\n", (2, Stream.ERR): b"ERROR:root:two\n"}
    kept.keep()
    assert [(entry.trial, entry.task_name, entry.severity) for entry in kept.entries()] == [
        (1, "master-replica-0", "INFO"),
        (2, "master-replica-0", "ERROR"),
    ]


def test_entries_of_plain_training_have_no_trial(plain: Kept) -> None:
    plain.output.printed[1, Stream.OUT] = b"a\n"
    plain.keep()
    assert [entry.trial for entry in plain.entries()] == [None]


WORKER = Replica(Role.WORKER, 0)


def _with_a_worker(database: Database) -> Kept:
    return Kept(database, 1, None, scaleTier="CUSTOM", masterType="a", workerType="a", workerCount="1")


def test_each_replicas_entries_are_under_its_own_name(database: Database) -> None:
    kept = _with_a_worker(database)
    kept.output.printed[1, Stream.OUT] = b"of the master\n"
    kept.output.others[WORKER] = b"of the worker\n"
    for _ in range(2):
        kept.keep()
    kept.output.others[WORKER] += b"ERROR: once more\n"
    kept.keep()
    assert [(entry.task_name, entry.severity, entry.message) for entry in kept.entries()] == [
        ("master-replica-0", "INFO", "of the master"),
        ("worker-replica-0", "INFO", "of the worker"),
        ("worker-replica-0", "ERROR", "ERROR: once more"),
    ]


def test_a_trial_is_behind_while_any_replica_is(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "ENTRIES", 2)
    kept = _with_a_worker(database)
    kept.output.others[WORKER] = b"a\nb\nc\n"
    assert len(kept.keep(AttemptPhase.ENDED)) == 1
    assert kept.keep(AttemptPhase.ENDED) == frozenset()
    assert kept.messages() == ["a", "b", "c"]


def test_what_an_earlier_release_kept_of_the_one_replica_is_not_kept_again(plain: Kept) -> None:
    plain.output.printed[1, Stream.OUT] = b"a\nb\n"
    with plain.database.write() as session:
        (attempt,) = session.query(Attempt).all()
        attempt.log_cursor = {
            "stdout": {"offset": 2, "held": None},
            "stderr": {"offset": 0, "held": None},
        }
    plain.keep()
    assert plain.messages() == ["b"]


def test_a_trial_that_prints_nothing_new_costs_no_write(plain: Kept) -> None:
    plain.keep()
    assert plain.writes == 0
    plain.output.printed[1, Stream.OUT] = b"a\nunfinished"
    plain.keep()
    assert plain.writes == 1
    plain.keep()
    assert plain.writes == 1


def test_what_was_kept_is_not_kept_again_by_the_next_worker(plain: Kept) -> None:
    plain.output.printed[1, Stream.OUT] = b"a\n"
    plain.keep()
    with plain.database.write() as session:
        expire_lease(session, plain.job_pk)
    plain.lease = plain.take_over()
    plain.output.printed[1, Stream.OUT] += b"b\n"
    plain.keep()
    assert plain.messages() == ["a", "b"]


def test_a_worker_that_lost_its_lease_keeps_nothing(plain: Kept) -> None:
    plain.output.printed[1, Stream.OUT] = b"a\n"
    with plain.database.write() as session:
        expire_lease(session, plain.job_pk)
    newer = plain.take_over()
    with pytest.raises(LeaseLost):
        plain.keep()
    assert plain.messages() == []
    plain.lease = newer
    plain.keep()
    assert plain.messages() == ["a"]


def test_a_crash_while_entries_are_written_loses_and_doubles_none(
    plain: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("killed here")

    plain.output.printed[1, Stream.OUT] = b"a\nb\n"
    with monkeypatch.context() as patched:
        # Between the entries and the cursor.
        patched.setattr("worker.logs.keeping.update", crash)
        with pytest.raises(RuntimeError):
            plain.keep()
    plain.keep()
    assert plain.messages() == ["a", "b"]


def test_a_trial_that_has_ended_is_behind_until_all_is_kept(
    plain: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "ENTRIES", 2)
    plain.output.printed[1, Stream.OUT] = b"a\nb\nc"
    assert plain.keep(AttemptPhase.RUNNING) == frozenset()
    assert plain.messages() == ["a", "b"]
    plain.output.printed[1, Stream.OUT] += b"\nd\ne"
    assert len(plain.keep(AttemptPhase.ENDED)) == 1
    assert plain.keep(AttemptPhase.ENDED) == frozenset()
    assert plain.messages() == ["a", "b", "c", "d", "e"]


def test_what_a_trial_puts_in_the_place_of_its_output_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of somebody else")
    with local_platform(tmp_path) as platform:
        launcher = platform.launcher()
        spec = platform.spec("")
        launcher.launch(spec)
        end_of(launcher, spec.ref)
        output = platform.attempt_dir(spec.ref) / "stdout.log"
        output.unlink()
        output.symlink_to(secret)
        assert launcher.read_output(spec.ref, Stream.OUT, 0, 100) == b""
