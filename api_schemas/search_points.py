"""Points of a search as they are written in requests, and rules about them (docs/contract.md 6.6, 6.7)."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from api_schemas.enums import ParameterType
from api_schemas.errors import FieldViolation
from api_schemas.hyperparameters import HyperparameterSpec, InitialTrial, ParameterCondition, ParameterSpec
from api_schemas.names import shortened

Point: TypeAlias = Mapping[str, int | float | str]
MAX_CONDITIONS = 100
"""Of a search in all: each is looked at for every point."""
MAX_CONDITION_VALUES = 1000
COUNTED_POINTS = 10_000
"""The worker goes through a grid with rules, to know what they leave of it."""


def initial_violations(at: str, spec: HyperparameterSpec) -> Iterator[FieldViolation]:
    """Everything that is wrong with the rules between parameters, and with the trials to begin with."""
    if spec.effective_algorithm == "BATCH" and not spec.initial_trials:
        yield FieldViolation(f"{at}.initial_trials", "BATCH tries these and no others; give at least one.")
    rules = conditions_violations(at, spec)
    if rules:
        yield from rules
        return
    if not spec.params:
        return  # What they are to be points of is known when the job is that it resumes.
    known = {parameter.parameter_name or "": parameter for parameter in spec.params}
    active_if = {name: _all_of(parameter.conditions, known) for name, parameter in known.items()}
    forbidden = [_all_of(combination.conditions, known) for combination in spec.forbidden]
    for index, trial in enumerate(spec.initial_trials):
        path = f"{at}.initial_trials[{index}].hyperparameters"
        for name in trial.hyperparameters:
            if name not in known:
                yield FieldViolation(path, f"'{shortened(name)}' is not among the params.")
        point: dict[str, int | float | str] = {}
        for name, parameter in known.items():
            text = trial.hyperparameters.get(name)
            if not all(holds(point) for holds in active_if[name]):
                if text is not None:
                    yield FieldViolation(path, f"'{shortened(name)}' is not active with these values.")
            elif text is None:
                yield FieldViolation(path, f"'{shortened(name)}' is missing.")
            else:
                try:
                    point[name] = read_value(parameter, text)
                except ValueError as problem:
                    yield FieldViolation(path, f"'{shortened(name)}': '{shortened(text)}' {problem}.")
        for number, combination in enumerate(forbidden):
            if all(holds(point) for holds in combination):
                yield FieldViolation(path, f"Is forbidden by forbidden[{number}].")


def too_many_initial(at: str, spec: HyperparameterSpec) -> Iterator[FieldViolation]:
    """Whether they, all of them points of the space, are more than the trials: some would never be tried."""
    if spec.resume_previous_job_id:
        return  # Which may have tried some of them.
    points = {frozenset(point_of(spec, trial).items()) for trial in spec.initial_trials}
    if len(points) > spec.effective_max_trials:
        yield FieldViolation(
            f"{at}.initial_trials",
            f"These are {len(points)}, more than maxTrials, which is {spec.effective_max_trials}; "
            "raise it to try them all, or leave some out.",
        )


def _all_of(
    conditions: Sequence[ParameterCondition], known: Mapping[str, ParameterSpec]
) -> list[Callable[[Point], bool]]:
    """Whether each condition, which has been checked, holds of the active parameters of a point."""
    return [_reader(condition, known[condition.parameter_name or ""]) for condition in conditions]


def _reader(condition: ParameterCondition, parameter: ParameterSpec) -> Callable[[Point], bool]:
    name = condition.parameter_name or ""
    values = {read_value(parameter, text) for text in condition.values}
    low = -math.inf if condition.min is None else number_of(condition.min)
    high = math.inf if condition.max is None else number_of(condition.max)

    def holds(point: Point) -> bool:
        value = point.get(name)
        if value is None or values:
            return value in values
        return not isinstance(value, str) and low <= value <= high

    return holds


def point_of(spec: HyperparameterSpec, trial: InitialTrial) -> dict[str, int | float | str]:
    """The point of a trial to begin with, which the door has checked, in the order of the params."""
    return {
        parameter.parameter_name or "": read_value(
            parameter, trial.hyperparameters[parameter.parameter_name or ""]
        )
        for parameter in spec.params
        if parameter.parameter_name in trial.hyperparameters
    }


def conditions_violations(at: str, spec: HyperparameterSpec) -> list[FieldViolation]:
    """Everything that is wrong with the conditions of parameters, and with forbidden combinations."""
    found: list[FieldViolation] = []
    count = sum(len(parameter.conditions) for parameter in spec.params)
    count += sum(len(combination.conditions) for combination in spec.forbidden)
    if count > MAX_CONDITIONS:
        return [FieldViolation(at, f"At most {MAX_CONDITIONS} conditions in all; these are {count}.")]
    names = [parameter.parameter_name or "" for parameter in spec.params]
    known = dict(zip(names, spec.params, strict=True))
    for index, parameter in enumerate(spec.params):
        before = {name: known[name] for name in names[:index]}
        for number, condition in enumerate(parameter.conditions):
            path = f"{at}.params[{index}].conditions[{number}]"
            if condition.parameter_name in names[index:] and condition.parameter_name not in before:
                why = f"'{shortened(condition.parameter_name)}' must stand before the parameter in params."
                found.append(FieldViolation(f"{path}.parameter_name", why))
            else:
                found.extend(_condition_violations(path, condition, before))
    for index, combination in enumerate(spec.forbidden):
        path = f"{at}.forbidden[{index}]"
        if not combination.conditions:
            found.append(FieldViolation(f"{path}.conditions", "At least one condition is needed."))
        for number, condition in enumerate(combination.conditions if spec.params else ()):
            found.extend(_condition_violations(f"{path}.conditions[{number}]", condition, known))
    has_rules = spec.forbidden or any(parameter.conditions for parameter in spec.params)
    if has_rules and spec.effective_algorithm == "GRID_SEARCH" and _grid_points(spec) > COUNTED_POINTS:
        why = f"With conditions or forbidden combinations a grid has at most {COUNTED_POINTS} points."
        found.append(FieldViolation(f"{at}.params", why))
    return found


def _condition_violations(
    at: str, condition: ParameterCondition, known: Mapping[str, ParameterSpec]
) -> Iterator[FieldViolation]:
    name = condition.parameter_name or ""
    if name not in known:
        what = f"'{shortened(name)}' is not among the params." if name else "Is needed."
        yield FieldViolation(f"{at}.parameter_name", what)
        return
    bounds = {"min": condition.min, "max": condition.max}
    has_bounds = any(bound is not None for bound in bounds.values())
    if bool(condition.values) == has_bounds:
        yield FieldViolation(f"{at}.values", "Give either values, or min, max or both.")
        return
    if len(condition.values) > MAX_CONDITION_VALUES:
        yield FieldViolation(f"{at}.values", f"At most {MAX_CONDITION_VALUES}.")
        return
    for number, text in enumerate(condition.values):
        try:
            read_value(known[name], text)
        except ValueError as problem:
            yield FieldViolation(f"{at}.values[{number}]", f"'{shortened(text)}' {problem}.")
    numbers: dict[str, float] = {}
    for field, bound in bounds.items():
        if bound is None:
            continue
        if known[name].type == ParameterType.CATEGORICAL:
            yield FieldViolation(f"{at}.{field}", "Is not for CATEGORICAL parameters; give values.")
            continue
        try:
            numbers[field] = number_of(bound)
        except ValueError as problem:
            yield FieldViolation(f"{at}.{field}", f"'{shortened(bound)}' {problem}.")
    if numbers and not _has_value_between(
        known[name], numbers.get("min", -math.inf), numbers.get("max", math.inf)
    ):
        asked = " and ".join(
            f"at {'least' if field == 'min' else 'most'} {number:.15g}" for field, number in numbers.items()
        )
        why = f"'{shortened(name)}' has no value of {asked}."
        yield FieldViolation(f"{at}.{next(iter(numbers))}", why)


def _has_value_between(parameter: ParameterSpec, low: float, high: float) -> bool:
    """Whether a numeric parameter can be from `low` to `high`; so can one that is refused for itself."""
    if parameter.type == ParameterType.DISCRETE:
        return not parameter.numbers or any(low <= number <= high for number in parameter.numbers)
    if parameter.min_value is None or parameter.max_value is None:
        return True
    low, high = max(low, parameter.min_value), min(high, parameter.max_value)
    if parameter.type == ParameterType.INTEGER and math.isfinite(low) and math.isfinite(high):
        return math.ceil(low) <= math.floor(high)
    return low <= high


def _grid_points(spec: HyperparameterSpec) -> int:
    return math.prod(
        len(p.discrete_values)
        or len(p.categorical_values)
        or int((p.max_value or 0) - (p.min_value or 0)) + 1
        for p in spec.params
        if p.type != ParameterType.DOUBLE
    )


def read_value(parameter: ParameterSpec, text: str) -> int | float | str:
    """The value of a parameter that a text is.

    Raises:
        ValueError: it is none; the message says what would be right.
    """
    if parameter.type == ParameterType.CATEGORICAL:
        if text not in parameter.categories:
            raise ValueError("is not among its categoricalValues")
        return text
    number = number_of(text)
    if parameter.type == ParameterType.DISCRETE:
        if number not in parameter.numbers:
            raise ValueError("is not among its discreteValues")
        return number
    low, high = parameter.min_value or 0.0, parameter.max_value or 0.0
    if not low <= number <= high:
        raise ValueError(f"must be from {low:.15g} to {high:.15g}")
    if parameter.type == ParameterType.INTEGER:
        if not number.is_integer():
            raise ValueError("must be a whole number")
        return int(number)
    return number


def number_of(text: str) -> float:
    """The number that a text is.

    Raises:
        ValueError: it is none, or not finite.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("must be a number")
    return number
