"""What a request asks for, and what the search can do, are the same."""

import inspect

import pytest

from api_schemas.hyperparameters import HyperparameterSpec
from api_schemas.search_algorithms import ARGUMENTS
from tuning.rules import RuledSpace
from tuning.space import Integer, Space
from tuning.suggest import ALGORITHMS, _load, make_suggester
from tuning.trials import Goal
from worker.study import search_of

LAYERS = {"parameterName": "layers", "type": "INTEGER", "minValue": 1, "maxValue": 8}


def test_the_door_knows_every_algorithm_of_ours() -> None:
    names_of_the_default = {"DEFAULT", "ALGORITHM_UNSPECIFIED"}
    assert set(ARGUMENTS) == set(ALGORITHMS) - names_of_the_default


@pytest.mark.parametrize("algorithm", ARGUMENTS)
def test_the_door_knows_the_arguments_of_each(algorithm: str) -> None:
    parameters = inspect.signature(_load(algorithm)).parameters.values()
    named = {each.name for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY}
    assert set(ARGUMENTS[algorithm]) == named - {"points"}


@pytest.mark.parametrize(
    ("algorithm", "argument", "text"),
    [(name, argument, repr(end)) for name, all_of in ARGUMENTS.items() for argument, of in all_of.items()
     for end in (of.low if not of.above else of.low + 1e-9, of.high) if abs(end) < 1e300],
)  # fmt: skip
def test_what_the_door_takes_the_algorithm_takes(algorithm: str, argument: str, text: str) -> None:
    value = ARGUMENTS[algorithm][argument].read(text)
    space = Space((Integer("layers", 1, 8),))
    assert len(make_suggester(algorithm, space, Goal.MINIMIZE, 0, {argument: value}).suggest([], [], 2)) == 2


def test_a_request_is_made_into_its_search() -> None:
    wire = {
        "goal": "MINIMIZE",
        "params": [LAYERS],
        "searchAlgorithm": {
            "name": "Evolution",
            "arguments": {"population_size": "7", "optimize_mode": "minimize"},
        },
        "initialTrials": [{"hyperparameters": {"layers": "4"}}],
    }
    search = search_of(HyperparameterSpec.model_validate(wire), 5)
    assert (search.algorithm, search.arguments, search.seed) == ("EVOLUTION", {"population_size": 7}, 5)
    assert search.initial == ({"layers": 4},)
    assert search.make().suggest([], [], 1) == [{"layers": 4}]


def test_rules_of_a_request_are_those_of_its_space() -> None:
    wire = {
        "params": [
            {"parameterName": "opt", "type": "CATEGORICAL", "categoricalValues": ["adam", "sgd"]},
            LAYERS | {"conditions": [{"parameterName": "opt", "values": ["sgd"]}]},
        ],
        "forbidden": [
            {
                "conditions": [
                    {"parameterName": "opt", "values": ["sgd"]},
                    {"parameterName": "layers", "min": "6"},
                ]
            }
        ],
        "initialTrials": [{"hyperparameters": {"opt": "adam"}}],
    }
    search = search_of(HyperparameterSpec.model_validate(wire), 5)
    assert isinstance(search.space, RuledSpace)
    assert search.space.size == 1 + 5
    points = search.make().suggest([], [], 6)
    assert points[0] == {"opt": "adam"}
    assert {point.get("layers") for point in points} == {None, 1, 2, 3, 4, 5}
