"""What the end of trials means for their job."""

from api_schemas.hyperparameters import HyperparameterSpec
from api_schemas.values import format_value
from store.database import Database
from store.states import State
from tests.stored_rows import add_ended_trial, add_job
from worker.closing import verdict


def test_a_failed_trials_values_are_told_as_the_answer_writes_them(database: Database) -> None:
    values = {"lr": 0.6052271692181944, "layers": 2, "batch": 64.0, "kind": "a b"}
    assert repr(values["lr"]) != format_value(0.6052271692181944), "or this shows nothing"
    with database.write() as session:
        job = add_job(session, state=State.RUNNING, hyperparameters={})
        trial = add_ended_trial(session, job, 1, values, State.FAILED)
        trial.error_message = "Out of luck."
        told = verdict(session, job, HyperparameterSpec(), [trial])
    assert told == (
        State.FAILED,
        "Hyperparameter Tuning Trial #1 Failed before any other successful trials were completed. "
        "Trial #1 with lr=0.60522716921819442, layers=2, batch=64, kind=a b: Out of luck.",
    )
