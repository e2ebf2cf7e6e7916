"""How trials are stopped early, where a job says more than that they are (docs/contract.md 6.3).

Ours: v1 had no place for it.
"""

import math
from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from api_schemas.enums import StoppingRule
from api_schemas.errors import FieldViolation
from api_schemas.scalars import WRITES_NAME, Double, Duration, Int32, Int64, Message, reads

ARGUMENTS: dict[StoppingRule, tuple[str, ...]] = {
    StoppingRule.MEDIAN: (),
    StoppingRule.DECAY_CURVE: ("probability",),
    StoppingRule.ASHA: ("first_rung", "reduction_factor"),
    StoppingRule.CURVEFITTING: ("epoch_num", "start_step", "threshold", "gap"),
    StoppingRule.MEDIANSTOP: ("start_step",),
}
"""What each rule takes, beside what all of them do."""
COUNTS = (
    "min_finished_trials",
    "grace_steps",
    "grace_period",
    "first_rung",
    "epoch_num",
    "start_step",
    "gap",
)


class EarlyStoppingSpec(Message):
    """The rule, when it is asked, and its arguments. What is absent or 0 has the rule's default."""

    rule: Annotated[StoppingRule, reads(StoppingRule), WRITES_NAME] | None = None
    min_finished_trials: Annotated[
        Int32 | None, Field(description="How many trials must have ended; by default 5.")
    ] = None
    grace_steps: Annotated[
        Int64 | None, Field(description="The training step before which no trial is stopped.")
    ] = None
    grace_period: Annotated[
        Duration | None, Field(description="How long a trial runs before it may be stopped.")
    ] = None
    audit_share: Annotated[
        Double | None,
        Field(description="The share of trials that go on where the rule would stop them, 0 to 1."),
    ] = None
    probability: Annotated[
        Double | None, Field(description="DECAY_CURVE: the chance of ending best that is too low.")
    ] = None
    first_rung: Annotated[Int64 | None, Field(description="ASHA: the step of the first rung.")] = None
    reduction_factor: Annotated[
        Double | None, Field(description="ASHA: at each rung one of so many trials goes on.")
    ] = None
    epoch_num: Annotated[
        Int64 | None, Field(description="CURVEFITTING: the training step that is predicted.")
    ] = None
    start_step: Annotated[
        Int32 | None,
        Field(description="CURVEFITTING, MEDIANSTOP: as many reports of a trial are not judged."),
    ] = None
    threshold: Annotated[
        Double | None, Field(description="CURVEFITTING: how much of the best trial's gain is needed.")
    ] = None
    gap: Annotated[
        Int32 | None, Field(description="CURVEFITTING: a trial is judged at every so many reports.")
    ] = None

    @property
    def effective_rule(self) -> StoppingRule:
        return self.rule or StoppingRule.STOPPING_RULE_UNSPECIFIED


def early_stopping_violations(at: str, spec: EarlyStoppingSpec, enabled: bool) -> Iterator[FieldViolation]:
    """Everything that is wrong with it.

    Args:
        at: the field's own path.
        enabled: whether the job wants trials to be stopped early.
    """
    if not enabled:
        yield FieldViolation(at, "Says how trials are stopped early; that needs enableTrialEarlyStopping.")
    for name in COUNTS:
        count = getattr(spec, name) or 0
        if count < 0:
            yield FieldViolation(f"{at}.{name}", f"Must not be negative; it is {count:g}.")
    for name, most in (("audit_share", 1.0), ("probability", 0.5), ("threshold", 1.0)):
        share = getattr(spec, name) or 0.0
        if not 0.0 <= share <= most:
            yield FieldViolation(f"{at}.{name}", f"Must be from 0 to {most:g}; it is {share:g}.")
    factor = spec.reduction_factor or 0.0
    if (factor and not 1.0 < factor <= 1e6) or math.isnan(factor):
        yield FieldViolation(
            f"{at}.reduction_factor", f"Must be above 1 and at most a million; it is {factor:g}."
        )
    rule = spec.effective_rule
    for name in dict.fromkeys(name for names in ARGUMENTS.values() for name in names):
        if getattr(spec, name) and name not in ARGUMENTS.get(rule, ()):
            takers = " and ".join(each.name for each, names in ARGUMENTS.items() if name in names)
            yield FieldViolation(f"{at}.{name}", f"Is an argument of {takers}; the rule is {rule.name}.")
