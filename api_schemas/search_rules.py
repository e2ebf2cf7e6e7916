"""Rules that the search in a job must keep (docs/contract.md 2.5, 2.6, 6.1)."""

import math
from collections import Counter
from collections.abc import Iterator

from api_schemas.early_stopping import early_stopping_violations
from api_schemas.enums import ParameterType, ScaleType
from api_schemas.errors import FieldViolation
from api_schemas.hyperparameters import HyperparameterSpec, ParameterSpec
from api_schemas.names import job_id_problem, shortened
from api_schemas.search_algorithms import algorithm_violations
from api_schemas.search_points import initial_violations, too_many_initial

MAX_TRIALS = 100_000
MAX_DISCRETE_VALUES = 1000
MAX_INTEGER = 2**53
"""Beyond it not every integer is a double, which is what bounds are."""
LOG_SCALES = frozenset({ScaleType.UNIT_LOG_SCALE, ScaleType.UNIT_REVERSE_LOG_SCALE})
AT = "hyperparameters"


def hyperparameter_violations(spec: HyperparameterSpec) -> Iterator[FieldViolation]:
    """Everything that is wrong with a search."""
    if not spec.params and not spec.resume_previous_job_id:
        yield FieldViolation(f"{AT}.params", "At least one parameter is needed, unless a job is resumed.")
    yield from _count_violations(spec)
    if spec.resume_previous_job_id and job_id_problem(spec.resume_previous_job_id) is not None:
        named = shortened(spec.resume_previous_job_id)
        yield FieldViolation(f"{AT}.resume_previous_job_id", f"'{named}' is not a job id.")
    yield from algorithm_violations(AT, spec)
    if spec.early_stopping is not None:
        enabled = bool(spec.enable_trial_early_stopping)
        yield from early_stopping_violations(f"{AT}.early_stopping", spec.early_stopping, enabled)
    wrong = list(_params_violations(spec))
    yield from wrong
    if not wrong:  # Else nobody knows what points of the space are.
        wrong = list(initial_violations(AT, spec))
        yield from wrong
    if not wrong and (spec.max_trials or 0) >= 0:
        yield from too_many_initial(AT, spec)


def _params_violations(spec: HyperparameterSpec) -> Iterator[FieldViolation]:
    first_of: dict[str, int] = {}
    for index, parameter in enumerate(spec.params):
        at = f"{AT}.params[{index}]"
        name = parameter.parameter_name or ""
        if name and name in first_of:
            yield FieldViolation(
                f"{at}.parameter_name", f"'{shortened(name)}' is the name of params[{first_of[name]}] too."
            )
        first_of.setdefault(name, index)
        yield from _parameter_violations(at, parameter)
        if spec.effective_algorithm == "GRID_SEARCH" and parameter.type == ParameterType.DOUBLE:
            yield FieldViolation(
                f"{at}.type", f"GRID_SEARCH can't enumerate the DOUBLE '{shortened(name)}'; make it DISCRETE."
            )


def _count_violations(spec: HyperparameterSpec) -> Iterator[FieldViolation]:
    for field in ("max_trials", "max_parallel_trials", "max_failed_trials"):
        count = getattr(spec, field) or 0
        if count < 0:
            yield FieldViolation(f"{AT}.{field}", f"Must not be negative; it is {count}.")
        if count > MAX_TRIALS:
            yield FieldViolation(f"{AT}.{field}", f"Must be at most {MAX_TRIALS}; it is {count}.")


def _parameter_violations(at: str, parameter: ParameterSpec) -> Iterator[FieldViolation]:
    problem = _name_problem(parameter.parameter_name or "")
    if problem is not None:
        yield FieldViolation(f"{at}.parameter_name", problem)
    match parameter.type:
        case ParameterType.DOUBLE | ParameterType.INTEGER:
            yield from _range_violations(at, parameter)
        case ParameterType.DISCRETE:
            yield from _discrete_violations(at, parameter)
        case ParameterType.CATEGORICAL:
            yield from _categorical_violations(at, parameter)
        case _:
            yield FieldViolation(f"{at}.type", "Is needed: DOUBLE, INTEGER, CATEGORICAL or DISCRETE.")


def _name_problem(name: str) -> str | None:
    # It becomes the flag --name=value of the trainer's command line.
    if not name:
        return "Is needed: the name of the trainer's flag."
    if name.startswith("-") or "=" in name or any(c.isspace() or not c.isprintable() for c in name):
        return (
            f"{shortened(ascii(name))} can't be a flag: no leading -, no = and no white space; "
            "give it without the dashes."
        )
    return None


def _range_violations(at: str, parameter: ParameterSpec) -> Iterator[FieldViolation]:
    low, high = parameter.min_value or 0.0, parameter.max_value or 0.0
    if low == high == 0:
        # A bound that is absent is 0, which proto does not send: only the pair can be checked for presence.
        yield FieldViolation(f"{at}.max_value", "minValue and maxValue are needed; both are absent or 0.")
        return
    for field, bound in (("min_value", low), ("max_value", high)):
        if not math.isfinite(bound):
            yield FieldViolation(f"{at}.{field}", f"Must be finite; it is {bound}.")
            return
        if parameter.type == ParameterType.INTEGER and not (bound.is_integer() and abs(bound) <= MAX_INTEGER):
            why = f"An INTEGER's bounds are whole numbers of at most 2^53 in size; it is {bound:.15g}."
            yield FieldViolation(f"{at}.{field}", why)
            return
    if low > high:
        yield FieldViolation(f"{at}.max_value", f"Must be at least minValue, {low:.15g}; it is {high:.15g}.")
    elif not (math.isfinite(high - low) and math.isfinite(high + low)):
        yield FieldViolation(f"{at}.max_value", "The range is too wide for a double; move the bounds closer.")
    if parameter.scale_type in LOG_SCALES and low <= 0:
        scale = parameter.scale_type.name if parameter.scale_type is not None else ""
        yield FieldViolation(f"{at}.min_value", f"{scale} needs a minValue above 0; it is {low:.15g}.")


def _discrete_violations(at: str, parameter: ParameterSpec) -> Iterator[FieldViolation]:
    values = parameter.discrete_values
    field = f"{at}.discrete_values"
    if not values:
        yield FieldViolation(field, "A DISCRETE parameter needs at least one value.")
    if len(values) > MAX_DISCRETE_VALUES:
        yield FieldViolation(field, f"At most {MAX_DISCRETE_VALUES} values; these are {len(values)}.")
    for index, value in enumerate(values):
        if not math.isfinite(value):
            yield FieldViolation(f"{field}[{index}]", f"Must be finite; it is {value}.")
            return
        if index and value <= values[index - 1]:
            yield FieldViolation(
                f"{field}[{index}]",
                f"The values must be strictly increasing; {value:.15g} follows {values[index - 1]:.15g}.",
            )
            return


def _categorical_violations(at: str, parameter: ParameterSpec) -> Iterator[FieldViolation]:
    values = parameter.categorical_values
    field = f"{at}.categorical_values"
    if not values:
        yield FieldViolation(field, "A CATEGORICAL parameter needs at least one value.")
    twice = next((value for value, count in Counter(values).items() if count > 1), None)
    if twice is not None:
        yield FieldViolation(field, f"'{shortened(twice)}' is listed twice; the values must be distinct.")
    for bound in ("min_value", "max_value"):
        if getattr(parameter, bound):
            yield FieldViolation(f"{at}.{bound}", "Is not for CATEGORICAL parameters; leave it out.")
    if parameter.scale_type:
        yield FieldViolation(f"{at}.scale_type", "Is not for CATEGORICAL parameters; leave it out.")
