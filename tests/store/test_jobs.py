"""Jobs: their names, their lists, their ends."""

import pytest

from api_schemas.job_filter import parse_job_filter
from store.database import Database
from store.jobs import (
    FIRST_WINDOW,
    DuplicateJob,
    JobPage,
    find_job,
    job_key,
    list_jobs,
    lock_job,
    places_in_queue,
    request_cancel,
    set_state,
)
from store.models import Job
from store.states import IllegalTransition, State
from tests.stored_rows import NOW, add_job


class TestNames:
    def test_a_name_is_taken_once_in_a_project(self, database: Database) -> None:
        with database.write() as session:
            add_job(session, "job")
        with pytest.raises(DuplicateJob), database.write() as session:
            add_job(session, "job")
        with database.read() as session:
            assert session.query(Job).count() == 1

    def test_another_project_may_use_it_too(self, database: Database) -> None:
        with database.write() as session:
            mine, theirs = add_job(session, project="mine"), add_job(session, project="theirs")
            assert find_job(session, "mine", "job") is mine
            assert find_job(session, "theirs", "job") is theirs
            assert job_key(session, "theirs", "job") == theirs.id
            assert lock_job(session, "mine", "job") is mine

    def test_what_is_not_there_is_not_found(self, database: Database) -> None:
        with database.write() as session:
            add_job(session, "job", project="mine")
            for project, job_id in (("mine", "jo"), ("mine", "JOB"), ("theirs", "job")):
                assert find_job(session, project, job_id) is None
                assert job_key(session, project, job_id) is None
                assert lock_job(session, project, job_id) is None


class TestNew:
    def test_a_job_starts_queued_and_due(self, database: Database) -> None:
        with database.write() as session:
            job = add_job(session)
        assert job.state is State.QUEUED
        assert (job.create_time, job.next_check_at) == (NOW, NOW)
        assert (job.start_time, job.running_time, job.end_time, job.verdict) == (None, None, None, None)
        assert (job.version, job.finished_trials, job.lease_fence) == (1, 0, 0)

    def test_what_was_asked_is_kept_as_it_was(self, database: Database) -> None:
        asked = {"args": ["--é", "", "a\nb"], "nested": {"z": 1, "a": [1.5, None, True]}}
        with database.write() as session:
            add_job(
                session, training_input=asked, labels={"team": "vision"}, hyperparameters={"goal": "MAXIMIZE"}
            )
        with database.read() as session:
            job = find_job(session, "p", "job")
            assert job is not None
            assert job.training_input == asked
            assert list(job.training_input["nested"]) == ["z", "a"]
            assert job.labels == {"team": "vision"}
            assert job.hyperparameters == {"goal": "MAXIMIZE"}


class TestLists:
    def test_newest_first_page_by_page(self, database: Database) -> None:
        with database.write() as session:
            for number in range(5):
                add_job(session, f"job_{number}")
            add_job(session, "foreign", project="q")
        with database.read() as session:
            pages, before = [], None
            while before is not None or not pages:
                page = list_jobs(session, "p", 2, before)
                pages.append([job.job_id for job in page.jobs])
                before = page.next_before
        assert pages == [["job_4", "job_3"], ["job_2", "job_1"], ["job_0"]]

    def test_jobs_that_come_meanwhile_move_no_page(self, database: Database) -> None:
        with database.write() as session:
            for number in range(3):
                add_job(session, f"job_{number}")
            first = list_jobs(session, "p", 2)
            add_job(session, "new")
            second = list_jobs(session, "p", 2, first.next_before)
            assert [job.job_id for job in second.jobs] == ["job_0"]

    def test_a_project_without_jobs_lists_none(self, database: Database) -> None:
        with database.read() as session:
            assert list_jobs(session, "nobody", 10) == JobPage([], None)

    @pytest.mark.parametrize("rare", [1, 7, 150])
    def test_a_filter_that_finds_little_gets_on_however_short_the_time(
        self, database: Database, rare: int
    ) -> None:
        with database.write() as session:
            for number in range(4 * FIRST_WINDOW + 1):
                add_job(session, f"job_{number}", labels={"kind": "rare"} if number % rare == 0 else {})
            add_job(session, "foreign", project="q", labels={"kind": "rare"})
        wanted = parse_job_filter("labels.kind=rare")
        with database.read() as session:
            in_one = list_jobs(session, "p", 1000, None, wanted)
            assert in_one.next_before is None
            found: list[str] = []
            page = list_jobs(session, "p", 20, None, wanted, seconds=0.0)
            while page.next_before is not None:
                found += [job.job_id for job in page.jobs]
                page = list_jobs(session, "p", 20, page.next_before, wanted, seconds=0.0)
            found += [job.job_id for job in page.jobs]
        numbers = [number for number in range(4 * FIRST_WINDOW + 1) if number % rare == 0]
        assert found == [f"job_{number}" for number in reversed(numbers)]
        assert [job.job_id for job in in_one.jobs] == found

    def test_the_place_in_the_queue_counts_older_jobs_of_all_projects(self, database: Database) -> None:
        with database.write() as session:
            add_job(session, "running", State.RUNNING)
            first = add_job(session, "first")
            add_job(session, "foreign", project="q")
            third, last = add_job(session, "third"), add_job(session, "last")
            assert places_in_queue(session, [third]) == {third.id: 3}
            assert places_in_queue(session, [last, first]) == {first.id: 1, last.id: 4}

    def test_only_what_is_queued_has_a_place(self, database: Database) -> None:
        with database.write() as session:
            jobs = {state: add_job(session, f"job_{state}", state) for state in State}
            assert places_in_queue(session, jobs.values()) == {jobs[State.QUEUED].id: 1}
            assert places_in_queue(session, []) == {}


class TestCancelling:
    @pytest.mark.parametrize("state", [State.QUEUED, State.PREPARING, State.RUNNING])
    def test_a_job_under_way_is_asked_to_end(self, database: Database, state: State) -> None:
        with database.write() as session:
            job = add_job(session, state=state)
            job.next_check_at = NOW + 100
            assert request_cancel(job, "by its owner", NOW + 1)
        assert job.state is State.CANCELLING
        assert job.verdict is State.CANCELLED
        assert job.error_message == "by its owner"
        assert job.next_check_at == NOW + 1, "it is due at once"
        assert job.version == 2, "a client that holds the old version is told"

    @pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.CANCELLING, State.CANCELLED])
    def test_a_job_that_has_ended_or_is_ending_stays_as_it_is(self, database: Database, state: State) -> None:
        with database.write() as session:
            job = add_job(session, state=state)
            job.error_message = "the first reason"
            assert not request_cancel(job, "again", NOW + 1)
        assert (job.state, job.error_message, job.version) == (state, "the first reason", 1)
        assert job.next_check_at == NOW

    def test_a_job_whose_end_is_settled_can_still_be_cancelled(self, database: Database) -> None:
        """Its trials are being stopped; the owner's word replaces the verdict."""
        with database.write() as session:
            job = add_job(session, state=State.RUNNING)
            job.verdict = State.FAILED
            assert request_cancel(job, "by its owner", NOW + 1)
        assert job.verdict is State.CANCELLED


def test_an_illegal_move_changes_nothing(database: Database) -> None:
    with database.write() as session:
        job = add_job(session, state=State.SUCCEEDED)
        with pytest.raises(IllegalTransition):
            set_state(job, State.RUNNING, "again")
        assert (job.state, job.error_message) == (State.SUCCEEDED, None)
