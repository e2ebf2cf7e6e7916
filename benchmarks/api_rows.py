"""Stored jobs for benchmarks/api.py: written straight to the tables, as the worker leaves them."""

from typing import Any

from sqlalchemy import insert, select, text, update

from store.database import Database
from store.measurements import curves_of_job, points_json
from store.models import Attempt, Job, Trial
from store.states import AttemptState, State

BEGAN = 1_790_000_000.0
PARAMS = [
    {"parameterName": "learning_rate", "type": "DOUBLE", "minValue": 1e-5, "maxValue": 0.1},
    {"parameterName": "layers", "type": "INTEGER", "minValue": 1.0, "maxValue": 8.0},
    {"parameterName": "batch_size", "type": "DISCRETE", "discreteValues": [32.0, 64.0, 128.0]},
    {"parameterName": "optimizer", "type": "CATEGORICAL", "categoricalValues": ["adam", "sgd"]},
]
SEARCH = {
    "goal": "MINIMIZE",
    "maxTrials": 200,
    "maxParallelTrials": 4,
    "hyperparameterMetricTag": "loss",
    "params": PARAMS,
}
TRAINING_INPUT = {
    "packageUris": ["http://packages.example/trainer-0.1.tar.gz"],
    "pythonModule": "trainer.task",
    "args": ["--epochs", "20", "--data", "/data/census/train.csv"],
    "region": "us-central1",
    "jobDir": "/data/runs/census",
}
POINTS = """
WITH RECURSIVE steps(step) AS (SELECT 1 UNION ALL SELECT step + 1 FROM steps WHERE step < :points)
INSERT INTO measurements (trial_pk, step, wall_time, source, value)
SELECT trials.id, step, trials.start_time + step, 0, 1.0 / (0.1 + step + trials.number)
FROM trials CROSS JOIN steps WHERE trials.job_pk = :job
"""


def body(job_id: str, search: bool) -> dict[str, Any]:
    """A job to post."""
    training = {**TRAINING_INPUT, **({"hyperparameters": SEARCH} if search else {})}
    return {"jobId": job_id, "trainingInput": training, "labels": {"team": "vision"}}


def add_plain_jobs(database: Database, project: str, count: int) -> None:
    """Training jobs that SUCCEEDED, of one trial each."""
    with database.write() as session:
        first = (session.scalar(select(Job.id).order_by(Job.id.desc()).limit(1)) or 0) + 1
        numbers = range(first, first + count)
        session.execute(insert(Job), [_job(project, f"plain_{number}", None, 1) for number in numbers])
        keys = session.scalars(select(Job.id).where(Job.project == project).order_by(Job.id)).all()[-count:]
        session.execute(insert(Trial), [_trial(key, 1, {}) for key in keys])
        trials = session.execute(select(Trial.id, Trial.job_pk).where(Trial.job_pk.in_(keys))).all()
        session.execute(insert(Attempt), [_attempt(trial, job) for trial, job in trials])


def add_tuning_jobs(database: Database, project: str, count: int, trials: int, points: int) -> None:
    """Tuning jobs that SUCCEEDED, with so many trials of so many measurements."""
    for number in range(1, count + 1):
        with database.write() as session:
            job = session.scalar(
                insert(Job).returning(Job.id), [_job(project, f"tuned_{number}", SEARCH, trials)]
            )
            assert job is not None
            rows = [_trial(job, each, _values(each), points) for each in range(1, trials + 1)]
            session.execute(insert(Trial), rows)
            keys = session.scalars(select(Trial.id).where(Trial.job_pk == job)).all()
            session.execute(insert(Attempt), [_attempt(trial, job) for trial in keys])
            session.execute(text(POINTS), {"points": points, "job": job})
            for trial, curve in curves_of_job(session, job).items():
                session.execute(update(Trial).where(Trial.id == trial).values(curve=points_json(curve)))


def note_statistics(database: Database) -> None:
    """What a database that has lived for a while knows of its tables."""
    with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql("ANALYZE")


def _job(project: str, job_id: str, search: dict[str, Any] | None, finished: int) -> dict[str, Any]:
    wire = body(job_id, search is not None)
    return {
        "project": project,
        "job_id": job_id,
        "training_input": wire["trainingInput"],
        "labels": wire["labels"],
        "hyperparameters": search,
        "state": State.SUCCEEDED,
        "create_time": BEGAN,
        "start_time": BEGAN + 1,
        "running_time": BEGAN + 2,
        "end_time": BEGAN + 600,
        "seed": 1,
        "finished_trials": finished,
    }


def _trial(job: int, number: int, values: dict[str, Any], points: int = 0) -> dict[str, Any]:
    return {
        "job_pk": job,
        "number": number,
        "values": values,
        "state": State.SUCCEEDED,
        "start_time": BEGAN + 2 + number,
        "end_time": BEGAN + 2 + number + points,
        "finish_order": number,
        "final_step": points or None,
        "final_value": 1.0 / (0.1 + points + number) if points else None,
        "cursor": {"files": [{"path": "events.out.tfevents.1790000000.host", "offset": 61 * points}]},
    }


def _values(number: int) -> dict[str, Any]:
    return {
        "learning_rate": 1e-5 * 1.0471285480508996**number,
        "layers": 1 + number % 8,
        "batch_size": [32.0, 64.0, 128.0][number % 3],
        "optimizer": ["adam", "sgd"][number % 2],
    }


def _attempt(trial: int, job: int) -> dict[str, Any]:
    return {
        "job_pk": job,
        "trial_pk": trial,
        "number": 1,
        "state": AttemptState.ENDED,
        "exit_code": 0,
        "start_time": BEGAN + 2,
        "end_time": BEGAN + 600,
    }
