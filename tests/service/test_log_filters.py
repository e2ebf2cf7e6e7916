"""Filters of the Logging API mean in SQL, on both databases, what they mean in plain words."""

import operator
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from service.logging.conditions import SEVERITIES, wanted
from service.logging.entry_view import nanosecond_timestamp
from service.logging.query import BadQuery, parse_query
from store.database import Database
from store.jobs import job_key
from store.log_entries import NewEntry, Scope, add_log_entries, read_log_entries
from store.models import LogEntry
from tests.postgres_server import PostgresServer
from tests.stored_rows import NOW, add_job, empty_database

JOBS = ("a", "A", "b")
TASKS = ("service", "master-replica-0")
MESSAGES = ("first", "First 100%", "a_b\\c", "", "two\nlines", "'quoted\" é")


@dataclass(frozen=True, slots=True)
class Row:
    job: str
    task: str
    trial: int | None
    severity: str
    message: str


ROWS = [
    Row(
        JOBS[number % 3],
        TASKS[number % 2],
        number % 4 or None,
        list(SEVERITIES)[number % 9],
        MESSAGES[number % 6],
    )
    for number in range(36)
]


@dataclass(frozen=True, slots=True)
class Term:
    """A filter, and the rule that says for which entries it holds."""

    text: str
    holds: Callable[[Row, int, int], bool]
    """Of a row, its time and its id."""


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _texts(
    field: str, values: tuple[str, ...], of: Callable[[Row], str], folds: bool
) -> st.SearchStrategy[Term]:
    def term(sign: str, value: str) -> Term:
        def holds(row: Row, _: int, __: int) -> bool:
            text, wanted = of(row), value
            if sign == ":" or folds:
                text, wanted = text.lower(), wanted.lower()
            same = wanted in text if sign == ":" else text == wanted
            return same != (sign == "!=")

        return Term(f"{field}{sign}{_quoted(value)}", holds)

    return st.builds(term, st.sampled_from(["=", "!=", ":"]), st.sampled_from(values))


COMPARED = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _severity(sign: str, name: str) -> Term:
    def holds(row: Row, _: int, __: int) -> bool:
        return bool(COMPARED[sign](SEVERITIES[row.severity], SEVERITIES[name]))

    return Term(f"severity{sign}{name}", holds)


def _time(sign: str, ahead: int) -> Term:
    time = int(NOW * 1e9) + ahead
    return Term(
        f'timestamp{sign}"{nanosecond_timestamp(time)}"',
        lambda _, time_ns, __: bool(COMPARED[sign](time_ns, time)),
    )


def _insert_id(sign: str, text: str) -> Term:
    return Term(f'insertId{sign}"{text}"', lambda _, __, number: bool(COMPARED[sign](f"{number:020d}", text)))


SIGNS = st.sampled_from(list(COMPARED))
TERMS = st.one_of(
    _texts("resource.labels.job_id", (*JOBS, "c"), lambda row: row.job, folds=False),
    _texts("resource.labels.task_name", (*TASKS, "replica"), lambda row: row.task, folds=False),
    _texts(
        'labels."ml.googleapis.com/trial_id"',
        ("", "1", "3", "x"),
        lambda row: str(row.trial or ""),
        folds=False,
    ),
    _texts(
        "logName", ("projects/p/logs/service", "LOGS"), lambda row: f"projects/p/logs/{row.task}", folds=False
    ),
    _texts("jsonPayload.message", (*MESSAGES, "FIRST", "%", "_", "\\"), lambda row: row.message, folds=True),
    st.sampled_from([*MESSAGES[:3], "%"]).map(
        lambda text: Term(_quoted(text), lambda row, _, __: text.lower() in row.message.lower())
    ),
    st.builds(_severity, SIGNS, st.sampled_from(list(SEVERITIES))),
    st.builds(_time, SIGNS, st.integers(-2, 40)),
    st.builds(
        _insert_id,
        SIGNS,
        st.integers(0, 60).map(lambda number: f"{number:020d}")
        | st.integers(0, 60).map(lambda number: f"{number:019d}")
        | st.integers(0, 60).map(lambda number: f"{number:020d}a")
        | st.sampled_from(["", "a", "0000000000000000001 ", "9" * 30, "0" * 18 + "3x", "0" * 18 + "3/"]),
    ),
    st.sampled_from(["unknown=1", "labels.x!=1", "foo.bar:*"]).map(
        lambda text: Term(text, lambda _, __, ___: False)
    ),
)


