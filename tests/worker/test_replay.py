"""Decisions asked again from the rows: the same answer, or the reason why it can't be told."""

from typing import Any

import pytest
from sqlalchemy.orm import Session

from api_schemas.hyperparameters import HyperparameterSpec
from store.database import Database
from store.decisions import decisions_of
from store.models import Job
from store.states import State
from store.trials import add_trial, finish_trial
from tests.stored_rows import NOW, add_job
from tuning.suggest.random_search import RandomSearch
from worker.replay import Verdict, replay
from worker.study import Study

WIRE: dict[str, Any] = {
    "goal": "MAXIMIZE",
    "params": [
        {"parameterName": "x", "type": "DOUBLE", "minValue": 0.0, "maxValue": 1.0},
        {"parameterName": "n", "type": "INTEGER", "minValue": 1, "maxValue": 8},
    ],
    "maxTrials": 50,
}


def run(session: Session, name: str, **given: Any) -> Job:
    """A job of 18 trials, some side by side, of every outcome; decided as a worker does."""
    hyperparameters = {**WIRE, **given.pop("wire", {})}
    job = add_job(session, name, hyperparameters=hyperparameters, **given)
    study = Study(HyperparameterSpec.model_validate(hyperparameters), job.seed)
    live = []
    for number in range(1, 19):
        study.catch_up(session, job)
        suggested = study.suggest(live, 2 if number % 3 else 1)
        trial = add_trial(session, job, number, suggested.values[0], NOW)
        session.flush()
        session.add(study.record_suggestion(job, suggested, [number], NOW))
        live.append(trial)
        if number % 3:
            ended = live.pop(number % len(live))
            failed = ended.number % 5 == 0
            ended.final_value = None if failed else float(ended.values["x"])
            ended.attempts[-1].failure_class = "USER_ERROR" if failed else None
            finish_trial(job, ended, State.FAILED if failed else State.SUCCEEDED, NOW)
    session.flush()
    return job


@pytest.mark.parametrize("algorithm", ["ALGORITHM_UNSPECIFIED", "RANDOM_SEARCH"])
def test_every_decision_is_made_again_as_it_was(database: Database, algorithm: str) -> None:
    with database.write() as session:
        first = run(session, "first", wire={"algorithm": algorithm})
        second = run(session, "second", previous_id=first.id, seed=5)
    with database.read() as session:
        for job in (first, second):
            again = list(replay(session, session.get_one(Job, job.id)))
            assert [each.verdict for each in again] == [Verdict.SAME] * 18
            assert again[-1].became == again[-1].again[:1]


def test_what_stood_in_for_no_answer_is_asked_again_itself(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    suggest = RandomSearch.suggest

    def fail_in_the_middle(self: RandomSearch, history: Any, pending: Any, count: int) -> Any:
        if 3 <= len(history) <= 6:
            raise ArithmeticError
        return suggest(self, history, pending, count)

    monkeypatch.setattr(RandomSearch, "suggest", fail_in_the_middle)
    with database.write() as session:
        job = run(session, "job", wire={"algorithm": "RANDOM_SEARCH"})
        algorithms = {decision.algorithm for decision in decisions_of(session, job.id)}
        assert algorithms == {"RANDOM_SEARCH", "QUASI_RANDOM"}
        assert {each.verdict for each in replay(session, job)} == {Verdict.SAME}


def test_a_decision_that_was_not_made_so_is_found(database: Database) -> None:
    with database.write() as session:
        job = run(session, "job", wire={"algorithm": "RANDOM_SEARCH"})
        decisions = decisions_of(session, job.id)
        decisions[4].seed += 1
        decisions[7].version = "0"
        session.flush()
        verdicts = [each.verdict for each in replay(session, job)]
    expected = [Verdict.SAME] * 18
    expected[4], expected[7] = Verdict.DIFFERENT, Verdict.OTHER_VERSION
    assert verdicts == expected


@pytest.mark.parametrize(
    ("broken", "verdict"), [("__init__", Verdict.OTHER_VERSION), ("suggest", Verdict.DIFFERENT)]
)
def test_an_algorithm_that_breaks_down_now_is_a_verdict_too(
    database: Database, monkeypatch: pytest.MonkeyPatch, broken: str, verdict: Verdict
) -> None:
    def fail(*_: Any) -> None:
        raise ArithmeticError

    with database.write() as session:
        job = run(session, "job", wire={"algorithm": "RANDOM_SEARCH"})
        monkeypatch.setattr(RandomSearch, broken, fail)
        assert {(each.verdict, len(each.again)) for each in replay(session, job)} == {(verdict, 0)}
