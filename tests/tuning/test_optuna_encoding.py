"""The encoding for Optuna: lossless, within its distributions, and in the right order."""

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from tuning.scale import Scale
from tuning.space import Categorical, Discrete, Double, Integer, Space
from tuning.suggest.optuna_encoding import OptunaEncoding

SPACE = Space(
    (
        *(Double(f"x {scale}", 0.5, 2.0, scale) for scale in Scale),
        *(Integer(f"n {scale}", 2, 21, scale) for scale in Scale),
        *(Integer(f"wide {scale}", 1, 10_000, scale) for scale in Scale),
        Discrete("d", (-1.0, 0.0, 5.0)),
        Categorical("c", ("b", "a", "1")),
        Integer("only", 3, 3),
    )
)


@pytest.mark.parametrize("u", [0.0, 0.1, 0.25, 0.5, 0.66, 0.9, 1.0])
def test_points_survive_within_their_distributions(u: float) -> None:
    encoding = OptunaEncoding(SPACE)
    point = SPACE.from_unit([u] * len(SPACE.names))
    params = encoding.encode(point)
    assert params.keys() == encoding.distributions.keys()
    for name, param in params.items():
        distribution = encoding.distributions[name]
        if isinstance(distribution, FloatDistribution | IntDistribution):
            assert distribution.low <= param <= distribution.high
    decoded = encoding.decode(params)
    assert list(decoded) == list(point)
    for name, value in point.items():
        assert decoded[name] == (pytest.approx(value, rel=1e-12) if isinstance(value, float) else value)


@pytest.mark.parametrize("end", [0, 1])
def test_the_ends_of_a_distribution_are_points_of_the_space(end: int) -> None:
    encoding = OptunaEncoding(SPACE)
    params: dict[str, int | float] = {}
    for name, distribution in encoding.distributions.items():
        if isinstance(distribution, CategoricalDistribution):
            params[name] = end * (len(distribution.choices) - 1)
        elif isinstance(distribution, FloatDistribution | IntDistribution):
            params[name] = distribution.high if end else distribution.low
    assert SPACE.contains(encoding.decode(params))


def test_the_reverse_log_scale_is_modelled_from_the_top() -> None:
    encoding = OptunaEncoding(Space((Integer("n", 2, 21, Scale.UNIT_REVERSE_LOG_SCALE),)))
    assert encoding.distributions == {"n": IntDistribution(2, 21, log=True)}
    assert [encoding.encode({"n": n}) for n in (21, 20, 2)] == [{"n": 2}, {"n": 3}, {"n": 21}]


def test_single_values_are_not_searched() -> None:
    assert "only" not in OptunaEncoding(SPACE).distributions
