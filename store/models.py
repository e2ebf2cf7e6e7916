"""The tables. A row says what is so; why and what next is decided elsewhere."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Dialect,
    Double,
    Enum,
    ForeignKey,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import String, TypeDecorator

from store.states import AttemptState, State

WIDE = BigInteger().with_variant(Integer, "sqlite")
"""64 bits. SQLite has them in every INTEGER, and numbers rows by itself only where the key is one."""


class Told(TypeDecorator[str]):
    """Text that may quote what a program wrote.

    PostgreSQL takes no NUL in a text: the sign for what can't be shown stands in its place, on SQLite too.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return value if value is None else value.replace("\0", "\N{REPLACEMENT CHARACTER}")


class Base(DeclarativeBase):
    """Maps Python types to column types that SQLite and PostgreSQL both have."""

    type_annotation_map = {  # noqa: RUF012  read by SQLAlchemy from the class
        float: Double,
        dict[str, Any]: JSON,
        list[Any]: JSON,
        # Text to the database, so that a new state needs no migration; members to Python.
        State: Enum(State, native_enum=False, length=16),
        AttemptState: Enum(AttemptState, native_enum=False, length=16),
    }


class Job(Base):
    """One submitted job: what was asked, how far it is, and who may act on it now."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("project", "job_id"),
        Index("jobs_due", "next_check_at"),
        Index("jobs_newest_first", "project", "id"),
        Index("jobs_by_state", "state", "id"),
        Index("jobs_to_clear", "cleared", "end_time"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project: Mapped[str] = mapped_column(String(100))
    job_id: Mapped[str] = mapped_column(String(128))
    training_input: Mapped[dict[str, Any]]
    """Wire form, as posted and in canonical spelling; what a GET gives back."""
    labels: Mapped[dict[str, Any]]
    version: Mapped[int] = mapped_column(default=1)
    """Counts changes that a client can make; the etag is derived from it."""

    iam_policy: Mapped[dict[str, Any] | None]
    """The Policy that a client set, in wire form without its etag; null until one does."""
    iam_version: Mapped[int] = mapped_column(default=0, server_default="0")
    """Counts changes of the policy; its etag is derived from it."""

    hyperparameters: Mapped[dict[str, Any] | None]
    """The effective HyperparameterSpec in wire form, with what a resumed job inherits; null for training."""

    state: Mapped[State] = mapped_column(default=State.QUEUED)
    verdict: Mapped[State | None]
    """The state it will end in, once that is settled but trials still have to be stopped."""
    error_message: Mapped[str | None] = mapped_column(Told)
    create_time: Mapped[float]
    start_time: Mapped[float | None]
    """When it left the queue."""
    running_time: Mapped[float | None]
    """When it entered RUNNING; the clock of maxRunningTime."""
    end_time: Mapped[float | None]

    seed: Mapped[int] = mapped_column(WIDE)
    """Of the search. The same seed and history give the same suggestions."""
    previous_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    """The job whose study this one continues."""
    finished_trials: Mapped[int] = mapped_column(default=0)
    """How many of its trials have ended; numbers them in order of their end."""

    cleared: Mapped[str | None] = mapped_column(String(16))
    """What it has been cleared of since it ended (`Cleared`); null: nothing."""
    waiting: Mapped[dict[str, Any] | None]
    """Since when it has wanted more trials than the machine has room for, how much each needs, and why there
    is no room if it has none at all; null while it does not."""
    platform_waits: Mapped[str | None] = mapped_column(Told)
    """What the platform lets trials wait for that have been started and have not begun; null: nothing."""
    next_check_at: Mapped[float | None]
    """When the sweep should look at it next; null once it has ended."""
    lease_owner: Mapped[str | None] = mapped_column(String(100))
    lease_expires_at: Mapped[float | None]
    lease_fence: Mapped[int] = mapped_column(default=0)
    """Grows with every lease; a writer shows the number it was given."""


class Trial(Base):
    """One point of the search space and what became of it; a plain training job has exactly one."""

    __tablename__ = "trials"
    __table_args__ = (
        UniqueConstraint("job_pk", "number"),
        Index("trials_in_order_of_end", "job_pk", "finish_order"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job_pk: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    number: Mapped[int]
    """From 1; the wire's trialId."""
    values: Mapped[dict[str, Any]]
    """Typed hyperparameter values by name, in the order of the params."""

    state: Mapped[State] = mapped_column(default=State.PREPARING)
    stopped_early: Mapped[bool] = mapped_column(default=False, server_default=false())
    error_message: Mapped[str | None] = mapped_column(Told)
    start_time: Mapped[float]
    end_time: Mapped[float | None]
    finish_order: Mapped[int | None]
    """Its place among the job's ended trials, from 1; null while it lives."""

    final_step: Mapped[int | None] = mapped_column(BigInteger)
    final_value: Mapped[float | None]
    """Last value by step, null unless finite."""
    tags: Mapped[list[Any] | None]
    """Names of the scalars it wrote, kept when the wanted one was not among them."""
    cursor: Mapped[dict[str, Any] | None]
    """How far its metric files have been read."""
    curve: Mapped[str | None] = mapped_column(Text, deferred=True)
    """The wire's allMetrics as JSON text, written when it ends: an ended trial is never measured again."""

    attempts: Mapped[list["Attempt"]] = relationship(
        order_by="Attempt.number", back_populates="trial", lazy="raise"
    )


