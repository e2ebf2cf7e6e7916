"""What every suggester promises, whatever its algorithm: one suite for all of them.

A new algorithm joins by being added to ALGORITHMS in tuning/suggest; the suite then runs on it.
"""

from collections.abc import Sequence
from itertools import pairwise

import pytest

from tuning.space import Categorical, Discrete, Double, Integer, Scale, Space, Value
from tuning.suggest import ALGORITHMS, Suggester, make_suggester
from tuning.trials import FinishedTrial, Goal, Outcome, PendingTrial, Point

FINITE = {
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
    "vast": Space(tuple(Integer(f"n{i}", -(2**53), 2**53) for i in range(24))),
}
CONTINUOUS = {
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
SPACES = FINITE | CONTINUOUS
# DEFAULT and ALGORITHM_UNSPECIFIED are names of GAUSSIAN_PROCESS; see the test of names below.
NAMES = sorted({make_suggester(name, FINITE["integers"], Goal.MINIMIZE, 0).algorithm for name in ALGORITHMS})
LARGE = ["vast", "double", "mixed", "extreme", "wide integers"]


def pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Every algorithm with each of the named spaces that it can search."""
    return [(a, name) for a in NAMES for name in names if a != "GRID_SEARCH" or name in FINITE]


on_all_spaces = pytest.mark.parametrize(("algorithm", "name"), pairs(list(SPACES)))
on_finite_spaces = pytest.mark.parametrize(
    ("algorithm", "name"), pairs(["one point", "integers", "all kinds", "very skewed"])
)
on_large_spaces = pytest.mark.parametrize(("algorithm", "name"), pairs(LARGE))


def make(algorithm: str, space: Space, seed: int = 7) -> Suggester:
    return make_suggester(algorithm, space, Goal.MINIMIZE, seed)


def objective(point: dict[str, Value], space: Space) -> float:
    return sum((u - 0.3) ** 2 for u in space.to_unit(point))


def finished(
    number: int, point: dict[str, Value], value: float | None, outcome: Outcome = Outcome.COMPLETED
) -> FinishedTrial:
    return FinishedTrial(number, point, outcome, value)


def some_history(space: Space, length: int) -> list[FinishedTrial]:
    """A history with every outcome in it, most trials completed."""
    history = []
    for number, point in enumerate(make("RANDOM_SEARCH", space, 99).suggest([], [], length)):
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


@on_all_spaces
def test_points_are_in_bounds_and_of_plain_types(algorithm: str, name: str) -> None:
    space = SPACES[name]
    for trial in run_alone(make(algorithm, space), space, 25):
        assert space.contains(trial.values)
        assert list(trial.values) == list(space.names)
        for parameter in space.parameters:
            expected = {Integer: int, Categorical: str}.get(type(parameter), float)
            assert type(trial.values[parameter.name]) is expected


@on_finite_spaces
def test_a_finite_space_is_covered_before_anything_repeats(algorithm: str, name: str) -> None:
    space = SPACES[name]
    assert space.size is not None
    history = run_alone(make(algorithm, space), space, space.size)
    assert len({space.key(trial.values) for trial in history}) == space.size


@on_finite_spaces
def test_a_batch_covers_a_finite_space_too(algorithm: str, name: str) -> None:
    space = SPACES[name]
    assert space.size is not None
    batch = make(algorithm, space).suggest([], [], space.size)
    assert len({space.key(point) for point in batch}) == space.size


@on_finite_spaces
def test_pending_points_count_as_tried(algorithm: str, name: str) -> None:
    space = SPACES[name]
    assert space.size is not None
    suggester = make(algorithm, space)
    pending: list[PendingTrial] = []
    for number in range(space.size):
        [point] = suggester.suggest([], pending, 1)
        pending.append(PendingTrial(number, point))
    assert len({space.key(trial.values) for trial in pending}) == space.size


@on_finite_spaces
def test_points_that_failed_are_not_suggested_again(algorithm: str, name: str) -> None:
    space = SPACES[name]
    assert space.size is not None
    points = [space.at(position) for position in range(space.size)]
    history = [finished(i, point, None, Outcome.FAILED) for i, point in enumerate(points[1:])]
    assert make(algorithm, space).suggest(history, [], 1) == points[:1]


@on_finite_spaces
def test_an_exhausted_space_ends_a_grid_and_repeats_for_the_others(algorithm: str, name: str) -> None:
    space = SPACES[name]
    assert space.size is not None
    history = [finished(i, space.at(i), float(i)) for i in range(space.size)]
    points = make(algorithm, space).suggest(history, [], 3)
    assert len(points) == (0 if algorithm == "GRID_SEARCH" else 3)
    assert all(space.contains(point) for point in points)


@on_all_spaces
@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_count_is_honoured(algorithm: str, name: str, count: int) -> None:
    space = SPACES[name]
    points = make(algorithm, space).suggest([], [], count)
    expected = min(count, space.size or count) if algorithm == "GRID_SEARCH" else count
    assert len(points) == expected


@on_all_spaces
@pytest.mark.parametrize("length", [1, 25])
@pytest.mark.parametrize(
    "kind", ["all failed", "all equal", "no objective", "all stopped", "huge", "every outcome"]
)
def test_any_history_is_answered(algorithm: str, name: str, kind: str, length: int) -> None:
    space = SPACES[name]
    history = some_history(space, length)
    if kind == "all failed":
        history = [finished(t.number, dict(t.values), None, Outcome.FAILED) for t in history]
    elif kind == "all equal":
        history = [finished(t.number, dict(t.values), 1.0) for t in history]
    elif kind == "no objective":
        history = [finished(t.number, dict(t.values), None) for t in history]
    elif kind == "all stopped":
        history = [finished(t.number, dict(t.values), 2.0, Outcome.STOPPED_EARLY) for t in history]
    elif kind == "huge":
        history = [finished(t.number, dict(t.values), (-1) ** t.number * 1e308) for t in history]
    points = make(algorithm, space).suggest(
        history, [PendingTrial(length, space.draw([0.5] * len(space.names)))], 2
    )
    assert all(space.contains(point) for point in points)
    assert len(points) == 2 or algorithm == "GRID_SEARCH"


@on_all_spaces
def test_trials_of_another_space_teach_nothing_and_break_nothing(algorithm: str, name: str) -> None:
    space = SPACES[name]
    foreign = [finished(i, {"elsewhere": i}, float(i)) for i in range(15)]
    pending = [PendingTrial(15, {space.names[0]: "not a value"})]
    points = make(algorithm, space).suggest(foreign, pending, 1)
    assert len(points) == 1
    assert space.contains(points[0])


@on_large_spaces
@pytest.mark.parametrize("length", [0, 20])
def test_parallel_suggestions_differ(algorithm: str, name: str, length: int) -> None:
    space = SPACES[name]
    batch = make(algorithm, space).suggest(some_history(space, length), [], 8)
    assert len({space.key(point) for point in batch}) == 8


@on_all_spaces
@pytest.mark.parametrize("length", [0, 20])
def test_a_batch_is_what_asking_one_by_one_gives(algorithm: str, name: str, length: int) -> None:
    space = SPACES[name]
    history = some_history(space, length)
    pending: list[PendingTrial] = []
    for number in range(length, length + 3):
        pending += [PendingTrial(number, p) for p in make(algorithm, space).suggest(history, pending, 1)]
    assert make(algorithm, space).suggest(history, [], 3) == [trial.values for trial in pending]


@on_all_spaces
def test_a_warm_instance_answers_as_a_fresh_one(algorithm: str, name: str) -> None:
    """Whatever was asked before, in whatever order: growing, shrinking and unrelated histories."""
    space = SPACES[name]
    warm = make(algorithm, space)
    long = some_history(space, 30)
    changed = [*long[:10], finished(10, dict(long[10].values), -1.0), *long[11:]]
    same_numbers = [finished(t.number, dict(t.values), float(t.number)) for t in reversed(long)]
    pending = [PendingTrial(30, long[0].values)]
    for history in (long[:12], long, long[:20], changed, long, same_numbers, [], long):
        fresh = make(algorithm, space)
        assert warm.suggest(history, pending, 2) == fresh.suggest(list(history), list(pending), 2)


@on_all_spaces
def test_the_same_seed_repeats_a_run(algorithm: str, name: str) -> None:
    space = SPACES[name]
    assert run_alone(make(algorithm, space), space, 15) == run_alone(make(algorithm, space), space, 15)


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("algorithm", [name for name in NAMES if name != "GRID_SEARCH"])  # it has one order
@pytest.mark.parametrize("length", [0, 20])
def test_different_seeds_differ(algorithm: str, name: str, length: int) -> None:
    space = SPACES[name]
    history = some_history(space, length)
    seeds = [0, 1, 2, 2**32, 2**64]
    # Some begin with one point for all seeds.
    answers = [make(algorithm, space, seed).suggest(history, [], 2)[1] for seed in seeds]
    assert len({space.key(point) for point in answers}) == len(seeds)


@on_large_spaces
def test_successive_suggestions_differ(algorithm: str, name: str) -> None:
    space = SPACES[name]
    history = run_alone(make(algorithm, space), space, 15)
    assert all(left.values != right.values for left, right in pairwise(history))


@pytest.mark.parametrize("algorithm", NAMES)
def test_arguments_are_left_as_they_were(algorithm: str) -> None:
    space = SPACES["integers"]
    history, pending = some_history(space, 11), [PendingTrial(11, {"n": 1, "m": 1})]
    copies = list(history), list(pending)
    make(algorithm, space).suggest(history, pending, 2)
    assert (history, pending) == copies


@pytest.mark.parametrize(
    ("asked", "answers"),
    [
        ("DEFAULT", "GAUSSIAN_PROCESS"),
        ("ALGORITHM_UNSPECIFIED", "GAUSSIAN_PROCESS"),
        ("GAUSSIAN_PROCESS", "GAUSSIAN_PROCESS"),
        ("TPE", "TPE"),
        ("GRID_SEARCH", "GRID_SEARCH"),
        ("RANDOM_SEARCH", "RANDOM_SEARCH"),
    ],
)
def test_a_suggester_says_what_it_is(asked: str, answers: str) -> None:
    suggester = make(asked, SPACES["integers"])
    assert suggester.algorithm == answers
    assert suggester.version


def test_an_unknown_algorithm_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        ValueError, match=r"'HYPERBAND'.*DEFAULT.*GAUSSIAN_PROCESS.*GRID_SEARCH.*RANDOM_SEARCH.*TPE"
    ):
        make("HYPERBAND", SPACES["integers"])


@pytest.mark.parametrize("algorithm", NAMES)
def test_a_negative_seed_is_refused(algorithm: str) -> None:
    with pytest.raises(ValueError, match="seed"):
        make(algorithm, SPACES["integers"], seed=-1)
