"""Each rule's own arithmetic, by numbers worked out by hand. The median rule has a file of its own."""

import math
import time

import pytest

from tuning.stopping import FinishedCurves, StopDecision, make_stopper
from tuning.stopping.asha import SuccessiveHalving
from tuning.stopping.curve_fitting import CurveFittingAssessor
from tuning.stopping.decay_curve import DecayCurvePrediction
from tuning.stopping.median_stop import MedianStopAssessor
from tuning.trials import Goal, Point


def curve(*values: float, every: int = 1) -> list[Point]:
    return [Point(every * n, value) for n, value in enumerate(values, start=1)]


class TestSuccessiveHalving:
    # Of nine trials, 1 is the best at step 1, and so on; quantile 1/3 of 1..9 is 3 2/3.
    ENDED = FinishedCurves([curve(float(n), float(n), 10.0 - n) for n in range(1, 10)])

    @pytest.mark.parametrize(("own", "stopped"), [(3.0, False), (3.6, False), (3.7, True), (9.0, True)])
    def test_the_best_third_goes_on(self, own: float, stopped: bool) -> None:
        decision = SuccessiveHalving(Goal.MINIMIZE).decide(curve(own, own), self.ENDED)
        expected = StopDecision("asha", 2, own, pytest.approx(1 + 8 / 3), 9)  # type: ignore[arg-type]
        assert decision == (expected if stopped else None)

    def test_a_trial_is_judged_by_what_it_showed_at_its_last_rung(self) -> None:
        rule = SuccessiveHalving(Goal.MINIMIZE)
        # At step 2 the rung of step 1 counts, at step 3 its own, where the order has turned.
        assert rule.decide(curve(1.0, 99.0), self.ENDED) is None
        assert rule.decide(curve(1.0, 99.0, 9.0), self.ENDED) is not None
        assert rule.decide(curve(9.0, 9.0, 1.0), self.ENDED) is None

    def test_rungs_stand_at_the_first_and_at_powers_of_the_factor(self) -> None:
        ended = FinishedCurves([curve(*[float(n)] * 9) for n in range(9)])
        late = SuccessiveHalving(Goal.MINIMIZE, first_rung=4, reduction_factor=2)
        assert late.decide(curve(9, 9, 9), ended) is None
        assert late.decide(curve(9, 9, 9, 9), ended) is not None
        assert late.decide(curve(9, 9, 9, 0, 9, 9, 9), ended) is None
        assert late.decide(curve(9, 9, 9, 0, 9, 9, 9, 9), ended) is not None

    @pytest.mark.parametrize("factor", [1.1, 1.4, 1.5, 2.0, 2.7, 3.0, 10.0, 1e6])
    @pytest.mark.parametrize("first", [1, 4, 100])
    def test_rungs_are_found_where_counting_them_one_by_one_finds_them(
        self, first: int, factor: float
    ) -> None:
        rungs = [float(first)]
        while rungs[-1] < 5000:
            rungs.append(max(rungs[-1] * factor, rungs[-1] + 1.0))
        rule = SuccessiveHalving(Goal.MINIMIZE, first, factor)
        for step in range(first, 3000):
            assert rule._rung(step) == max(round(rung) for rung in rungs if round(rung) <= step)

    @pytest.mark.parametrize("factor", [math.nextafter(1.0, 2.0), 1.0 + 1e-9, 1.0 + 1e-5])
    def test_rungs_that_are_very_many_are_not_counted(self, factor: float) -> None:
        rule = SuccessiveHalving(Goal.MINIMIZE, 1, factor)
        began = time.process_time()
        for step in (10**6, 2 * 10**6, 2**63 - 1):
            assert 0.999 * step <= rule._rung(step) <= step
        assert time.process_time() - began < 0.1

    def test_running_trials_are_peers_too(self) -> None:
        beside = [curve(1.0, 1.0), curve(2.0, 2.0), curve(3.0)]
        rule = SuccessiveHalving(Goal.MINIMIZE)
        assert rule.decide(curve(9.0), FinishedCurves(), beside[:1]) is None
        found = rule.decide(curve(9.0), FinishedCurves(), beside)
        assert found is not None
        assert found.peers == 3

    @pytest.mark.parametrize(
        "arguments", [{"first_rung": 0}, {"reduction_factor": 1.0}, {"reduction_factor": math.nan}]
    )
    def test_arguments_out_of_their_range_are_refused(self, arguments: dict[str, float]) -> None:
        with pytest.raises(ValueError, match="above 1"):
            SuccessiveHalving(Goal.MINIMIZE, **arguments)  # type: ignore[arg-type]


