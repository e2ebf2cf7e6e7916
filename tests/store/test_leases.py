"""One worker at a time acts on a job, and one that lost its job can't write."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from store.clock import database_now
from store.database import Database
from store.jobs import (
    Lease,
    LeaseLost,
    acquire_lease,
    ask_for_look,
    due_jobs,
    find_job,
    hold_lease,
    not_yet_due,
    release_lease,
    release_leases,
)
from store.models import Job
from tests.running_service import wait_until
from tests.stored_rows import add_job, expire_lease

LONG = 1000.0


@pytest.fixture
def key(database: Database) -> int:
    with database.write() as session:
        return add_job(session).id


def _acquire(database: Database, key: int, owner: str, seconds: float = LONG) -> Lease | None:
    with database.write() as session:
        return acquire_lease(session, key, owner, seconds)


def _expire(database: Database, key: int) -> None:
    with database.write() as session:
        expire_lease(session, key)


def _write(database: Database, lease: Lease, message: str) -> None:
    with database.write() as session:
        hold_lease(session, lease)
        session.get_one(Job, lease.job_pk).error_message = message


def _message(database: Database, key: int) -> str | None:
    with database.read() as session:
        return session.get_one(Job, key).error_message


class TestTaking:
    def test_a_leased_job_is_not_given_to_another(self, database: Database, key: int) -> None:
        assert _acquire(database, key, "a") is not None
        assert _acquire(database, key, "b") is None

    def test_not_even_to_its_owner_again(self, database: Database, key: int) -> None:
        _acquire(database, key, "a")
        assert _acquire(database, key, "a") is None

    def test_one_of_many_that_try_at_once_gets_it(self, database: Database, key: int) -> None:
        with ThreadPoolExecutor(8) as pool:
            leases = list(pool.map(lambda owner: _acquire(database, key, str(owner)), range(8)))
        assert sum(lease is not None for lease in leases) == 1

    def test_a_released_job_is_free(self, database: Database, key: int) -> None:
        lease = _acquire(database, key, "a")
        assert lease is not None
        with database.write() as session:
            release_lease(session, lease)
        assert _acquire(database, key, "b") is not None

    def test_an_ended_job_is_given_to_nobody(self, database: Database, key: int) -> None:
        with database.write() as session:
            session.get_one(Job, key).next_check_at = None
        assert _acquire(database, key, "a") is None

    def test_a_job_that_is_not_there_is_given_to_nobody(self, database: Database) -> None:
        assert _acquire(database, 99, "a") is None

    def test_every_lease_has_a_higher_fence(self, database: Database, key: int) -> None:
        fences = []
        for owner in "abc":
            lease = _acquire(database, key, owner)
            assert lease is not None
            fences.append(lease.fence)
            _expire(database, key)
        assert fences == sorted(set(fences))

    def test_who_has_a_name_frees_what_its_last_bearer_held(self, database: Database, key: int) -> None:
        _acquire(database, key, "host/folder/1/thread")
        with database.write() as session:
            release_leases(session, "host/folder/1")
        assert _acquire(database, key, "a") is not None

    def test_what_it_held_is_due_at_once(self, database: Database, key: int) -> None:
        _acquire(database, key, "host/folder/1/thread")
        with database.write() as session:
            release_leases(session, "host/folder/1")
        with database.read() as session:
            assert list(due_jobs(session, 10, LONG)) == [key]

    @pytest.mark.parametrize("name", ["host/folder/1", "host/folder/__", "host/folder/%", "folder/11"])
    def test_what_others_hold_is_left_to_them(self, database: Database, key: int, name: str) -> None:
        _acquire(database, key, "host/folder/11/thread")
        with database.write() as session:
            release_leases(session, name)
        assert _acquire(database, key, "a") is None


class TestExpiry:
    def test_an_expired_lease_is_free(self, database: Database, key: int) -> None:
        _acquire(database, key, "a", seconds=0.05)
        lease = wait_until(lambda: _acquire(database, key, "b"), 10)
        assert lease is not None
        assert lease.owner == "b"

    @pytest.mark.parametrize("skew", [-1e6, 1e6])
    def test_a_workers_own_clock_does_not_matter(
        self, database: Database, key: int, skew: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _acquire(database, key, "a")
        wrong = time.time() + skew
        monkeypatch.setattr(time, "time", lambda: wrong)
        assert _acquire(database, key, "b") is None
        _expire(database, key)
        assert _acquire(database, key, "b") is not None

    def test_the_databases_clock_tells_the_time(self, database: Database) -> None:
        with database.read() as session:
            told = session.scalar(select(database_now()))
        assert told == pytest.approx(time.time(), abs=5.0)

    def test_a_lease_from_before_the_clock_was_set_back_is_free(self, database: Database, key: int) -> None:
        before = _acquire(database, key, "a", seconds=3600 + LONG)
        assert before is not None
        after = _acquire(database, key, "b")
        assert after is not None
        with pytest.raises(LeaseLost):
            _write(database, before, "by a")


class TestFencing:
    def test_a_worker_that_lost_its_job_cannot_write(self, database: Database, key: int) -> None:
        slow = _acquire(database, key, "slow")
        assert slow is not None
        _expire(database, key)
        quick = _acquire(database, key, "quick")
        assert quick is not None
        _write(database, quick, "by quick")
        with pytest.raises(LeaseLost, match="taken over from slow"):
            _write(database, slow, "by slow")
        assert _message(database, key) == "by quick"

    def test_a_worker_that_slept_past_its_lease_goes_on_if_nobody_came(
        self, database: Database, key: int
    ) -> None:
        lease = _acquire(database, key, "a")
        assert lease is not None
        _expire(database, key)
        _write(database, lease, "late")
        assert _message(database, key) == "late"
        assert _acquire(database, key, "b") is None, "writing renewed the lease"

    def test_giving_back_a_lost_job_does_not_free_it(self, database: Database, key: int) -> None:
        slow = _acquire(database, key, "slow")
        assert slow is not None
        _expire(database, key)
        _acquire(database, key, "quick")
        with database.write() as session:
            release_lease(session, slow)
        assert _acquire(database, key, "third") is None

    def test_a_returned_job_cannot_be_written_any_more(self, database: Database, key: int) -> None:
        lease = _acquire(database, key, "a")
        assert lease is not None
        with database.write() as session:
            release_lease(session, lease)
        with pytest.raises(LeaseLost):
            _write(database, lease, "too late")

    def test_the_old_fence_of_the_same_owner_does_not_count(self, database: Database, key: int) -> None:
        old = _acquire(database, key, "a")
        assert old is not None
        _expire(database, key)
        _acquire(database, key, "a")
        with pytest.raises(LeaseLost):
            _write(database, old, "too late")


class TestAsking:
    @staticmethod
    def _ask(database: Database, key: int) -> bool:
        with database.write() as session:
            return ask_for_look(session, key)

    @staticmethod
    def _put_off(database: Database, key: int, until: float | None = 4e9) -> None:
        with database.write() as session:
            session.get_one(Job, key).next_check_at = until

    def test_it_makes_a_job_due(self, database: Database, key: int) -> None:
        self._put_off(database, key)
        assert self._ask(database, key)
        with database.read() as session:
            assert list(due_jobs(session, 10, LONG)) == [key]

    def test_who_knows_of_fewer_looks_than_were_begun_asks_in_vain(
        self, database: Database, key: int
    ) -> None:
        self._put_off(database, key)
        with database.read() as session:
            known = not_yet_due(session, [key])
        assert known == {key: 0}
        assert _acquire(database, key, "a") is not None
        self._put_off(database, key)
        with database.write() as session:
            assert not ask_for_look(session, key, known[key])
        with database.write() as session:
            assert ask_for_look(session, key, known[key] + 1)
        with database.read() as session:
            assert not_yet_due(session, [key]) == {}

    def test_of_several_only_the_first_asks(self, database: Database, key: int) -> None:
        self._put_off(database, key)
        with ThreadPoolExecutor(8) as pool:
            asked = list(pool.map(lambda _: self._ask(database, key), range(8)))
        assert sum(asked) == 1

    def test_nobody_looks_at_an_ended_job_again(self, database: Database, key: int) -> None:
        self._put_off(database, key, None)
        assert not self._ask(database, key)
        assert _acquire(database, key, "a") is None

    def test_who_looks_meanwhile_hears_of_it_at_the_end(self, database: Database, key: int) -> None:
        for asked in (False, True):
            lease = _acquire(database, key, "a")
            assert lease is not None
            if asked:
                assert self._ask(database, key)
            with database.write() as session:
                assert release_lease(session, lease) is asked

    def test_what_is_not_due_any_more_is_not_given_to_who_comes_for_that(
        self, database: Database, key: int
    ) -> None:
        def acquire_if_due() -> Lease | None:
            with database.write() as session:
                return acquire_lease(session, key, "a", LONG, farthest=1e12)

        self._put_off(database, key)
        assert acquire_if_due() is None
        assert self._ask(database, key)
        assert acquire_if_due() is not None


class TestDue:
    @staticmethod
    def _add(session: Session, job_id: str, seconds_ago: float | None) -> int:
        job = add_job(session, job_id)
        job.next_check_at = None if seconds_ago is None else time.time() - seconds_ago
        session.flush()
        return job.id

    def test_longest_due_first_and_no_others(self, database: Database) -> None:
        with database.write() as session:
            just, long = self._add(session, "just", 1), self._add(session, "long", 100)
            self._add(session, "later", -100)
            self._add(session, "ended", None)
        with database.read() as session:
            assert list(due_jobs(session, 10, LONG)) == [long, just]
            assert list(due_jobs(session, 1, LONG)) == [long]

    def test_leased_jobs_are_left_out_until_the_lease_expires(self, database: Database) -> None:
        with database.write() as session:
            key = self._add(session, "job", 1)
        _acquire(database, key, "a")
        with database.read() as session:
            assert list(due_jobs(session, 10, LONG)) == []
        _expire(database, key)
        with database.read() as session:
            assert list(due_jobs(session, 10, LONG)) == [key]

    def test_a_new_job_is_due_at_once(self, database: Database, key: int) -> None:
        with database.read() as session:
            assert list(due_jobs(session, 10, LONG)) == [key]
            assert find_job(session, "p", "job") is not None

    def test_a_clock_set_back_leaves_no_job_waiting_for_it(self, database: Database) -> None:
        with database.write() as session:
            key = self._add(session, "job", -3600)
        with database.read() as session:
            assert list(due_jobs(session, 10, 5000.0)) == []
            assert list(due_jobs(session, 10, LONG)) == [key]

    def test_nor_one_that_was_leased_before(self, database: Database) -> None:
        with database.write() as session:
            key = self._add(session, "job", 1)
        _acquire(database, key, "a", seconds=3600)
        with database.read() as session:
            assert list(due_jobs(session, 10, 5000.0)) == []
            assert list(due_jobs(session, 10, LONG)) == [key]
