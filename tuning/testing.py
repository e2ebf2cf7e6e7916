"""What every suggester promises, as tests: for those here, and for your own.

    from tuning.testing import SuggesterContract

    class TestMine(SuggesterContract):
        def make(self, space, goal, seed):
            return Mine(space, goal, seed)

pytest runs the suite on it, over spaces of all kinds. What an algorithm can't do it says in the class's
attributes. Needs pytest, which nothing else here does.
"""

from collections.abc import Mapping
from itertools import pairwise

import pytest

from tuning.space import Categorical, Discrete, Double, Integer, Scale, Space, Value
from tuning.suggest import Suggester, make_suggester
from tuning.trials import FinishedTrial, Goal, Outcome, PendingTrial, Point

SMALL: Mapping[str, Space] = {
    "one point": Space((Integer("n", 5, 5), Double("x", 0.5, 0.5), Categorical("c", ("only",)))),
    "integers": Space((Integer("n", 1, 4), Integer("m", -1, 1))),
    "all kinds": Space(
        (
            Integer("n", 1, 3, Scale.UNIT_LOG_SCALE),
            Discrete("batch", (32.0, 64.0), Scale.UNIT_LOG_SCALE),
            Categorical("first-layer", ("512 256", "64")),
            Double("fixed", 1e-3, 1e-3, Scale.UNIT_LOG_SCALE),
        )
    ),
    "very skewed": Space((Integer("n", 1, 30, Scale.UNIT_REVERSE_LOG_SCALE),)),
}
"""Spaces that a search comes to the end of."""
VAST: Mapping[str, Space] = {"vast": Space(tuple(Integer(f"n{i}", -(2**53), 2**53) for i in range(24)))}
CONTINUOUS: Mapping[str, Space] = {
    "double": Space((Double("x", -5.0, 5.0),)),
    "mixed": Space(
        (
            Double("lr", 1e-5, 1.0, Scale.UNIT_LOG_SCALE),
            Integer("layers", 1, 8, Scale.UNIT_LINEAR_SCALE),
            Discrete("batch", (32.0, 64.0, 128.0)),
            Categorical("opt", ("adam", "sgd")),
        )
    ),
    "extreme": Space(
        (
            Double("log", 1e-12, 1e12, Scale.UNIT_LOG_SCALE),
            Double("reverse", 1e-12, 1e12, Scale.UNIT_REVERSE_LOG_SCALE),
            Double("negative", -1e12, -1e-12),
            Double("point", 3.0, 3.0),
            Integer("wide", -(2**53), 2**53),
            Integer("wide log", 1, 2**53, Scale.UNIT_LOG_SCALE),
            Integer("wide reverse", 1, 2**53, Scale.UNIT_REVERSE_LOG_SCALE),
            Discrete("discrete", (-1e300, 0.0, 1e300)),
        )
    ),
    "wide integers": Space(
        (
            Double("x", 0.0, 1.0),
            Integer("just modelled whole", 1, 9_999, Scale.UNIT_REVERSE_LOG_SCALE),
            Integer("just modelled continuous", 1, 10_000, Scale.UNIT_LOG_SCALE),
            Integer("linear", -5_000, 4_998),
        )
    ),
    "two neighbours": Space((Double("x", 1.0, 1.0000000000000002),)),
}
SPACES = {**SMALL, **VAST, **CONTINUOUS}
LARGE = ("vast", "double", "mixed", "extreme", "wide integers")
LEARNED = 16
"""With a history of so many trials every algorithm here does what it does once it knows something."""
PLAIN = {Integer: int, Categorical: str, Double: float, Discrete: float}


def finished(
    number: int, point: Mapping[str, Value], value: float | None, outcome: Outcome = Outcome.COMPLETED
) -> FinishedTrial:
    """A trial that has ended so."""
    return FinishedTrial(number, dict(point), outcome, value)


def objective(point: Mapping[str, Value], space: Space) -> float:
    """A bowl over the unit cube."""
    return sum((u - 0.3) ** 2 for u in space.to_unit(point))


def some_history(space: Space, length: int) -> list[FinishedTrial]:
    """A history with every outcome in it, most trials completed."""
    history = []
    points = make_suggester("RANDOM_SEARCH", space, Goal.MINIMIZE, 99).suggest([], [], length)
    for number, point in enumerate(points):
        value = objective(point, space)
        if number % 7 == 3:
            history.append(finished(number, point, None, Outcome.FAILED))
        elif number % 7 == 5:
            curve = (Point(1, value), Point(2, value / 2))
            history.append(FinishedTrial(number, point, Outcome.STOPPED_EARLY, value / 2, curve))
        else:
            history.append(finished(number, point, value))
    return history


