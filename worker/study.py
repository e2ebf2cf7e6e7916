"""What the search knows of one job, and the questions put to it.

Everything here is derived from rows of ended trials, which never change: a study may be dropped at any time
and built again, and gives the same answers. It is kept only so that each step reads what is new.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from sqlalchemy.orm import Session

from api_schemas.enums import ParameterType
from api_schemas.hyperparameters import HyperparameterSpec, ParameterCondition, ParameterSpec
from api_schemas.search_algorithms import arguments_of
from api_schemas.search_points import number_of, point_of, read_value
from store.decisions import STOP
from store.measurements import ended_curves
from store.models import Decision, Job, Trial
from store.states import State
from store.trials import failure_classes, finished_since
from tuning.rules import Condition, RuledSpace
from tuning.search import Search
from tuning.space import Categorical, Discrete, Double, Integer, Scale, Space, Value
from tuning.stopping import FinishedCurves, StopDecision
from tuning.trials import FinishedTrial, Goal, Outcome, PendingTrial, Point
from worker.failure_classes import TOLD_NOTHING
from worker.stopping import Measured, points_of, stopper_of
from worker.suggesting import Answer, Ask, AskHere, Question, answer_in_any_case
from worker.view import View

STUDIES_KEPT = 64
"""Jobs whose studies are kept between looks; others are built again when they are looked at."""
LISTS = frozenset({"BATCH", "GRID_SEARCH"})
"""Algorithms that end: asked in this process, without a time limit."""
_NAMES = count()
"""Each study of this process has a name of its own: one that is built again may know more than before."""


@dataclass(frozen=True, slots=True)
class Suggested:
    """Points to try next, and what the ledger says of the decision."""

    answer: Answer
    known_finished: int
    known_pending: list[int]
    seconds: float

    @property
    def values(self) -> list[dict[str, Value]]:
        return self.answer.values


PLAIN_TRAINING = Suggested(Answer([{}], "", ""), 0, [], 0.0)
"""The one trial of a job that searches nothing."""


class Study:
    """The search of one job, and of the jobs it continues."""

    def __init__(self, spec: HyperparameterSpec, seed: int, ask: Ask | None = None) -> None:
        """`ask` asks the search; by default in this process, however long it takes."""
        self.seed = seed
        self.search = search_of(spec, seed)
        # What is not in a grid or a list is not tried, so nothing can stand in; and they are quick to say.
        self._ask = AskHere() if ask is None or self.search.algorithm in LISTS else ask
        self._name = str(next(_NAMES))
        self._stopper = stopper_of(spec)
        self._curves = FinishedCurves()
        self._history: list[FinishedTrial] = []
        self._last_order = 0
        self._offset = 0
        self._begun = False

    @property
    def stops_early(self) -> bool:
        return self._stopper is not None

    def catch_up(self, session: Session, job: Job) -> None:
        """Take in the trials that ended since the last call; the first time, the predecessors' too."""
        if not self._begun:
            self._take_predecessors(session, job)
            self._begun = True
        ended = finished_since(session, job.id, self._last_order)
        if ended:
            self._take(session, ended)
            self._last_order = ended[-1].finish_order or self._last_order

    def suggest(self, pending: Sequence[Trial], wanted: int) -> Suggested:
        """At most `wanted` points to try while `pending` run; fewer only when a finite space is exhausted."""
        began = time.perf_counter()
        told = [PendingTrial(self._offset + t.number, t.values) for t in pending]
        question = Question(self._name, self.search, self._history, told, wanted)
        answer = answer_in_any_case(self._ask, question)
        seconds = time.perf_counter() - began
        return Suggested(answer, len(self._history), [t.number for t in pending], seconds)

    def known_at(
        self, decision: Decision, trials: Mapping[int, Trial]
    ) -> tuple[list[FinishedTrial], list[PendingTrial]]:
        """What a suggestion of this job was made from: its history, and the trials that ran.

        Args:
            trials: the job's, by number.
        """
        running = [trials[number] for number in decision.known["pending"]]
        pending = [PendingTrial(self._offset + t.number, t.values) for t in running]
        return self._history[: decision.known["finished"]], pending

    def should_stop(
        self, curve: Measured, beside: Sequence[Measured] = (), seconds: float = math.inf
    ) -> StopDecision | None:
        """Whether a trial with this curve should go on; None: it should.

        Args:
            beside: the curves of the other running trials.
            seconds: how long the trial has run.
        """
        if self._stopper is None:
            return None
        others = [points_of(other) for other in beside]
        return self._stopper.decide(points_of(curve), self._curves, others, seconds=seconds)

    def record_suggestion(self, job: Job, suggested: Suggested, trials: list[int], now: float) -> Decision:
        """The ledger's row for points that became these trials."""
        answer = suggested.answer
        outcome: dict[str, Any] = {"trials": trials, "asked": len(answer.values)}
        if answer.instead_of is not None:
            outcome |= {"insteadOf": answer.instead_of, "because": answer.because}
        return Decision(
            job_pk=job.id,
            kind="SUGGEST",
            algorithm=answer.algorithm[:64],
            version=answer.version[:32],
            seed=self.seed,
            known={"finished": suggested.known_finished, "pending": suggested.known_pending},
            outcome=outcome,
            seconds=suggested.seconds,
            create_time=now,
        )

    def record_stop(
        self, job: Job, trial: Trial, stop: StopDecision, now: float, kind: str = STOP
    ) -> Decision:
        """The ledger's row for a trial that is given up, or would be."""
        outcome = {"trial": trial.number, "step": stop.step, "value": stop.value, "threshold": stop.threshold}
        return Decision(
            job_pk=job.id,
            kind=kind,
            algorithm=stop.rule,
            version="1",
            seed=self.seed,
            known={"finished": len(self._history), "peers": stop.peers},
            outcome=outcome,
            seconds=0.0,
            create_time=now,
        )

    def _take_predecessors(self, session: Session, job: Job) -> None:
        # An earlier try may have failed halfway, as when the database went away.
        self._history.clear()
        self._curves = FinishedCurves()
        self._offset = 0
        chain = []
        previous = job.previous_id
        while previous is not None:
            predecessor = session.get_one(Job, previous)
            chain.append(predecessor)
            previous = predecessor.previous_id
        for predecessor in reversed(chain):
            trials = finished_since(session, predecessor.id, 0)
            self._take(session, trials)
            self._offset += max((trial.number for trial in trials), default=0)

    def _take(self, session: Session, trials: Sequence[Trial]) -> None:
        curves = ended_curves(session, [t.id for t in trials]) if self._stopper is not None else {}
        why = failure_classes(session, [t.id for t in trials if t.state == State.FAILED])
        for trial in trials:
            if trial.state == State.CANCELLED or why.get(trial.id) in TOLD_NOTHING:
                continue  # Ended by its owner or failed by the platform: says nothing about its point.
            curve = tuple(Point(step, value) for step, value in curves.get(trial.id, ()))
            self._history.append(
                FinishedTrial(
                    self._offset + trial.number, trial.values, _outcome(trial), trial.final_value, curve
                )
            )
            if trial.state == State.SUCCEEDED:
                self._curves.add(curve, completed=not trial.stopped_early)


