"""Spaces with rules: what is a point of one, and that every algorithm keeps to it."""

from itertools import product
from typing import Any

import pytest

from tuning.rules import Condition, RuledSpace, WholeSpace
from tuning.space import Categorical, Discrete, Double, Integer, Scale, Space, Value
from tuning.suggest import ALGORITHMS, Suggester, make_suggester
from tuning.trials import FinishedTrial, Goal, Outcome, PendingTrial

SMALL = RuledSpace(
    (Categorical("opt", ("adam", "sgd")), Integer("nesterov", 0, 1), Discrete("batch", (32.0, 64.0, 128.0))),
    {"nesterov": (Condition("opt", ("sgd",)),)},
    ((Condition("opt", ("adam",)), Condition("batch", low=100.0)),),
)
"""adam with 32 and 64; sgd with both of nesterov and three batches: 8 points of 12."""
CHAIN = RuledSpace(
    (
        Categorical("model", ("linear", "network")),
        Double("decay", 1e-6, 1.0, Scale.UNIT_LOG_SCALE),
        Integer("layers", 1, 4),
        Double("dropout", 0.0, 0.9),
        Integer("width", 8, 512, Scale.UNIT_LOG_SCALE),
    ),
    {
        "decay": (Condition("model", ("linear",)),),
        "layers": (Condition("model", ("network",)),),
        "dropout": (Condition("layers", low=3),),
        "width": (Condition("model", ("network",)),),
    },
    ((Condition("width", low=300), Condition("layers", low=4)), (Condition("dropout", high=0.1),)),
)
NAMES = sorted(set(ALGORITHMS) - {"DEFAULT", "ALGORITHM_UNSPECIFIED", "BATCH"})
ON_CHAIN = [name for name in NAMES if name != "GRID_SEARCH"]


def make(name: str, space: Space, seed: int = 3) -> Suggester:
    return make_suggester(name, space, Goal.MINIMIZE, seed)


def loss(point: dict[str, Any]) -> float:
    """Least at the border of what is forbidden."""
    if point["model"] == "linear":
        return float(1.0 + point["decay"])
    return float(abs(point["layers"] - 4) + abs(point["width"] - 320) / 100 + point.get("dropout", 0.0))


@pytest.mark.parametrize(
    ("point", "is_one"),
    [
        ({"opt": "adam", "batch": 64.0}, True),
        ({"opt": "sgd", "nesterov": 1, "batch": 128.0}, True),
        ({"opt": "adam", "batch": 128.0}, False),
        ({"opt": "adam", "nesterov": 1, "batch": 64.0}, False),
        ({"opt": "sgd", "batch": 64.0}, False),
        ({"opt": "sgd", "nesterov": 2, "batch": 64.0}, False),
        ({"opt": "sgd", "nesterov": 1, "batch": 64.0, "more": 1}, False),
        ({}, False),
    ],
)
def test_a_point_has_the_active_parameters_and_no_others(point: dict[str, Value], is_one: bool) -> None:
    assert SMALL.contains(point) is is_one


def test_what_is_not_active_calls_for_nothing() -> None:
    whole: dict[str, Value] = {"model": "linear", "decay": 0.1, "layers": 4, "dropout": 0.5, "width": 8}
    assert CHAIN.active(whole) == {"model": "linear", "decay": 0.1}
    assert not CHAIN.contains({"model": "linear", "decay": 0.1, "dropout": 0.5})


def test_the_points_that_are_left_are_counted_and_numbered() -> None:
    assert SMALL.size == 8
    points = [SMALL.at(position) for position in range(8)]
    assert all(SMALL.contains(point) for point in points)
    assert [SMALL.position(point) for point in points] == list(range(8))
    assert CHAIN.size is None


def test_a_whole_point_rests_where_it_is_not_active() -> None:
    whole = SMALL.whole
    values = [
        {"opt": o, "nesterov": n, "batch": b} for o, n, b in product(("adam", "sgd"), (0, 1), (32.0, 128.0))
    ]
    for each in values:
        assert whole.settled(whole.settled(each)) == whole.settled(each)
        assert SMALL.active(each) == SMALL.active(whole.settled(each))
    assert sum(whole.contains(each) for each in values) == 5
    assert isinstance(whole, WholeSpace)


@pytest.mark.parametrize(
    ("conditions", "forbidden"),
    [
        ({"opt": (Condition("batch", (32.0,)),)}, ()),
        ({"opt": (Condition("opt", ("adam",)),)}, ()),
        ({"batch": (Condition("speed", (1,)),)}, ()),
        ({"speed": (Condition("opt", ("adam",)),)}, ()),
        ({}, ((Condition("speed", (1,)),),)),
        ({}, ((),)),
    ],
)
def test_rules_about_what_is_not_there_are_refused(conditions: Any, forbidden: Any) -> None:
    with pytest.raises(ValueError):
        RuledSpace(SMALL.parameters, conditions, forbidden)


