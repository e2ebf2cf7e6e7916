"""What every stopping rule keeps to, whatever it judges by."""

import math
import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuning.stopping import RULES, FinishedCurves, Guards, StopDecision, make_stopper
from tuning.trials import Goal, Point

EPOCHS = 27


def falling(
    level: float, every: int = 1, epochs: int = EPOCHS, unit: float = 1.0, base: float = 0.0
) -> list[Point]:
    """A loss that falls to a level, as training does."""
    return [
        Point(every * n, base + unit * (level + math.exp(-n / 6) + 0.002 * math.sin(9 * n + 50 * level)))
        for n in range(1, epochs + 1)
    ]


LEVELS = [0.1, 0.12, 0.15, 0.2, 0.22, 0.3, 0.35, 0.4, 0.6, 0.9]


def peers(**changes: float) -> FinishedCurves:
    return FinishedCurves([falling(level, **changes) for level in LEVELS])  # type: ignore[arg-type]


def turned(curve: Sequence[Point]) -> list[Point]:
    return [Point(point.step, -point.value) for point in curve]


def first_stop(
    name: str, curve: Sequence[Point], finished: FinishedCurves, goal: Goal
) -> StopDecision | None:
    """The first decision to stop, as the trial reports one step after the other."""
    stopper = make_stopper(name, goal)
    for count in range(1, len(curve) + 1):
        decision = stopper.decide(curve[:count], finished)
        if decision is not None:
            return decision
    return None


NAMES = [*RULES, "DEFAULT"]


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_hopeless_trial_is_stopped_well_before_its_end(name: str) -> None:
    decision = first_stop(name, falling(2.0), peers(), Goal.MINIMIZE)
    assert decision is not None
    assert decision.step <= EPOCHS / 2


def test_a_decision_says_by_what_it_was_made(name: str) -> None:
    decision = first_stop(name, falling(2.0), peers(), Goal.MINIMIZE)
    assert decision is not None
    assert decision.rule
    assert decision.value > decision.threshold
    assert 0 < decision.peers <= len(LEVELS)
    assert all(math.isfinite(number) for number in (decision.value, decision.threshold))


def test_a_trial_better_than_all_others_is_never_stopped(name: str) -> None:
    assert first_stop(name, falling(0.05), peers(), Goal.MINIMIZE) is None
    assert (
        first_stop(
            name, turned(falling(0.05)), FinishedCurves([turned(falling(x)) for x in LEVELS]), Goal.MAXIMIZE
        )
        is None
    )


def test_a_trial_just_like_all_others_is_never_stopped(name: str) -> None:
    assert first_stop(name, falling(0.3), FinishedCurves([falling(0.3)] * 10), Goal.MINIMIZE) is None
    flat = [Point(n, 0.7) for n in range(1, 20)]
    assert first_stop(name, flat, FinishedCurves([flat] * 10), Goal.MAXIMIZE) is None


def test_what_is_first_to_run_is_never_stopped(name: str) -> None:
    assert first_stop(name, falling(2.0), FinishedCurves(), Goal.MINIMIZE) is None


def test_too_few_ended_trials_stop_nothing(name: str) -> None:
    few = FinishedCurves([falling(level) for level in LEVELS[:4]])
    assert first_stop(name, falling(2.0), few, Goal.MINIMIZE) is None


def test_a_trainer_that_reports_once_is_never_stopped(name: str) -> None:
    once = FinishedCurves([[Point(EPOCHS, level)] for level in LEVELS])
    assert first_stop(name, [Point(EPOCHS, 9.0)], once, Goal.MINIMIZE) is None
    assert make_stopper(name, Goal.MINIMIZE).decide([], once) is None


def test_nothing_is_stopped_before_its_time_of_grace_is_over(name: str) -> None:
    hopeless, finished = falling(2.0)[:14], peers()
    free = make_stopper(name, Goal.MINIMIZE)
    assert free.decide(hopeless, finished, seconds=0.0) is not None
    by_step = make_stopper(name, Goal.MINIMIZE, Guards(grace_steps=15))
    assert by_step.decide(hopeless, finished) is None
    assert by_step.decide(falling(2.0)[:15], finished) is not None
    by_time = make_stopper(name, Goal.MINIMIZE, Guards(grace_seconds=60.0))
    assert by_time.decide(hopeless, finished, seconds=59.0) is None
    assert by_time.decide(hopeless, finished, seconds=60.0) is not None


def test_the_goal_is_only_a_sign(name: str) -> None:
    found = first_stop(name, falling(2.0), peers(), Goal.MINIMIZE)
    mirrored = FinishedCurves([turned(falling(level)) for level in LEVELS])
    other = first_stop(name, turned(falling(2.0)), mirrored, Goal.MAXIMIZE)
    assert found is not None
    assert other is not None
    assert (found.step, found.peers) == (other.step, other.peers)
    assert (found.value, found.threshold) == pytest.approx((-other.value, -other.threshold))


