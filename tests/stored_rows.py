"""An empty database, and rows for it that say no more than a test needs."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import text, update
from sqlalchemy.orm import Session

from store.database import Database
from store.jobs import NewJob, create_job, set_state
from store.models import Base, Job, Trial
from store.states import State
from store.trials import add_trial, finish_trial

NOW = 1.7e9
PATHS = {
    State.QUEUED: (),
    State.PREPARING: (State.PREPARING,),
    State.RUNNING: (State.PREPARING, State.RUNNING),
    State.SUCCEEDED: (State.PREPARING, State.RUNNING, State.SUCCEEDED),
    State.FAILED: (State.PREPARING, State.RUNNING, State.FAILED),
    State.CANCELLING: (State.CANCELLING,),
    State.CANCELLED: (State.CANCELLING, State.CANCELLED),
}
"""How a new job gets into each state."""


@cache
def _all_tables() -> bytes:
    """A file with all tables and no rows; made once, since migrating takes longer than most tests."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "empty.sqlite3"
        database = Database(f"sqlite:///{file}")
        database.upgrade()
        database.close()
        return file.read_bytes()


def empty_database(folder: Path) -> Database:
    """A database with all tables, in a file of its own."""
    file = folder / "test.sqlite3"
    file.write_bytes(_all_tables())
    return Database(f"sqlite:///{file}")


def remove_all_rows(database: Database) -> None:
    """Make a PostgreSQL database as it was after its migration; quicker than making another, or TRUNCATE."""
    with database.engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())
        connection.execute(text("SELECT setval(sequencename::regclass, 1, false) FROM pg_sequences"))


def add_job(session: Session, job_id: str = "job", state: State = State.QUEUED, **given: Any) -> Job:
    """A stored job in this state."""
    fields: dict[str, Any] = {
        "project": "p",
        "training_input": {},
        "hyperparameters": None,
        "labels": {},
        "seed": 1,
        **given,
    }
    job = create_job(session, NewJob(job_id=job_id, **fields), NOW)
    for step in PATHS[state]:
        set_state(job, step)
    session.flush()
    return job


def add_ended_trial(
    session: Session,
    job: Job,
    number: int,
    values: dict[str, Any] | None = None,
    state: State = State.SUCCEEDED,
    objective: float | None = None,
) -> Trial:
    """A stored trial that ended now, after those that ended before."""
    trial = add_trial(session, job, number, values or {}, NOW)
    trial.final_value = objective
    if state == State.FAILED:
        trial.attempts[-1].failure_class = "USER_ERROR"
    finish_trial(job, trial, state, NOW)
    session.flush()
    return trial


def expire_lease(session: Session, job_pk: int) -> None:
    """Let the time of the job's lease run out; then it is due."""
    past = {"lease_expires_at": Job.lease_expires_at - 1e6, "next_check_at": Job.next_check_at - 1e6}
    session.execute(update(Job).where(Job.id == job_pk).values(past))
