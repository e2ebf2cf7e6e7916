"""Points of a search as they are written in requests (docs/contract.md 6.6)."""

import math
from collections.abc import Iterator

from api_schemas.enums import ParameterType
from api_schemas.errors import FieldViolation
from api_schemas.hyperparameters import HyperparameterSpec, InitialTrial, ParameterSpec
from api_schemas.names import shortened


def initial_violations(at: str, spec: HyperparameterSpec) -> Iterator[FieldViolation]:
    """Everything that is wrong with the trials to begin with."""
    if spec.effective_algorithm == "BATCH" and not spec.initial_trials:
        yield FieldViolation(f"{at}.initial_trials", "BATCH tries these and no others; give at least one.")
    if not spec.params:
        return  # What they are to be points of is known when the job is that it resumes.
    known = {parameter.parameter_name or "": parameter for parameter in spec.params}
    for index, trial in enumerate(spec.initial_trials):
        path = f"{at}.initial_trials[{index}].hyperparameters"
        for name in trial.hyperparameters:
            if name not in known:
                yield FieldViolation(path, f"'{shortened(name)}' is not among the params.")
        for name, parameter in known.items():
            if name not in trial.hyperparameters:
                yield FieldViolation(path, f"'{shortened(name)}' is missing.")
                continue
            try:
                read_value(parameter, trial.hyperparameters[name])
            except ValueError as problem:
                given = shortened(trial.hyperparameters[name])
                yield FieldViolation(path, f"'{shortened(name)}': '{given}' {problem}.")


def point_of(spec: HyperparameterSpec, trial: InitialTrial) -> dict[str, int | float | str]:
    """The point of a trial to begin with, which the door has checked, in the order of the params."""
    return {
        parameter.parameter_name or "": read_value(
            parameter, trial.hyperparameters[parameter.parameter_name or ""]
        )
        for parameter in spec.params
        if parameter.parameter_name in trial.hyperparameters
    }


def read_value(parameter: ParameterSpec, text: str) -> int | float | str:
    """The value of a parameter that a text is.

    Raises:
        ValueError: it is none; the message says what would be right.
    """
    if parameter.type == ParameterType.CATEGORICAL:
        if text not in parameter.categorical_values:
            raise ValueError("is not among its categoricalValues")
        return text
    number = _number(text)
    if parameter.type == ParameterType.DISCRETE:
        if number not in parameter.discrete_values:
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


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("must be a number")
    return number