@pytest.mark.parametrize(
    ("unit", "base"), [(1000.0, 0.0), (1e-4, 0.0), (1.0, -5.0), (3.0, 40.0), (1e300, 0.0)]
)
def test_units_and_zero_of_the_objective_do_not_matter(name: str, unit: float, base: float) -> None:
    for level in (0.5, 2.0):
        found = first_stop(name, falling(level), peers(), Goal.MINIMIZE)
        other = first_stop(
            name, falling(level, unit=unit, base=base), peers(unit=unit, base=base), Goal.MINIMIZE
        )
        assert (found and found.step) == (other and other.step)


def test_the_order_of_reports_and_of_trials_does_not_matter(name: str) -> None:
    stopper = make_stopper(name, Goal.MINIMIZE)
    backwards = FinishedCurves([falling(level)[::-1] for level in reversed(LEVELS)])
    for count in (5, 10, 14):
        found = stopper.decide(falling(2.0)[:count], peers())
        other = stopper.decide(falling(2.0)[:count][::-1], backwards)
        assert (found is None) == (other is None)
        if found is not None and other is not None:
            assert (found.value, found.threshold) == pytest.approx((other.value, other.threshold))


def test_what_was_decided_before_decides_nothing(name: str) -> None:
    """Curves that grow, and were asked about meanwhile, answer like new ones."""
    kept = FinishedCurves()
    stopper = make_stopper(name, Goal.MINIMIZE)
    for count, level in enumerate(LEVELS, start=1):
        kept.add(falling(level))
        new = FinishedCurves([falling(each) for each in LEVELS[:count]])
        assert stopper.decide(falling(0.5)[:14], kept) == stopper.decide(falling(0.5)[:14], new)


# NNI's median rule counts reports.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "MEDIANSTOP"])
def test_trainers_that_report_at_different_paces_are_judged_by_the_same_training(name: str) -> None:
    sparse = FinishedCurves([falling(level)[2::3] for level in LEVELS])
    found = first_stop(name, falling(2.0), sparse, Goal.MINIMIZE)
    assert found is not None
    assert first_stop(name, falling(0.05), sparse, Goal.MINIMIZE) is None


# ASHA has rungs at steps that are given.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "ASHA"])
def test_the_unit_of_steps_does_not_matter(name: str) -> None:
    found = first_stop(name, falling(2.0), peers(), Goal.MINIMIZE)
    other = first_stop(name, falling(2.0, every=1000), peers(every=1000), Goal.MINIMIZE)
    assert found is not None
    assert other is not None
    assert 1000 * found.step == other.step


def test_trials_that_were_stopped_are_among_the_ended_ones(name: str) -> None:
    finished = peers()
    for level in (0.5, 0.7):
        finished.add(falling(level)[:9], completed=False)
    assert first_stop(name, falling(2.0), finished, Goal.MINIMIZE) is not None
    assert first_stop(name, falling(0.05), finished, Goal.MINIMIZE) is None


finite = st.floats(allow_nan=False, allow_infinity=False)
curves = st.lists(finite, min_size=1, max_size=12).map(
    lambda values: [Point(n, value) for n, value in enumerate(values, start=1)]
)


@settings(max_examples=60, deadline=None)
@given(running=curves, finished=st.lists(curves, max_size=9), goal=st.sampled_from(Goal))
@pytest.mark.parametrize("each", RULES)
def test_any_finite_reports_give_a_decision_that_its_numbers_justify(
    each: str, running: list[Point], finished: list[list[Point]], goal: Goal
) -> None:
    with np.errstate(all="raise", under="ignore"):
        decision = make_stopper(each, goal, Guards(min_finished=1)).decide(running, FinishedCurves(finished))
    if decision is not None:
        assert math.isfinite(decision.value)
        assert math.isfinite(decision.threshold)
        assert goal.is_better(decision.threshold, decision.value)
        assert decision.step == running[-1].step


def test_a_decision_among_a_thousand_trials_takes_little_time(name: str) -> None:
    random = np.random.default_rng(0)
    finished = FinishedCurves([falling(level, epochs=50) for level in random.uniform(0, 1, 1000).tolist()])
    stopper = make_stopper(name, Goal.MINIMIZE)
    stopper.decide(falling(0.5)[:20], finished)
    began = time.process_time()
    for count in range(20, 30):
        stopper.decide(falling(0.9, epochs=50)[:count], finished)
    assert (time.process_time() - began) / 10 < 0.1