@pytest.mark.parametrize(("name", "value"), [("opt", "Adam"), ("nesterov", 2), ("batch", 48.0)])
def test_a_condition_that_asks_for_what_can_not_be_is_refused(name: str, value: Value) -> None:
    last = Integer("last", 0, 1)
    condition = Condition(name, (value,))
    for rules in (({"last": (condition,)}, ()), ({}, ((condition,),))):
        with pytest.raises(ValueError, match=f"'{name}' asks for {value!r}, which it can't be"):
            RuledSpace((*SMALL.parameters, last), *rules)


def test_a_condition_has_values_or_bounds() -> None:
    for given in ({}, {"values": (1,), "low": 0.0}):
        with pytest.raises(ValueError, match="either values or bounds"):
            Condition("x", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_what_the_rules_leave_is_covered_without_repeats(name: str) -> None:
    history: list[FinishedTrial] = []
    for number in range(8):
        [point] = make(name, SMALL).suggest(history, [], 1)
        history.append(FinishedTrial(number, point, Outcome.COMPLETED, float(number)))
    assert len({SMALL.key(trial.values) for trial in history}) == 8
    assert all(SMALL.contains(trial.values) for trial in history)
    batch = make(name, SMALL).suggest([], [], 8)
    assert len({SMALL.key(point) for point in batch}) == 8
    after = make(name, SMALL).suggest(history, [], 2)
    assert len(after) == (0 if name == "GRID_SEARCH" else 2)
    assert all(SMALL.contains(point) for point in after)


@pytest.mark.parametrize("name", ON_CHAIN)
def test_every_algorithm_keeps_to_the_rules(name: str) -> None:
    suggester, history = make(name, CHAIN), []
    pending: list[PendingTrial] = []
    for number in range(14):
        points = suggester.suggest(history, pending, 2)
        assert len(points) == 2
        assert all(CHAIN.contains(point) for point in points)
        assert points == make(name, CHAIN).suggest(history, pending, 2)
        first, second = points
        history.append(FinishedTrial(number, first, Outcome.COMPLETED, loss(first)))
        pending = [PendingTrial(99, second)]


def test_the_default_finds_the_border_of_what_is_forbidden() -> None:
    history: list[FinishedTrial] = []
    suggester = make("DEFAULT", CHAIN, 0)
    for number in range(30):
        [point] = suggester.suggest(history, [], 1)
        history.append(FinishedTrial(number, point, Outcome.COMPLETED, loss(point)))
    random = make("RANDOM_SEARCH", CHAIN, 0).suggest([], [], 30)
    assert min(trial.objective or 9.0 for trial in history) < min(loss(point) for point in random)


class AgainstTheRules:
    """Somebody's algorithm, which knows of no rules."""

    algorithm, version = "MINE", "1"

    def suggest(self, history: Any, pending: Any, count: int) -> list[dict[str, Value]]:
        return [{"opt": "adam", "nesterov": 1, "batch": 128.0}] * count


def test_an_algorithm_that_knows_no_rules_is_kept_to_them() -> None:
    from tuning.suggest.active_parts import ActiveParts

    points = ActiveParts(AgainstTheRules(), SMALL, 0).suggest([], [], 3)
    assert len({SMALL.key(point) for point in points}) == 3
    assert all(SMALL.contains(point) for point in points)


def test_rules_that_leave_nothing_end_a_search() -> None:
    nothing = RuledSpace(SMALL.parameters, {}, ((Condition("opt", ("adam", "sgd")),),))
    for name in NAMES:
        assert make(name, nothing).suggest([], [], 2) == []


def test_initial_points_are_active_parts() -> None:
    first: dict[str, Value] = {"opt": "sgd", "nesterov": 1, "batch": 128.0}
    suggester = make_suggester("TPE", SMALL, Goal.MINIMIZE, 0, initial=[first])
    assert suggester.suggest([], [], 1) == [first]
    with pytest.raises(ValueError, match="point 0"):
        make_suggester("TPE", SMALL, Goal.MINIMIZE, 0, initial=[{"opt": "adam", "batch": 128.0}])


def test_a_grid_too_large_to_go_through_is_refused() -> None:
    space = RuledSpace((Integer("n", 1, 10**6),), {}, ((Condition("n", low=5),),))
    with pytest.raises(ValueError, match="too many points"):
        make("GRID_SEARCH", space)