class TestMedianStop:
    ENDED = FinishedCurves([curve(n, n, n, every=10) for n in (1.0, 2.0, 3.0, 4.0)])

    def test_trials_compare_by_counts_of_reports(self) -> None:
        rule = MedianStopAssessor(Goal.MAXIMIZE)
        assert rule.decide(curve(1.9, 1.9), self.ENDED) == StopDecision("medianstop", 2, 1.9, 2.0, 4)

    def test_of_an_even_number_the_worse_of_the_middle_two_counts(self) -> None:
        assert MedianStopAssessor(Goal.MAXIMIZE).decide(curve(2.0), self.ENDED) is None
        assert MedianStopAssessor(Goal.MINIMIZE).decide(curve(3.0), self.ENDED) is None
        assert MedianStopAssessor(Goal.MINIMIZE).decide(curve(3.1), self.ENDED) is not None

    def test_the_first_reports_are_not_judged(self) -> None:
        rule = MedianStopAssessor(Goal.MAXIMIZE, start_step=2)
        assert rule.decide(curve(0, 0), self.ENDED) is None
        assert rule.decide(curve(0, 0, 0), self.ENDED) is not None

    def test_stopped_trials_and_shorter_ones_are_no_peers(self) -> None:
        rule = MedianStopAssessor(Goal.MAXIMIZE)
        assert rule.decide(curve(0, 0, 0, 0), self.ENDED) is None
        stopped = FinishedCurves()
        stopped.add(curve(1, 1), completed=False)
        assert rule.decide(curve(0, 0), stopped) is None


def rising(level: float, count: int = 20, speed: float = 4.0) -> list[Point]:
    """An accuracy that rises from 0.1 to a level."""
    return [Point(n, level - (level - 0.1) * math.exp(-(n - 1) / speed)) for n in range(1, count + 1)]


