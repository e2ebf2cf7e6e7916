"""A space in Optuna's terms: one distribution a parameter, and values to and from them.

Each parameter becomes the distribution on which TPE's kernels fit it best:

    Double        [0, 1] of its own scale, so that all four scales are modelled alike
    Integer       its range, in log where the scale says so, mirrored for the reverse log scale; Optuna's
                  kernels then weigh whole numbers instead of points between them. A wide range is modelled
                  as a Double: one number's share of a kernel would drown in rounding, and give NaN
    Discrete      the position among its values, which are in order
    Categorical   the position among its categories, without order

Parameters with a single value are left out: there is nothing to learn.
"""

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from tuning.scale import Scale, clamp
from tuning.space import Discrete, Double, Integer, Parameter, Space, Value, Values

_WIDE = 10_000
"""From how many values on an Integer is modelled as a Double."""


class OptunaEncoding:
    """The encoding of one space."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._searched = [parameter for parameter in space.parameters if parameter.size != 1]
        self.distributions: dict[str, BaseDistribution] = {
            parameter.name: _distribution(parameter) for parameter in self._searched
        }

    def encode(self, values: Values) -> dict[str, int | float]:
        """A point of the space as Optuna's parameters."""
        return {parameter.name: _encode(parameter, values[parameter.name]) for parameter in self._searched}

    def decode(self, params: dict[str, int | float]) -> dict[str, Value]:
        """Optuna's parameters as a point of the space; the inverse of `encode`."""
        return {
            parameter.name: _decode(parameter, params[parameter.name])
            if parameter.name in params
            else parameter.at(0)
            for parameter in self._space.parameters
        }


def _distribution(parameter: Parameter) -> BaseDistribution:
    if isinstance(parameter, Double) or _is_wide(parameter):
        return FloatDistribution(0.0, 1.0)
    if isinstance(parameter, Integer):
        return IntDistribution(parameter.low, parameter.high, log=parameter.scale.is_logarithmic)
    if isinstance(parameter, Discrete):
        return IntDistribution(0, parameter.size - 1)
    return CategoricalDistribution(range(len(parameter.categories)))


def _encode(parameter: Parameter, value: Value) -> int | float:
    if isinstance(parameter, Double) or _is_wide(parameter):
        return parameter.to_unit(value)
    if isinstance(parameter, Integer):
        return _mirror(parameter, parameter.low + parameter.position(value))
    return parameter.position(value)


def _decode(parameter: Parameter, param: int | float) -> Value:
    if isinstance(parameter, Double) or _is_wide(parameter):
        return parameter.from_unit(clamp(param, 0.0, 1.0))
    if isinstance(parameter, Integer):
        return _mirror(parameter, int(param))
    return parameter.at(int(param))


def _is_wide(parameter: Parameter) -> bool:
    return isinstance(parameter, Integer) and parameter.size >= _WIDE


def _mirror(parameter: Integer, value: int) -> int:
    """For the reverse log scale, the value as far from the bottom as this one is from the top."""
    if parameter.scale is Scale.UNIT_REVERSE_LOG_SCALE:
        return parameter.low + parameter.high - value
    return value