class Attempt(Base):
    """One try at running a trial. Infrastructure failures get another; the user's own do not."""

    __tablename__ = "attempts"
    __table_args__ = (
        UniqueConstraint("trial_pk", "number"),
        Index("attempts_live", "job_pk", "state"),
        Index("attempts_by_state", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job_pk: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    trial_pk: Mapped[int] = mapped_column(ForeignKey("trials.id"))
    number: Mapped[int]
    """From 1 within the trial."""
    state: Mapped[AttemptState] = mapped_column(default=AttemptState.LAUNCHING)
    stop_reason: Mapped[str | None] = mapped_column(String(16))
    """Why it was told to stop (EARLY, CANCEL, JOB_ENDED, REFUSED), written before it is told."""
    exit_code: Mapped[int | None]
    """0 to 255 from the process; minus the signal's number when a signal ended it."""
    failure_class: Mapped[str | None] = mapped_column(String(16))
    evidence: Mapped[dict[str, Any] | None]
    """The most memory it was seen to take; of a failure, why, and by what it was classified."""
    log_cursor: Mapped[dict[str, Any] | None]
    """How far what it printed has been kept as log entries."""
    resources: Mapped[dict[str, Any] | None]
    """What it has been given of the machine; null in attempts of releases that gave each one slot."""
    not_before: Mapped[float | None]
    """When it may be given what it needs, if it follows one that failed; null once it has been."""
    start_time: Mapped[float]
    """When it was written down; once it has been seen to run, that."""
    end_time: Mapped[float | None]

    trial: Mapped[Trial] = relationship(back_populates="attempts", lazy="raise")


class Measurement(Base):
    """One value of the metric. Its key makes reading a file twice harmless."""

    __tablename__ = "measurements"

    trial_pk: Mapped[int] = mapped_column(ForeignKey("trials.id"), primary_key=True)
    step: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    wall_time: Mapped[float] = mapped_column(primary_key=True)
    source: Mapped[int] = mapped_column(primary_key=True)
    """Which file of the trial, as its cursor numbers them."""
    value: Mapped[float | None]
    """Null when it is not finite; then `special` says what it was."""
    special: Mapped[str | None] = mapped_column(String(9))
    """NaN, Infinity or -Infinity: kept as such, since SQLite would turn NaN into null."""


class LogEntry(Base):
    """One entry of a job's log: of the service about the job, or of one of its replicas.

    Within a job, entries are written by one worker at a time and `time_ns` never goes back, so (time_ns, id)
    is the order of writing, and what was not there when a reader passed can only come after.
    """

    __tablename__ = "log_entries"
    __table_args__ = (
        Index("log_entries_of_job", "job_pk", "time_ns", "id"),
        Index("log_entries_of_project", "project", "time_ns", "id"),
    )

    id: Mapped[int] = mapped_column(WIDE, primary_key=True)
    project: Mapped[str] = mapped_column(String(100))
    job_pk: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    time_ns: Mapped[int] = mapped_column(BigInteger)
    """Nanoseconds since the epoch, at which it was taken in."""
    task_name: Mapped[str] = mapped_column(String(64))
    """`service`, or the replica: `master-replica-0`."""
    trial: Mapped[int | None]
    """Its trial's number; null in plain training jobs, and where the service speaks of the whole job."""
    severity: Mapped[str] = mapped_column(String(16))
    message: Mapped[str] = mapped_column(Told)


class Decision(Base):
    """One decision of the search: what was known, who decided, what came out, how long it took."""

    __tablename__ = "decisions"
    __table_args__ = (Index("decisions_of_job", "job_pk", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    job_pk: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    kind: Mapped[str] = mapped_column(String(16))
    """SUGGEST, or one of those that `store.decisions` names."""
    algorithm: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(String(32))
    seed: Mapped[int] = mapped_column(WIDE)
    known: Mapped[dict[str, Any]]
    """{"finished": how many ended trials, in order of their end; "pending": numbers of the running ones}."""
    outcome: Mapped[dict[str, Any]]
    seconds: Mapped[float]
    create_time: Mapped[float]


class DataFolder(Base):
    """The folder that has what the database tells of: one row, once a service has used it."""

    __tablename__ = "data_folder"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(String(32))
    """The folder's own, wherever it is."""
    place: Mapped[str] = mapped_column(Text)
    """Where it was when it was last used, for people."""