class TestCurveFitting:
    ENDED = FinishedCurves([rising(level) for level in (0.5, 0.6, 0.7, 0.8, 0.9)])

    def test_the_curve_is_continued_to_the_last_step(self) -> None:
        """The way is from 0.1 to nearly 0.9; 95 % of it is the threshold."""
        found = CurveFittingAssessor(Goal.MAXIMIZE).decide(rising(0.7)[:12], self.ENDED)
        assert found is not None
        assert found.value == pytest.approx(rising(0.7)[-1].value, abs=0.05)
        assert found.threshold == pytest.approx(0.1 + 0.95 * (rising(0.9)[-1].value - 0.1), abs=1e-6)

    def test_a_trial_that_is_behind_and_will_be_ahead_goes_on(self) -> None:
        slow = rising(1.2, speed=14.0)
        assert slow[8].value < rising(0.9)[8].value
        assert CurveFittingAssessor(Goal.MAXIMIZE).decide(slow[:9], self.ENDED) is None

    def test_the_threshold_says_how_near_is_near_enough(self) -> None:
        assert CurveFittingAssessor(Goal.MAXIMIZE, threshold=0.7).decide(rising(0.7)[:12], self.ENDED) is None

    def test_as_many_reports_as_start_step_are_not_judged(self) -> None:
        rule = CurveFittingAssessor(Goal.MAXIMIZE, start_step=8)
        hopeless = [Point(n, 0.1) for n in range(1, 20)]
        assert rule.decide(hopeless[:8], self.ENDED) is None
        assert rule.decide(hopeless[:9], self.ENDED) is not None

    def test_between_two_multiples_of_the_gap_the_earlier_judgement_holds(self) -> None:
        rule = CurveFittingAssessor(Goal.MAXIMIZE, gap=5)
        found = [rule.decide(rising(0.5)[:count], self.ENDED) for count in (11, 12, 15, 16)]
        assert found[0] is not None
        assert found[0] == found[1] == found[2] != found[3]

    def test_a_curve_that_can_be_continued_in_many_ways_is_left_alone(self) -> None:
        jumpy = [Point(n, 0.3 + 0.3 * (n % 2) + 0.1 * math.sin(n * n)) for n in range(1, 9)]
        assert CurveFittingAssessor(Goal.MAXIMIZE).decide(jumpy, self.ENDED) is None

    @pytest.mark.parametrize(
        "arguments", [{"epoch_num": -1}, {"gap": 0}, {"threshold": 0.0}, {"start_step": -1}]
    )
    def test_arguments_out_of_their_range_are_refused(self, arguments: dict[str, int]) -> None:
        with pytest.raises(ValueError, match="or more"):
            CurveFittingAssessor(Goal.MAXIMIZE, **arguments)


class TestDecayCurve:
    ENDED = FinishedCurves(
        [rising(level) for level in (0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.72, 0.8, 0.85, 0.9)]
    )

    def test_it_predicts_where_the_trial_will_end(self) -> None:
        found = DecayCurvePrediction(Goal.MAXIMIZE).decide(rising(0.5)[:8], self.ENDED)
        assert found is not None
        assert found.value == pytest.approx(0.5, abs=0.05)
        assert found.predicted
        assert found.threshold == pytest.approx(rising(0.9)[-1].value)

    def test_a_smaller_probability_stops_later(self) -> None:
        def steps(probability: float) -> int:
            rule = DecayCurvePrediction(Goal.MAXIMIZE, probability=probability)
            return next(n for n in range(1, 20) if n == 19 or rule.decide(flat[:n], wandering))

        flat = curve(*[0.4] * 19)
        noises = [0.1 * math.sin(n * n) for n in range(12)]
        wandering = FinishedCurves(
            [curve(*[n / 12 + noises[n] * (19 - k) for k in range(1, 20)]) for n in range(12)]
        )
        assert steps(0.4) <= steps(0.05) <= steps(1e-6)
        assert steps(0.4) < steps(1e-6)

    def test_what_goes_on_after_the_middle_one_of_the_others_has_ended_is_left_alone(self) -> None:
        assert DecayCurvePrediction(Goal.MAXIMIZE).decide(rising(0.1, count=20), self.ENDED) is None

    def test_where_early_places_say_nothing_of_late_ones_nothing_is_stopped_early(self) -> None:
        """Odd trials begin well and end badly, even ones the other way round; the tenth is like either."""
        crossing = FinishedCurves(
            [curve(*[0.1 * n + (0.05 * k if n % 2 else -0.05 * k) for k in range(-9, 10)]) for n in range(9)]
        )
        found = DecayCurvePrediction(Goal.MINIMIZE).decide(curve(0.4, 0.42, 0.39), crossing)
        assert found is None

    @pytest.mark.parametrize("probability", [0.0, 0.6, math.nan])
    def test_a_probability_out_of_its_range_is_refused(self, probability: float) -> None:
        with pytest.raises(ValueError, match="at most"):
            DecayCurvePrediction(Goal.MAXIMIZE, probability=probability)


def test_an_unknown_rule_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match="'BEST'; known are MEDIAN, DECAY_CURVE, ASHA"):
        make_stopper("BEST", Goal.MINIMIZE)
