"""The median rule, by numbers worked out by hand."""

import math
from itertools import permutations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tuning.stopping import FinishedCurves, Guards, StopDecision, make_stopper
from tuning.stopping.median import MedianStoppingRule
from tuning.trials import Goal, Point


def curve(*values: float, every: int = 1) -> list[Point]:
    """A curve that reports at steps `every`, 2 x `every`, ..."""
    return [Point(every * i, value) for i, value in enumerate(values, start=1)]


# Running averages at step 1: 1, 2, 3, 4, 5; at step 2: 2, 3, 4, 5, 6; at step 3: 3, 4, 5, 6, 7.
FIVE = [curve(1, 3, 5), curve(2, 4, 6), curve(3, 5, 7), curve(4, 6, 8), curve(5, 7, 9)]


@pytest.mark.parametrize(
    ("goal", "running", "threshold"),
    [
        (Goal.MAXIMIZE, (1, 3.9), 4.0),
        (Goal.MAXIMIZE, (3.9, 1), 4.0),  # the best so far counts, not the last
        (Goal.MAXIMIZE, (1, 4.0), None),  # as good as the median is good enough
        (Goal.MAXIMIZE, (4.1, 0), None),
        (Goal.MAXIMIZE, (1, 2, 4.9), 5.0),  # a later step has a later median
        (Goal.MAXIMIZE, (1, 2, 5.0), None),
        (Goal.MINIMIZE, (9, 4.1), 4.0),
        (Goal.MINIMIZE, (9, 4.0), None),
        (Goal.MINIMIZE, (3.9, 9), None),
    ],
)
def test_a_trial_worse_than_the_median_average_is_stopped(
    goal: Goal, running: tuple[float, ...], threshold: float | None
) -> None:
    decision = MedianStoppingRule(goal).decide(curve(*running), FinishedCurves(FIVE))
    if threshold is None:
        assert decision is None
    else:
        best = max(running) if goal is Goal.MAXIMIZE else min(running)
        assert decision == StopDecision("median", len(running), best, threshold, 5)


def test_an_even_number_of_peers_takes_the_mean_of_the_middle_two() -> None:
    rule = MedianStoppingRule(Goal.MAXIMIZE)
    six = [*FIVE, curve(6, 8, 10)]
    decision = rule.decide(curve(0, 4.4), FinishedCurves(six))
    assert decision is not None
    assert (decision.threshold, decision.peers) == (4.5, 6)
    assert rule.decide(curve(0, 4.5), FinishedCurves(six)) is None


def test_a_trainer_that_reports_once_is_never_stopped() -> None:
    rule = make_stopper("MEDIAN", Goal.MAXIMIZE)
    assert rule.decide([Point(3, -100.0)], FinishedCurves(FIVE)) is None
    assert rule.decide([], FinishedCurves(FIVE)) is None
    assert rule.decide(curve(-100, -100), FinishedCurves(FIVE)) is not None


def test_too_few_finished_trials_stop_nothing() -> None:
    rule = MedianStoppingRule(Goal.MAXIMIZE)
    assert rule.decide(curve(-100, -100), FinishedCurves()) is None
    assert rule.decide(curve(-100, -100), FinishedCurves(FIVE[:4])) is None
    fewer = make_stopper("MEDIAN", Goal.MAXIMIZE, Guards(min_finished=4))
    assert fewer.decide(curve(-100, -100), FinishedCurves(FIVE[:4])) is not None


def test_no_trial_is_stopped_before_the_first_allowed_step() -> None:
    rule = make_stopper("MEDIAN", Goal.MAXIMIZE, Guards(grace_steps=3))
    assert rule.decide(curve(-100, -100), FinishedCurves(FIVE)) is None
    assert rule.decide(curve(-100, -100, -100), FinishedCurves(FIVE)) is not None


