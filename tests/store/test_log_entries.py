"""A job's log: nothing goes back in time, and pages miss and repeat nothing."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import ColumnElement, select, true

from store.database import Database
from store.log_entries import (
    EntryPage,
    NewEntry,
    Place,
    Scope,
    StoredEntry,
    add_log_entries,
    read_log_entries,
    tell,
)
from store.models import Job, LogEntry
from tests.stored_rows import NOW, add_job


@pytest.fixture
def job(database: Database) -> Job:
    with database.write() as session:
        return add_job(session)


def add(database: Database, job: Job, *messages: str, now: float = NOW) -> None:
    with database.write() as session:
        entries = [NewEntry("master-replica-0", 1, "INFO", message) for message in messages]
        add_log_entries(session, job.project, job.id, entries, now)


def page(
    database: Database,
    scope: Scope,
    where: ColumnElement[bool] | None = None,
    limit: int = 100,
    max_rows: int = 1000,
    max_characters: int = 10**6,
    seconds: float = math.inf,
) -> EntryPage:
    with database.read() as session:
        return read_log_entries(
            session, scope, true() if where is None else where, limit, max_rows, max_characters, seconds
        )


def messages(entries: Sequence[StoredEntry]) -> list[str]:
    return [entry.message for entry in entries]


def in_pages(database: Database, scope: Scope, **limits: Any) -> list[str]:
    """All messages of a scope, read page by page."""
    found: list[str] = []
    after: Place | None = None
    while True:
        part = page(
            database,
            Scope(scope.project, scope.job_pk, after=after, descending=scope.descending),
            LogEntry.message != "unwanted",
            **limits,
        )
        found += messages(part.entries)
        if part.reached is None:
            return found
        assert after is None or part.reached != after, "every page gets on"
        after = part.reached


def test_an_entry_is_read_as_it_was_written(database: Database, job: Job) -> None:
    message = "é 中文 🎉 \\ ' \" % \n\ttwo"
    with database.write() as session:
        add_log_entries(session, "p", job.id, [NewEntry("master-replica-0", 7, "ERROR", message)], NOW)
        tell(session, session.get_one(Job, job.id), "All is well.", now=NOW + 1)
    first, second = page(database, Scope("p")).entries
    assert (first.project, first.job_id, first.task_name, first.trial) == ("p", "job", "master-replica-0", 7)
    assert (first.severity, first.message, first.time_ns) == ("ERROR", message, int(NOW * 1e9))
    assert (second.task_name, second.trial, second.severity) == ("service", None, "INFO")


def test_within_a_job_time_never_goes_back_nor_stands_still(database: Database, job: Job) -> None:
    add(database, job, "a", "b", now=NOW)
    add(database, job, "c", "d", now=NOW - 3600)  # The clock was set back.
    add(database, job, "e", now=NOW)
    entries = page(database, Scope("p", job.id)).entries
    assert messages(entries) == ["a", "b", "c", "d", "e"]
    times = [entry.time_ns for entry in entries]
    assert times == sorted(set(times))


def test_adding_nothing_changes_nothing(database: Database, job: Job) -> None:
    add(database, job)
    with database.read() as session:
        assert session.scalars(select(LogEntry)).all() == []


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(
    "limits",
    [
        {"limit": 3},
        {"max_rows": 4},
        {"max_characters": 5},
        {"limit": 2, "max_rows": 3, "max_characters": 1},
        {"seconds": 0.0},
        {"limit": 24},
    ],
    ids=str,
)
def test_pages_miss_nothing_and_repeat_nothing(
    database: Database, job: Job, descending: bool, limits: dict[str, Any]
) -> None:
    texts = [f"m{number}" if number % 5 else "unwanted" for number in range(30)]
    for start in range(0, 30, 7):
        add(database, job, *texts[start : start + 7])
    wanted = [text for text in texts if text != "unwanted"]
    for scope in (Scope("p", job.id, descending=descending), Scope("p", descending=descending)):
        assert in_pages(database, scope, **limits) == (wanted[::-1] if descending else wanted)


def test_a_page_without_a_match_says_how_far_it_looked(database: Database, job: Job) -> None:
    add(database, job, *["unwanted"] * 10, "wanted")
    part = page(database, Scope("p", job.id), LogEntry.message == "wanted", max_rows=6)
    assert part.entries == []
    assert part.reached is not None
    rest = page(database, Scope("p", job.id, after=part.reached), LogEntry.message == "wanted", max_rows=6)
    assert messages(rest.entries) == ["wanted"]
    assert rest.reached is None


def test_what_is_looked_at_for_a_page_has_a_size(database: Database, job: Job) -> None:
    add(database, job, *["unwanted"] * 10, "wanted")
    part = page(database, Scope("p", job.id), LogEntry.message == "wanted", max_characters=20)
    assert part.entries == []
    first_three = page(database, Scope("p", job.id), limit=3).reached
    assert part.reached == first_three


def test_a_scope_is_one_project_one_job_or_some_time(database: Database, job: Job) -> None:
    with database.write() as session:
        sibling = add_job(session, "sibling")
        stranger = add_job(session, project="q")
    add(database, job, "mine", now=NOW)
    add(database, sibling, "sibling's", now=NOW + 1)
    add(database, stranger, "stranger's", now=NOW + 2)
    assert messages(page(database, Scope("p")).entries) == ["mine", "sibling's"]
    assert messages(page(database, Scope("q")).entries) == ["stranger's"]
    assert messages(page(database, Scope("p", sibling.id)).entries) == ["sibling's"]
    at = int((NOW + 1) * 1e9)
    assert messages(page(database, Scope("p", low=at)).entries) == ["sibling's"]
    assert messages(page(database, Scope("p", high=at - 1)).entries) == ["mine"]
