"""The algorithms of a search by name, and their arguments (docs/contract.md 6.1)."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points

from api_schemas.enums import Algorithm, GoalType, ParameterType
from api_schemas.errors import FieldViolation
from api_schemas.hyperparameters import HyperparameterSpec, ParameterSpec, canonical_name
from api_schemas.names import shortened

PLUGGED_IN = "vernier.suggesters"
"""The entry points of algorithms that somebody has plugged in."""
MAX_ARGUMENTS = 100


@dataclass(frozen=True, slots=True)
class Range:
    """What an argument may be: a number from `low` to `high`."""

    low: float
    high: float = math.inf
    whole: bool = False
    above: bool = False
    """Whether `low` itself is too low."""

    def read(self, text: str) -> int | float:
        """The number that a text is.

        Raises:
            ValueError: it is none, or out of range; the message says what would be right.
        """
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        low_enough = number > self.low if self.above else number >= self.low
        fits = low_enough and number <= self.high and math.isfinite(number)
        if not fits or (self.whole and not number.is_integer()):
            raise ValueError(f"must be {self}")
        return int(number) if self.whole else number

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        low = f"above {self.low:g}" if self.above else f"of at least {self.low:g}"
        return f"{kind} {low}" + (f" and at most {self.high:g}" if math.isfinite(self.high) else "")


ARGUMENTS: Mapping[str, Mapping[str, Range]] = {
    "ANNEAL": {"avg_best_idx": Range(1), "shrink_coef": Range(0, above=True)},
    "BATCH": {},
    "CMA_ES": {
        "population_size": Range(2, 10_000, whole=True),
        "sigma0": Range(0, 1, above=True),
    },
    "EVOLUTION": {"population_size": Range(1, 10_000, whole=True)},
    "GAUSSIAN_PROCESS": {},
    "GRID_SEARCH": {},
    "LOCAL": {"probab_local": Range(0, 1), "num_init_random": Range(1, 10_000, whole=True)},
    "QUASI_RANDOM": {},
    "RANDOM_SEARCH": {},
    "TPE": {},
}
"""The arguments of each algorithm of ours, by NNI's names where it has it. Others check their own."""
MAX_CMA_ES_PARAMETERS = 200
"""More dimensions than these it could not search in its time."""
OPTIMIZE_MODE = "optimize_mode"
"""NNI's argument for what is `goal` here; it may be given if it says the same."""


def algorithm_violations(at: str, spec: HyperparameterSpec) -> Iterator[FieldViolation]:
    """Everything that is wrong with the choice of an algorithm."""
    if spec.algorithm == Algorithm.POPULATION_BASED_TRAINING:
        known = "ALGORITHM_UNSPECIFIED, GRID_SEARCH or RANDOM_SEARCH"
        yield FieldViolation(f"{at}.algorithm", f"POPULATION_BASED_TRAINING is not served yet; use {known}.")
    yield from _dimension_violations(at, spec)
    chosen = spec.search_algorithm
    if chosen is None:
        return
    at = f"{at}.search_algorithm"
    if spec.algorithm:
        yield FieldViolation(at, "Is for what `algorithm` has no name for; give one of the two.")
    if not chosen.name:
        yield FieldViolation(f"{at}.name", f"Is needed: one of {', '.join(_known_names())}.")
        return
    name = canonical_name(chosen.name)
    if name not in ARGUMENTS and name not in plugged_in():
        known = ", ".join(_known_names())
        yield FieldViolation(f"{at}.name", f"'{shortened(chosen.name)}' is none of {known}.")
        return
    if len(chosen.arguments) > MAX_ARGUMENTS:
        yield FieldViolation(
            f"{at}.arguments", f"At most {MAX_ARGUMENTS}; these are {len(chosen.arguments)}."
        )
        return
    known_arguments = ARGUMENTS.get(name)
    if known_arguments is None:
        return
    for argument, text in chosen.arguments.items():
        problem = _problem(argument, text, known_arguments, spec)
        if problem is not None:
            yield FieldViolation(f"{at}.arguments.{shortened(argument)}", problem)


def _dimension_violations(at: str, spec: HyperparameterSpec) -> Iterator[FieldViolation]:
    if spec.effective_algorithm != "CMA_ES":
        return
    count = sum(map(_is_dimension, spec.params))
    if count > MAX_CMA_ES_PARAMETERS:
        why = f"CMA_ES takes at most {MAX_CMA_ES_PARAMETERS} parameters that are numbers; these are {count}."
        yield FieldViolation(f"{at}.params", f"{why} TPE, ANNEAL or the default search take more.")


def _is_dimension(parameter: ParameterSpec) -> bool:
    """Whether it is a number that can be another."""
    if parameter.type == ParameterType.DISCRETE:
        return len(parameter.discrete_values) != 1
    return parameter.type != ParameterType.CATEGORICAL and parameter.min_value != parameter.max_value


def _problem(argument: str, text: str, known: Mapping[str, Range], spec: HyperparameterSpec) -> str | None:
    if argument == OPTIMIZE_MODE:
        mode = "minimize" if spec.effective_goal == GoalType.MINIMIZE else "maximize"
        return None if text == mode else f"The goal is {mode.upper()}; leave it out, or give {mode}."
    if argument not in known:
        listed = ", ".join(known)
        return f"Is no argument of it; its arguments: {listed}." if listed else "It has no arguments."
    try:
        known[argument].read(text)
    except ValueError as problem:
        return f"'{shortened(text)}' {problem}."
    return None


def arguments_of(spec: HyperparameterSpec) -> dict[str, int | float | str]:
    """The arguments for the chosen algorithm, which the door has checked if it is one of ours."""
    if spec.search_algorithm is None:
        return {}
    known = ARGUMENTS.get(spec.effective_algorithm, {})
    given = dict(spec.search_algorithm.arguments)
    if spec.effective_algorithm in ARGUMENTS:
        given.pop(OPTIMIZE_MODE, None)
    return {name: known[name].read(text) if name in known else _guessed(text) for name, text in given.items()}


def plugged_in() -> list[str]:
    """The names of the algorithms that are installed beside ours."""
    return sorted({canonical_name(point.name) for point in entry_points(group=PLUGGED_IN)})


def _known_names() -> list[str]:
    return sorted({*ARGUMENTS, *plugged_in()})


def _guessed(text: str) -> int | float | str:
    """A number if it looks like one: what an argument of somebody else's algorithm means is theirs to say."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