class Studies:
    """The studies that are kept between looks. May be used from several threads; one study may not."""

    def __init__(self, ask: Callable[[], Ask] = AskHere) -> None:
        """`ask` makes what asks a study's search."""
        self._ask = ask
        self._lock = threading.Lock()
        self._kept: dict[int, Study] = {}

    def of(self, view: View) -> Study | None:
        """The job's study; None for plain training."""
        if view.spec is None:
            return None
        with self._lock:
            study = self._kept.get(view.job.id)
            if study is None:
                while len(self._kept) >= STUDIES_KEPT:
                    del self._kept[next(iter(self._kept))]
                study = self._kept[view.job.id] = Study(view.spec, view.job.seed, self._ask())
            return study

    def drop(self, job_pk: int) -> None:
        """Forget a job that has ended, or of which something may be known that is not so."""
        with self._lock:
            self._kept.pop(job_pk, None)


def search_of(spec: HyperparameterSpec, seed: int) -> Search:
    """The search that a request describes."""
    return Search(
        spec.effective_algorithm,
        space_of(spec),
        Goal[spec.effective_goal.name],
        seed,
        arguments_of(spec),
        tuple(point_of(spec, trial) for trial in spec.initial_trials),
    )


def space_of(spec: HyperparameterSpec) -> Space:
    """The search space that a request describes."""
    parameters = tuple(_parameter(parameter) for parameter in spec.params)
    conditional = {p.parameter_name: p.conditions for p in spec.params if p.conditions and p.parameter_name}
    if not conditional and not spec.forbidden:
        return Space(parameters)
    known = {parameter.parameter_name: parameter for parameter in spec.params}

    def all_of(told: Sequence[ParameterCondition]) -> tuple[Condition, ...]:
        return tuple(_condition(known[each.parameter_name], each) for each in told)

    return RuledSpace(
        parameters,
        {name: all_of(conditions) for name, conditions in conditional.items()},
        tuple(all_of(combination.conditions) for combination in spec.forbidden),
    )


def _condition(parameter: ParameterSpec, told: ParameterCondition) -> Condition:
    return Condition(
        parameter.parameter_name or "",
        tuple(read_value(parameter, text) for text in told.values),
        None if told.min is None else number_of(told.min),
        None if told.max is None else number_of(told.max),
    )


def _parameter(spec: ParameterSpec) -> Double | Integer | Discrete | Categorical:
    scale = Scale[spec.scale_type.name] if spec.scale_type is not None else Scale.NONE
    assert spec.parameter_name is not None  # The door took no job without.
    low, high = spec.min_value or 0.0, spec.max_value or 0.0
    match spec.type:
        case ParameterType.DOUBLE:
            return Double(spec.parameter_name, low, high, scale)
        case ParameterType.INTEGER:
            return Integer(spec.parameter_name, int(low), int(high), scale)
        case ParameterType.DISCRETE:
            return Discrete(spec.parameter_name, tuple(spec.discrete_values))
        case ParameterType.CATEGORICAL:
            return Categorical(spec.parameter_name, tuple(spec.categorical_values))
        case _:
            raise ValueError(
                f"{spec.parameter_name}: a job of type {spec.type} should not have been accepted"
            )


def _outcome(trial: Trial) -> Outcome:
    if trial.state == State.FAILED:
        return Outcome.FAILED
    return Outcome.STOPPED_EARLY if trial.stopped_early else Outcome.COMPLETED
