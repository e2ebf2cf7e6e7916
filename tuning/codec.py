"""Parameter values as text: the one string a trainer's flag and the API both show (CONTRACT 4.3)."""

from math import isfinite

from tuning.space import Categorical, Integer, Parameter, Value


def format_value(value: Value) -> str:
    """Write a value as trainers have always read it.

    Whole numbers of any parameter type carry no point (`512`, never `512.0`: trainers call int() on flags).
    Other numbers take 15 significant digits where these read back as the same double, else 17; exponents
    have at least two digits (`1e-05`). Names are themselves.

    Raises:
        ValueError: when the value is NaN or infinite.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"{value:d}"
    if not isfinite(value):
        raise ValueError(f"a parameter value must be finite, not {value}")
    short = f"{value:.15g}"
    return short if float(short) == value else f"{value:.17g}"


def parse_value(parameter: Parameter, text: str) -> Value:
    """Read what `format_value` wrote for a value of `parameter`; the round trip is exact.

    Raises:
        ValueError: naming the parameter, when the text is malformed or the value is outside its range.
    """
    try:
        value = _parse(parameter, text)
    except ValueError as malformed:
        raise ValueError(f"parameter {parameter.name!r}: {text!r} is not a number") from malformed
    if not parameter.contains(value):
        raise ValueError(f"parameter {parameter.name!r} cannot be {text!r}")
    return value


def _parse(parameter: Parameter, text: str) -> Value:
    if isinstance(parameter, Categorical):
        return text
    return int(text) if isinstance(parameter, Integer) else float(text)