def test_trials_compare_by_the_trainers_step_not_by_the_count_of_reports() -> None:
    """Peers report every 10 steps and average 1.5 by step 20; the runner's 20 reports end at step 20."""
    peers = [curve(1, 2, 100, 100, every=10) for _ in range(5)]
    rule = MedianStoppingRule(Goal.MAXIMIZE)
    assert rule.decide(curve(*[1.6] * 20), FinishedCurves(peers)) is None
    assert rule.decide(curve(*[1.4] * 20), FinishedCurves(peers)) == StopDecision("median", 20, 1.4, 1.5, 5)
    # Between two reports of a peer, what it had by then counts.
    assert rule.decide(curve(*[0.9] * 19), FinishedCurves(peers)) == StopDecision("median", 19, 0.9, 1.0, 5)


def test_trials_that_ended_before_the_step_or_start_after_it_are_no_peers() -> None:
    rule = MedianStoppingRule(Goal.MAXIMIZE)
    late = [[Point(5, 9.0), Point(6, 9.0)]]
    short = [curve(9, 9)]
    empty: list[list[Point]] = [[]]
    for others in (late, short, empty):
        assert rule.decide(curve(0, 0, 0), FinishedCurves(FIVE[:4] + others)) is None
    assert rule.decide(curve(0, 0, 0, 0), FinishedCurves(FIVE)) is None  # it outlives them all


def test_the_order_of_points_and_trials_does_not_matter() -> None:
    rule = MedianStoppingRule(Goal.MAXIMIZE)
    expected = rule.decide(curve(1, 2, 3), FinishedCurves(FIVE))
    assert expected is not None
    for running in permutations(curve(1, 2, 3)):
        assert (
            rule.decide(running, FinishedCurves(list(reversed(peer)) for peer in reversed(FIVE))) == expected
        )


def test_a_step_reported_again_counts_once_with_its_later_value() -> None:
    rule = MedianStoppingRule(Goal.MAXIMIZE)
    assert rule.decide([Point(1, 9.0), Point(1, 0.0), Point(2, 0.0)], FinishedCurves(FIVE)) is not None
    # One step is one report.
    assert (
        make_stopper("MEDIAN", Goal.MAXIMIZE).decide([Point(1, 9.0), Point(1, 0.0)], FinishedCurves(FIVE))
        is None
    )


def test_curves_kept_between_decisions_give_the_same_decisions() -> None:
    rule = MedianStoppingRule(Goal.MAXIMIZE)
    kept = FinishedCurves()
    for count, peer in enumerate(FIVE, start=1):
        kept.add(peer)
        for running in (curve(0, 0), curve(4, 4), curve(0, 0, 0)):
            assert rule.decide(running, kept) == rule.decide(running, FinishedCurves(FIVE[:count]))


finite = st.floats(allow_nan=False, allow_infinity=False)
curves = st.lists(finite, min_size=1, max_size=6).map(lambda values: curve(*values))


@given(st.sampled_from(Goal), curves, st.lists(curves, max_size=8))
def test_a_decision_holds_finite_numbers_that_justify_it(
    goal: Goal, running: list[Point], finished: list[list[Point]]
) -> None:
    decision = MedianStoppingRule(goal, min_peers=1).decide(running, FinishedCurves(finished))
    if decision is not None:
        assert math.isfinite(decision.threshold)
        assert goal.is_better(decision.threshold, decision.value)
        assert 1 <= decision.peers <= len(finished)


@example(Goal.MAXIMIZE, -5e-324, 2, 2)  # half of the smallest double is 0
@given(st.sampled_from(Goal), finite, st.integers(1, 9), st.integers(2, 9))
def test_a_trial_just_as_good_as_all_others_is_never_stopped(
    goal: Goal, value: float, trials: int, points: int
) -> None:
    rule = MedianStoppingRule(goal, min_peers=1)
    assert (
        rule.decide(curve(*[value] * points), FinishedCurves(curve(*[value] * 9) for _ in range(trials)))
        is None
    )


@pytest.mark.parametrize(
    "guard", [{"min_finished": 0}, {"min_points": 0}, {"grace_steps": -1}, {"grace_seconds": float("nan")}]
)
def test_guards_out_of_their_range_are_refused(guard: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="or more"):
        Guards(**guard)
