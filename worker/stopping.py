"""Stopping trials early: asking the rule, writing down why, and what came of it (docs/contract.md 6.3)."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Protocol

import structlog
from sqlalchemy.orm import Session

from api_schemas.early_stopping import ARGUMENTS
from api_schemas.enums import StoppingRule
from api_schemas.hyperparameters import HyperparameterSpec
from store.decisions import KEEP, STOP, STOP_REPORT, stops_early, stops_of
from store.log_entries import tell
from store.measurements import curves_of
from store.models import Decision, Job, Trial
from store.states import State
from store.trials import finished_since
from tuning.stopping import Guards, StopDecision, Stopper, make_stopper
from tuning.stopping.audit import Fate, Judged, StoppingReport, is_kept, report
from tuning.trials import Goal, Point
from worker.closing import EARLY, tell_to_stop
from worker.view import current

log = structlog.get_logger(__name__)

Measured = Sequence[tuple[int, float]]
"""The (step, value) points of a trial; all are finite."""


def stopper_of(spec: HyperparameterSpec) -> Stopper | None:
    """The rule that a job asks for; None when its trials are not stopped early."""
    if not spec.enable_trial_early_stopping:
        return None
    goal, asked = Goal[spec.effective_goal.name], spec.early_stopping
    if asked is None:
        return make_stopper("DEFAULT", goal)
    rule = asked.effective_rule
    guards = Guards(
        min_finished=asked.min_finished_trials or Guards().min_finished,
        grace_steps=asked.grace_steps or 0,
        grace_seconds=asked.grace_period or 0.0,
    )
    arguments = {name: value for name in ARGUMENTS.get(rule, ()) if (value := getattr(asked, name))}
    name = "DEFAULT" if rule is StoppingRule.STOPPING_RULE_UNSPECIFIED else rule.name
    return make_stopper(name, goal, guards, **arguments)


class StopsTrials(Protocol):
    """What is asked here of a job's study."""

    def should_stop(
        self, curve: Measured, beside: Sequence[Measured], seconds: float
    ) -> StopDecision | None: ...

    def record_stop(self, job: Job, trial: Trial, stop: StopDecision, now: float, kind: str) -> Decision: ...


def stop_hopeless(
    session: Session,
    job: Job,
    study: StopsTrials,
    spec: HyperparameterSpec,
    fresh: Sequence[Trial],
    live: Sequence[Trial],
    now: float,
) -> None:
    """Write the intent to stop the trials that the rule gives up, or to keep one to see how it ends.

    Args:
        fresh: the running trials that have reported something new.
        live: all running trials of the job, these among them.
    """
    # Only one rule looks at what runs beside a trial, and there may be much of it.
    asked = spec.early_stopping
    seen = live if asked is not None and asked.effective_rule is StoppingRule.ASHA else fresh
    curves = curves_of(session, [trial.id for trial in seen])
    kept: set[int] | None = None
    for trial in fresh:
        if current(trial).stop_reason is not None:
            continue
        beside = [curves[other.id] for other in seen if other is not trial]
        stop = study.should_stop(curves[trial.id], beside, now - current(trial).start_time)
        if stop is None:
            continue
        why = reason_of(stop)
        share = asked.audit_share if asked is not None else None
        if is_kept(job.seed, trial.number, share or 0.0):
            if kept is None:
                known = stops_of(session, [job.id])[job.id]
                kept = {decision.outcome["trial"] for decision in known if decision.kind == KEEP}
            if trial.number not in kept:
                session.add(study.record_stop(job, trial, stop, now, KEEP))
                said = f"Trial {trial.number} would be stopped early, and is kept to see how it ends"
                tell(session, job, f"{said}: {why}.", trial=trial.number, now=now)
            continue
        tell_to_stop(trial, EARLY)
        session.add(study.record_stop(job, trial, stop, now, STOP))
        log.info("trial stopped early", trial=trial.number, step=stop.step, value=stop.value)
        said = f"Trial {trial.number} is stopped early: {why}."
        tell(session, job, said, trial=trial.number, now=now)


def report_stops(session: Session, job: Job, now: float) -> None:
    """Write down what early stopping did to a job that ends, and say so in its log."""
    if not stops_early(job):
        return
    spec = HyperparameterSpec.model_validate(job.hyperparameters)
    session.flush()
    decisions = [each for each in stops_of(session, [job.id])[job.id] if each.kind != STOP_REPORT]
    if not decisions:
        return
    kept = {each.outcome["trial"] for each in decisions if each.kind == KEEP}
    trials = [_judged(trial, kept) for trial in finished_since(session, job.id, 0)]
    found = report(Goal[spec.effective_goal.name], trials)
    session.add(
        Decision(
            job_pk=job.id,
            kind=STOP_REPORT,
            algorithm=decisions[-1].algorithm,
            version="1",
            seed=job.seed,
            known={"finished": len(trials)},
            outcome=asdict(found),
            seconds=0.0,
            create_time=now,
        )
    )
    tell(session, job, _said(found), now=now)


def reason_of(stop: StopDecision) -> str:
    """A decision in words, for the job's log."""
    what = "the end predicted at" if stop.predicted else "what it reached by"
    against = f"the {stop.threshold:g} of {stop.peers} other trials"
    return f"{what} step {stop.step}, {stop.value:g}, is behind {against} ({stop.rule.upper()})"


def points_of(curve: Measured) -> list[Point]:
    return [Point(step, value) for step, value in curve]


def _judged(trial: Trial, kept: set[int]) -> Judged:
    fate = Fate.STOPPED if trial.stopped_early else Fate.KEPT if trial.number in kept else Fate.LET_RUN
    return Judged(
        fate,
        trial.final_value,
        trial.final_step,
        max((trial.end_time or trial.start_time) - trial.start_time, 0.0),
        whole=trial.state == State.SUCCEEDED and not trial.stopped_early,
    )


def _said(found: StoppingReport) -> str:
    trials = "1 trial" if found.stopped == 1 else f"{found.stopped} trials"
    said = f"Early stopping ended {trials} and saved {found.saved_steps:.0%} of the training steps."
    if found.kept:
        said += f" Of {found.kept} kept to see how they end, {found.wrong} became better than all others."
    return said
