"""Which trials are kept where a rule would stop them, and what is made of how they end."""

from math import isfinite

import pytest

from tuning.stopping.audit import Fate, Judged, StoppingReport, is_kept, report
from tuning.trials import Goal


def whole(
    objective: float | None, fate: Fate = Fate.LET_RUN, steps: int = 100, seconds: float = 50.0
) -> Judged:
    return Judged(fate, objective, steps, seconds, whole=True)


def stopped(objective: float, steps: int, seconds: float) -> Judged:
    return Judged(Fate.STOPPED, objective, steps, seconds, whole=False)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
def test_as_many_are_kept_as_asked_and_always_the_same_ones(share: float) -> None:
    kept = [number for number in range(4000) if is_kept(7, number, share)]
    assert len(kept) == pytest.approx(4000 * share, abs=100 if 0 < share < 1 else 0)
    assert kept == [number for number in range(4000) if is_kept(7, number, share)]
    if 0 < share < 1:
        assert kept != [number for number in range(4000) if is_kept(8, number, share)]


def test_what_was_stopped_lacked_steps_and_time_of_what_ran_to_its_end() -> None:
    trials = [whole(0.9), whole(0.8), whole(0.7), stopped(0.2, 20, 10.0), stopped(0.3, 30, 60.0)]
    # 80 and 70 steps of 300 + 50 + 150; the second took longer than others did to their end.
    assert report(Goal.MAXIMIZE, trials) == StoppingReport(2, 0, 0, 0.0, 150 / 500, 40.0)


@pytest.mark.parametrize(("goal", "sign"), [(Goal.MAXIMIZE, 1.0), (Goal.MINIMIZE, -1.0)])
def test_a_stop_was_wrong_when_it_would_have_cost_the_best_trial(goal: Goal, sign: float) -> None:
    kept = [whole(sign * value, Fate.KEPT) for value in (0.5, 0.89, 0.95, 0.91)]
    found = report(goal, [whole(sign * 0.9), whole(sign * 0.1), *kept, stopped(sign * 0.2, 10, 1.0)])
    assert (found.stopped, found.kept, found.wrong) == (1, 4, 2)
    assert found.lost == pytest.approx(0.05)


def test_what_was_lost_is_a_number_however_large_objectives_are() -> None:
    assert isfinite(report(Goal.MAXIMIZE, [whole(-1.7e308), whole(1.7e308, Fate.KEPT)]).lost)


def test_a_stopped_trial_that_was_the_best_is_what_the_others_are_measured_by() -> None:
    found = report(Goal.MAXIMIZE, [whole(0.5), whole(0.8, Fate.KEPT), stopped(0.9, 10, 1.0)])
    assert (found.kept, found.wrong, found.lost) == (1, 0, 0.0)


def test_a_kept_trial_that_gave_nothing_says_nothing() -> None:
    failed = Judged(Fate.KEPT, None, None, 3.0, whole=False)
    assert report(Goal.MAXIMIZE, [whole(0.5), failed]) == StoppingReport(0, 0, 0, 0.0, 0.0, 0.0)


def test_where_nothing_ran_to_its_end_nothing_is_known_to_be_saved() -> None:
    assert report(Goal.MAXIMIZE, [stopped(0.9, 10, 1.0)]) == StoppingReport(1, 0, 0, 0.0, 0.0, 0.0)
    assert report(Goal.MAXIMIZE, []) == StoppingReport(0, 0, 0, 0.0, 0.0, 0.0)


def test_steps_below_zero_are_none_that_were_run() -> None:
    odd = whole(0.9, steps=-30)
    found = report(Goal.MAXIMIZE, [odd, whole(0.8, steps=10), whole(0.7, steps=10), stopped(0.2, 1, 10.0)])
    assert found.saved_steps == 9 / 30
