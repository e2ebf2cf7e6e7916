"""Asks the search again what it was asked in a run, from the rows alone (docs/guarantees.md, G8)."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from api_schemas.hyperparameters import HyperparameterSpec
from store.decisions import decisions_of
from store.measurements import curves_of
from store.models import Job, Trial
from store.states import State
from store.trials import failure_classes, trials_of
from tests.model.watch import require
from tuning.suggest import make_suggester
from tuning.trials import FinishedTrial, Goal, Outcome, PendingTrial, Point
from worker.failure_classes import TOLD_NOTHING
from worker.study import space_of


def replay(session: Session, job: Job) -> int:
    """Hold each suggestion of a tuning job against what is suggested now; gives how many there were.

    Raises:
        Broken: another point is.
    """
    spec = HyperparameterSpec.model_validate(job.hyperparameters)
    earlier, offset = _of_predecessors(session, job)
    trials = trials_of(session, job)
    by_number = {trial.number: trial for trial in trials}
    history = [*earlier, *_finished(session, trials, offset)]
    replayed = 0
    for decision in decisions_of(session, job.id):
        if decision.kind != "SUGGEST":
            continue
        # Made anew for each: whatever the one that was asked had remembered may not matter.
        goal = Goal[spec.effective_goal.name]
        suggester = make_suggester(spec.effective_algorithm, space_of(spec), goal, decision.seed)
        require(
            (suggester.algorithm, suggester.version) == (decision.algorithm, decision.version),
            "G8: another algorithm",
        )
        pending = [
            PendingTrial(offset + number, by_number[number].values) for number in decision.known["pending"]
        ]
        again = suggester.suggest(history[: decision.known["finished"]], pending, decision.outcome["asked"])
        became = [by_number[number].values for number in decision.outcome["trials"]]
        require(became == again[: len(became)], f"G8: {became} was suggested, and now {again}")
        replayed += 1
    return replayed


def _of_predecessors(session: Session, job: Job) -> tuple[list[FinishedTrial], int]:
    """What the search knew before its first trial, and how many trials were numbered before."""
    if job.previous_id is None:
        return [], 0
    previous = session.get_one(Job, job.previous_id)
    earlier, offset = _of_predecessors(session, previous)
    trials = trials_of(session, previous)
    return [*earlier, *_finished(session, trials, offset)], offset + len(trials)


def _finished(session: Session, trials: Sequence[Trial], offset: int) -> list[FinishedTrial]:
    ended = sorted(
        (trial for trial in trials if trial.finish_order is not None),
        key=lambda trial: trial.finish_order or 0,
    )
    curves = curves_of(session, [trial.id for trial in ended])
    why = failure_classes(session, [trial.id for trial in ended if trial.state == State.FAILED])
    outcomes = {State.FAILED: Outcome.FAILED, State.SUCCEEDED: Outcome.COMPLETED}
    return [
        FinishedTrial(
            offset + trial.number,
            trial.values,
            Outcome.STOPPED_EARLY if trial.stopped_early else outcomes[trial.state],
            trial.final_value,
            tuple(Point(step, value) for step, value in curves[trial.id]),
        )
        for trial in ended
        if trial.state != State.CANCELLED and why.get(trial.id) not in TOLD_NOTHING
    ]