def _not(part: Term, sign: str) -> Term:
    return Term(f"{sign}({part.text})", lambda *row: not part.holds(*row))


def _all(parts: list[Term], joint: str) -> Term:
    return Term(
        joint.join(f"({part.text})" for part in parts), lambda *row: all(part.holds(*row) for part in parts)
    )


def _any(parts: list[Term]) -> Term:
    return Term(
        " OR ".join(f"({part.text})" for part in parts), lambda *row: any(part.holds(*row) for part in parts)
    )


def _below(parts: st.SearchStrategy[Term]) -> st.SearchStrategy[Term]:
    several = st.lists(parts, min_size=2, max_size=3)
    return (
        st.builds(_not, parts, st.sampled_from(["NOT ", "-"]))
        | st.builds(_all, several, st.sampled_from([" AND ", " ", "\n-- so\nAND\n"]))
        | st.builds(_any, several)
    )


FILTERS = st.recursive(TERMS, _below, max_leaves=8)


@dataclass(frozen=True, slots=True)
class Stored:
    database: Database
    rows: list[tuple[Row, int, int]]
    """Each with its time and its id, in the order of time."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    if request.param == "sqlite":
        database = empty_database(tmp_path_factory.mktemp("filters"))
        yield _filled(database)
        database.close()
    else:
        postgres: PostgresServer = request.getfixturevalue("postgres")
        with postgres.database() as url:
            database = Database(url)
            database.upgrade()
            yield _filled(database)
            database.close()


def _filled(database: Database) -> Stored:
    with database.write() as session:
        jobs = {name: add_job(session, name) for name in JOBS}
        for number, row in enumerate(ROWS):
            entry = NewEntry(row.task, row.trial, row.severity, row.message)
            add_log_entries(session, "p", jobs[row.job].id, [entry], NOW)
            session.flush()
            found = session.scalars(select(LogEntry).order_by(LogEntry.id.desc()).limit(1)).one()
            found.time_ns = int(NOW * 1e9) + number
    with database.read() as session:
        kept = session.scalars(select(LogEntry).order_by(LogEntry.time_ns)).all()
    return Stored(database, [(row, each.time_ns, each.id) for row, each in zip(ROWS, kept, strict=True)])


@settings(max_examples=120)
@given(term=FILTERS, descending=st.booleans(), limit=st.integers(1, 40), max_rows=st.integers(1, 40))
def test_a_filter_finds_what_its_words_say_page_by_page(
    stored: Stored, term: Term, descending: bool, limit: int, max_rows: int
) -> None:
    asked = wanted(parse_query(term.text))
    found: list[int] = []
    after = None
    with stored.database.read() as session:
        job_pk = job_key(session, "p", asked.job_id) if asked.job_id is not None else None
        while asked.job_id is None or job_pk is not None:
            scope = Scope("p", job_pk, asked.low, asked.high, after, descending)
            page = read_log_entries(session, scope, asked.where, limit, max_rows, 10**6)
            found += [entry.id for entry in page.entries]
            after = page.reached
            if after is None:
                break
    expected = [number for row, time, number in stored.rows if term.holds(row, time, number)]
    assert found == (expected[::-1] if descending else expected), term.text


@pytest.mark.parametrize("text", ["\U0001f600" * 19_000, "%_" * 9_500, "a" * 1000 + "b"], ids=len)
def test_a_long_text_is_looked_for_in_long_messages(stored: Stored, text: str) -> None:
    with stored.database.write() as session:
        job = add_job(session, "long", project="long")
        messages = ["a" * 250_000] * 5 + [f"before {text} after"]
        add_log_entries(
            session, "long", job.id, [NewEntry("service", None, "INFO", m) for m in messages], NOW
        )
        began = time.monotonic()
        where = wanted(parse_query(f'"{text}"')).where
        page = read_log_entries(session, Scope("long", job.id), where, 10, 100, 10**7)
        assert [entry.message for entry in page.entries] == messages[-1:]
        assert time.monotonic() - began < 1
        session.rollback()


@settings(max_examples=300)
@given(text=st.text("abc\"'\\()=!<>:~-*. \n,éANDORNOT", max_size=40) | st.text(max_size=30))
def test_any_text_is_a_filter_or_is_refused_with_a_place(text: str) -> None:
    with suppress(BadQuery):
        wanted(parse_query(text))
