"""What the search knows of one job, and the questions put to it.

Everything here is derived from rows of ended trials, which never change: a study may be dropped at any time
and built again, and gives the same answers. It is kept only so that each step reads what is new.
"""

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from api_schemas.enums import ParameterType
from api_schemas.hyperparameters import HyperparameterSpec, ParameterSpec
from store.decisions import STOP
from store.measurements import ended_curves
from store.models import Decision, Job, Trial
from store.states import State
from store.trials import failure_classes, finished_since
from tuning.space import Categorical, Discrete, Double, Integer, Scale, Space, Value
from tuning.stopping import FinishedCurves, StopDecision
from tuning.suggest import make_suggester
from tuning.trials import FinishedTrial, Goal, Outcome, PendingTrial, Point
from worker.failure_classes import TOLD_NOTHING
from worker.stopping import Measured, points_of, stopper_of
from worker.view import View

STUDIES_KEPT = 64
"""Jobs whose studies are kept between looks; others are built again when they are looked at."""


@dataclass(frozen=True, slots=True)
class Suggested:
    """Points to try next, and what the ledger says of the decision."""

    values: list[dict[str, Value]]
    known_finished: int
    known_pending: list[int]
    seconds: float


class Study:
    """The search of one job, and of the jobs it continues."""

    def __init__(self, spec: HyperparameterSpec, seed: int) -> None:
        goal = Goal[spec.effective_goal.name]
        self.seed = seed
        self._suggester = make_suggester(spec.effective_algorithm.name, space_of(spec), goal, seed)
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

    def suggest(self, pending: Sequence[Trial], count: int) -> Suggested:
        """At most `count` points to try while `pending` run; fewer only when a finite space is exhausted."""
        began = time.perf_counter()
        values = self._suggester.suggest(
            self._history, [PendingTrial(self._offset + t.number, t.values) for t in pending], count
        )
        seconds = time.perf_counter() - began
        return Suggested(values, len(self._history), [t.number for t in pending], seconds)

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
        return Decision(
            job_pk=job.id,
            kind="SUGGEST",
            algorithm=self._suggester.algorithm,
            version=self._suggester.version,
            seed=self.seed,
            known={"finished": suggested.known_finished, "pending": suggested.known_pending},
            outcome={"trials": trials, "asked": len(suggested.values)},
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

    def __init__(self) -> None:
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
                study = self._kept[view.job.id] = Study(view.spec, view.job.seed)
            return study

    def drop(self, job_pk: int) -> None:
        """Forget a job that has ended."""
        with self._lock:
            self._kept.pop(job_pk, None)


def space_of(spec: HyperparameterSpec) -> Space:
    """The search space that a request describes."""
    return Space(tuple(_parameter(parameter) for parameter in spec.params))


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
