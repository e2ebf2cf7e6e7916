"""Measurements: every value of the metric that a trial wrote, once."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import orjson
from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from store.models import Measurement, Trial

BATCH = 1000
"""Rows a statement; five parameters each stay below every database's limit."""

SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Measured(Protocol):
    """What a metric source yields."""

    @property
    def step(self) -> int: ...
    @property
    def value(self) -> float: ...
    @property
    def wall_time(self) -> float: ...
    @property
    def source(self) -> int: ...


def add_measurements(session: Session, trial_pk: int, measured: Sequence[Measured]) -> None:
    """Store what is new; what is there already is left as it is."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    for start in range(0, len(measured), BATCH):
        rows = [
            {
                "trial_pk": trial_pk,
                "step": point.step,
                "wall_time": point.wall_time,
                "source": point.source,
                "value": point.value if math.isfinite(point.value) else None,
                "special": _special(point.value),
            }
            for point in measured[start : start + BATCH]
        ]
        session.execute(insert(Measurement).on_conflict_do_nothing(), rows)


def supersede(session: Session, trial_pk: int, step: int, source: int) -> None:
    """Remove a trial's measurements at this step and beyond that are of sources below this one.

    A later attempt measured there anew; what earlier ones had before that, it went on from.
    """
    session.execute(
        delete(Measurement).where(
            Measurement.trial_pk == trial_pk, Measurement.step >= step, Measurement.source < source
        )
    )


def value_of(row: Measurement) -> float:
    """The value as it was written, NaN and infinities included."""
    return SPECIAL[row.special] if row.value is None and row.special else float(row.value or 0.0)


def last_value(session: Session, trial_pk: int) -> tuple[int, float] | None:
    """(step, value) of the last measurement by step, then by time; None unless one is there and is finite."""
    query = (
        select(Measurement)
        .where(Measurement.trial_pk == trial_pk)
        .order_by(Measurement.step.desc(), Measurement.wall_time.desc(), Measurement.source.desc())
        .limit(1)
    )
    last = session.scalar(query)
    return None if last is None or last.value is None else (last.step, last.value)


def curve_of(session: Session, trial_pk: int) -> Sequence[Measurement]:
    """One trial's measurements by step, then by time."""
    query = (
        select(Measurement)
        .where(Measurement.trial_pk == trial_pk)
        .order_by(Measurement.step, Measurement.wall_time, Measurement.source)
    )
    return session.scalars(query).all()


def curves_of(session: Session, trial_pks: Iterable[int]) -> dict[int, list[tuple[int, float]]]:
    """Finite (step, value) points of several trials, by step: {trial key: points}, empty lists included."""
    wanted = list(trial_pks)
    curves: dict[int, list[tuple[int, float]]] = {pk: [] for pk in wanted}
    for start in range(0, len(wanted), BATCH):
        _extend_curves(session, curves, Measurement.trial_pk.in_(wanted[start : start + BATCH]))
    return curves


def metric(step: int, value: float) -> dict[str, Any]:
    """A point as the wire has it (docs/contract.md 2.8)."""
    # A zero step is a default and left out; a zero objective is a result and never is.
    return {"trainingStep": str(step), "objectiveValue": value} if step else {"objectiveValue": value}


def points_json(points: Iterable[tuple[int, float]]) -> str:
    """A curve as the wire has it, for `Trial.curve`; `[]` says that there are no points."""
    return orjson.dumps([metric(step, value) for step, value in points]).decode()


def points_of(curve: str) -> list[tuple[int, float]]:
    """The (step, value) points of what `points_json` gave."""
    points = orjson.loads(curve)
    return [(int(point.get("trainingStep", "0")), float(point["objectiveValue"])) for point in points]


def ended_curves(session: Session, trial_pks: Sequence[int]) -> dict[int, list[tuple[int, float]]]:
    """As `curves_of`, of trials that have ended: also where single measurements are not kept any more."""
    curves: dict[int, list[tuple[int, float]]] = {}
    for start in range(0, len(trial_pks), BATCH):
        some = trial_pks[start : start + BATCH]
        query = select(Trial.id, Trial.curve).where(Trial.id.in_(some), Trial.curve.is_not(None))
        curves |= {pk: points_of(curve) for pk, curve in session.execute(query) if curve is not None}
    return curves | curves_of(session, [pk for pk in trial_pks if pk not in curves])


def curves_of_job(session: Session, job_pk: int) -> dict[int, list[tuple[int, float]]]:
    """Finite (step, value) points of all of a job's trials, by step: {trial key: points}."""
    curves: dict[int, list[tuple[int, float]]] = {}
    of_job = Measurement.trial_pk.in_(select(Trial.id).where(Trial.job_pk == job_pk))
    _extend_curves(session, curves, of_job)
    return curves


def _extend_curves(session: Session, curves: dict[int, list[tuple[int, float]]], where: object) -> None:
    query = (
        select(Measurement.trial_pk, Measurement.step, Measurement.value)
        .where(where, Measurement.value.is_not(None))  # type: ignore[arg-type]
        .order_by(Measurement.trial_pk, Measurement.step, Measurement.wall_time, Measurement.source)
    )
    for trial_pk, step, value in session.execute(query):
        assert value is not None  # the query left those out
        points = curves.setdefault(trial_pk, [])
        # A step told twice counts once, with what was told last.
        if points and points[-1][0] == step:
            points[-1] = (step, value)
        else:
            points.append((step, value))


def _special(value: float) -> str | None:
    if math.isfinite(value):
        return None
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