def run_alone(suggester: Suggester, space: Space, trials: int) -> list[FinishedTrial]:
    """Ask for one trial at a time and tell its objective, until the trials are done or the space is."""
    history: list[FinishedTrial] = []
    while len(history) < trials and (points := suggester.suggest(history, [], 1)):
        history.append(finished(len(history), points[0], objective(points[0], space)))
    return history


class SuggesterContract:
    """Subclass it, say how yours is made, and pytest does the rest."""

    searches_doubles = True
    """Whether it can search continuous ranges."""
    ends = False
    """Whether it has no more to suggest at the end of a finite space, instead of repeating points."""
    seeded = True
    """Whether another seed gives other points."""

    def make(self, space: Space, goal: Goal, seed: int) -> Suggester:
        """A new suggester."""
        raise NotImplementedError

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        known = [name for name in SPACES if self.searches_doubles or name not in CONTINUOUS]
        for argument, names in {"any_space": known, "small": list(SMALL), "large": LARGE}.items():
            if argument in metafunc.fixturenames:
                metafunc.parametrize(argument, [name for name in names if name in known])

    def of(self, space: Space, seed: int = 7) -> Suggester:
        """One for a space, with a goal that is the same for all tests."""
        return self.make(space, Goal.MINIMIZE, seed)

    def test_points_are_in_bounds_and_of_plain_types(self, any_space: str) -> None:
        space = SPACES[any_space]
        for trial in run_alone(self.of(space), space, LEARNED):
            assert space.contains(trial.values)
            assert list(trial.values) == list(space.names)
            for parameter in space.parameters:
                assert type(trial.values[parameter.name]) is PLAIN[type(parameter)]

    def test_a_finite_space_is_covered_before_anything_repeats(self, small: str) -> None:
        space = SPACES[small]
        assert space.size is not None
        history = run_alone(self.of(space), space, space.size)
        assert len({space.key(trial.values) for trial in history}) == space.size

    def test_a_batch_covers_a_finite_space_too(self, small: str) -> None:
        space = SPACES[small]
        assert space.size is not None
        batch = self.of(space).suggest([], [], space.size)
        assert len({space.key(point) for point in batch}) == space.size

    def test_pending_points_count_as_tried(self, small: str) -> None:
        space = SPACES[small]
        assert space.size is not None
        suggester = self.of(space)
        pending: list[PendingTrial] = []
        for number in range(space.size):
            [point] = suggester.suggest([], pending, 1)
            pending.append(PendingTrial(number, point))
        assert len({space.key(trial.values) for trial in pending}) == space.size

    def test_points_that_failed_are_not_suggested_again(self, small: str) -> None:
        space = SPACES[small]
        assert space.size is not None
        points = [space.at(position) for position in range(space.size)]
        history = [finished(i, point, None, Outcome.FAILED) for i, point in enumerate(points[1:])]
        assert self.of(space).suggest(history, [], 1) == points[:1]

    def test_an_exhausted_space_ends_it_or_repeats(self, small: str) -> None:
        space = SPACES[small]
        assert space.size is not None
        history = [finished(i, space.at(i), float(i)) for i in range(space.size)]
        points = self.of(space).suggest(history, [], 3)
        assert len(points) == (0 if self.ends else 3)
        assert all(space.contains(point) for point in points)

    @pytest.mark.parametrize("count", [0, 1, 3])
    def test_the_count_is_honoured(self, any_space: str, count: int) -> None:
        space = SPACES[any_space]
        points = self.of(space).suggest([], [], count)
        assert len(points) <= count
        if space.size is not None:
            count = min(count, space.size) if self.ends else count
        assert len(points) == count or (self.ends and space.size is None)

    @pytest.mark.parametrize("length", [1, LEARNED])
    @pytest.mark.parametrize(
        "kind", ["all failed", "all equal", "no objective", "all stopped", "huge", "every outcome"]
    )
    def test_any_history_is_answered(self, any_space: str, kind: str, length: int) -> None:
        space = SPACES[any_space]
        history = some_history(space, length)
        if kind == "all failed":
            history = [finished(t.number, t.values, None, Outcome.FAILED) for t in history]
        elif kind == "all equal":
            history = [finished(t.number, t.values, 1.0) for t in history]
        elif kind == "no objective":
            history = [finished(t.number, t.values, None) for t in history]
        elif kind == "all stopped":
            history = [finished(t.number, t.values, 2.0, Outcome.STOPPED_EARLY) for t in history]
        elif kind == "huge":
            history = [finished(t.number, t.values, (-1) ** t.number * 1e308) for t in history]
        pending = [PendingTrial(length, space.draw([0.5] * len(space.names)))]
        points = self.of(space).suggest(history, pending, 1)
        assert all(space.contains(point) for point in points)
        assert len(points) == 1 or self.ends

    def test_trials_of_another_space_teach_nothing_and_break_nothing(self, any_space: str) -> None:
        space = SPACES[any_space]
        foreign = [finished(i, {"elsewhere": i}, float(i)) for i in range(LEARNED)]
        pending = [PendingTrial(LEARNED, {space.names[0]: "not a value"})]
        points = self.of(space).suggest(foreign, pending, 1)
        assert len(points) == 1
        assert space.contains(points[0])

    @pytest.mark.parametrize("length", [0, LEARNED])
    def test_parallel_suggestions_differ(self, large: str, length: int) -> None:
        space = SPACES[large]
        batch = self.of(space).suggest(some_history(space, length), [], 5)
        assert len({space.key(point) for point in batch}) == 5

    @pytest.mark.parametrize("length", [0, LEARNED])
    def test_a_batch_is_what_asking_one_by_one_gives(self, any_space: str, length: int) -> None:
        space = SPACES[any_space]
        history = some_history(space, length)
        pending: list[PendingTrial] = []
        for number in range(length, length + 3):
            pending += [PendingTrial(number, p) for p in self.of(space).suggest(history, pending, 1)]
        assert self.of(space).suggest(history, [], 3) == [trial.values for trial in pending]

    def test_a_warm_instance_answers_as_a_fresh_one(self, any_space: str) -> None:
        """Whatever was asked before, in whatever order: growing, shrinking and unrelated histories."""
        space = SPACES[any_space]
        warm = self.of(space)
        long = some_history(space, LEARNED + 2)
        changed = [*long[:10], finished(10, long[10].values, -1.0), *long[11:]]
        same_numbers = [finished(t.number, t.values, float(t.number)) for t in reversed(long)]
        pending = [PendingTrial(LEARNED + 2, long[0].values)]
        for history in (long[:12], long, changed, long[:14], same_numbers, [], long):
            fresh = self.of(space)
            assert warm.suggest(history, pending, 1) == fresh.suggest(list(history), list(pending), 1)

    def test_the_same_seed_repeats_a_run(self, any_space: str) -> None:
        space = SPACES[any_space]
        assert run_alone(self.of(space), space, 12) == run_alone(self.of(space), space, 12)

    @pytest.mark.parametrize("length", [0, LEARNED])
    def test_different_seeds_differ(self, large: str, length: int) -> None:
        space = SPACES[large]
        history = some_history(space, length)
        seeds = [0, 1, 2, 2**32, 2**64]
        # Some begin with one point for all seeds, or agree where the best lies.
        answers = [self.of(space, seed).suggest(history, [], 3) for seed in seeds]
        if self.seeded:
            assert len({tuple(map(space.key, points)) for points in answers}) == len(seeds)
        else:
            assert answers == [answers[0]] * len(seeds)

    def test_successive_suggestions_differ(self, large: str) -> None:
        space = SPACES[large]
        history = run_alone(self.of(space), space, LEARNED)
        assert all(left.values != right.values for left, right in pairwise(history))

    def test_the_goal_is_the_end_that_counts(self) -> None:
        """What goes down for one goal and up for the other is the same question."""
        space = SPACES["integers"]
        down = some_history(space, 10)
        up = [
            finished(t.number, t.values, None if t.objective is None else -t.objective, t.outcome)
            for t in down
            if t.outcome is not Outcome.STOPPED_EARLY
        ]
        down = [t for t in down if t.outcome is not Outcome.STOPPED_EARLY]
        suggested = self.make(space, Goal.MINIMIZE, 3).suggest(down, [], 2)
        assert self.make(space, Goal.MAXIMIZE, 3).suggest(up, [], 2) == suggested

    def test_arguments_are_left_as_they_were(self) -> None:
        space = SPACES["integers"]
        history, pending = some_history(space, 11), [PendingTrial(11, {"n": 1, "m": 1})]
        copies = list(history), list(pending)
        self.of(space).suggest(history, pending, 2)
        assert (history, pending) == copies

    def test_it_says_what_it_is(self) -> None:
        suggester = self.of(SPACES["integers"])
        assert suggester.algorithm
        assert suggester.version
