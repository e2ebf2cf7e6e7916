"""Parameters: the scale maths of docs/contract.md 6.2, bounds, types, and what a declaration may not say."""

import math
from collections import Counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tuning.space import Categorical, Discrete, Double, Integer, Parameter, Scale

SCALES = list(Scale)
LOG_SCALES = [Scale.UNIT_LOG_SCALE, Scale.UNIT_REVERSE_LOG_SCALE]

units = st.floats(0.0, 1.0)


@st.composite
def doubles(draw: st.DrawFn) -> Double:
    scale = draw(st.sampled_from(SCALES))
    smallest = 1e-12 if scale.is_logarithmic else -1e12
    low, high = sorted(draw(st.tuples(st.floats(smallest, 1e12), st.floats(smallest, 1e12))))
    return Double("x", low, high, scale)


@st.composite
def integers(draw: st.DrawFn) -> Integer:
    scale = draw(st.sampled_from(SCALES))
    smallest = 1 if scale.is_logarithmic else -(10**12)
    low, high = sorted(draw(st.tuples(st.integers(smallest, 10**12), st.integers(smallest, 10**12))))
    return Integer("n", low, high, scale)


discretes = st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=20, unique=True).map(
    lambda values: Discrete("d", tuple(sorted(values)))
)
categoricals = st.lists(st.text(max_size=3), min_size=1, max_size=20, unique=True).map(
    lambda names: Categorical("c", tuple(names))
)
parameters = st.one_of(doubles(), integers(), discretes, categoricals)


@pytest.mark.parametrize(
    ("scale", "low", "high", "u", "x"),
    [
        (Scale.NONE, 0.0, 10.0, 0.25, 2.5),
        (Scale.UNIT_LINEAR_SCALE, -5.0, 5.0, 0.5, 0.0),
        (Scale.UNIT_LOG_SCALE, 1e-4, 1.0, 0.5, 1e-2),
        (Scale.UNIT_LOG_SCALE, 1.0, 1000.0, 1 / 3, 10.0),
        # low + high - exp(ln high - u (ln high - ln low)) by hand: 1.0001 - 0.01, and 1001 - 100.
        (Scale.UNIT_REVERSE_LOG_SCALE, 1e-4, 1.0, 0.5, 0.9901),
        (Scale.UNIT_REVERSE_LOG_SCALE, 1.0, 1000.0, 1 / 3, 901.0),
    ],
)
def test_scales_follow_the_contract(scale: Scale, low: float, high: float, u: float, x: float) -> None:
    parameter = Double("x", low, high, scale)
    assert parameter.from_unit(u) == pytest.approx(x, rel=1e-12)
    assert parameter.to_unit(x) == pytest.approx(u, rel=1e-9)


@pytest.mark.parametrize("scale", SCALES)
def test_the_ends_of_the_unit_interval_are_the_bounds(scale: Scale) -> None:
    parameter = Double("x", 1e-12, 1e12, scale)
    assert parameter.to_unit(parameter.low) == 0.0
    assert parameter.to_unit(parameter.high) == 1.0
    assert parameter.from_unit(0.0) == pytest.approx(parameter.low, rel=1e-9, abs=1e-3)
    assert parameter.from_unit(1.0) == pytest.approx(parameter.high, rel=1e-9)


@pytest.mark.parametrize("scale", SCALES)
def test_a_range_of_one_point_maps_to_the_middle(scale: Scale) -> None:
    parameter = Double("x", 0.3, 0.3, scale)
    assert parameter.to_unit(0.3) == 0.5
    assert {parameter.from_unit(u) for u in (0.0, 0.5, 1.0)} == {0.3}
    assert parameter.size == 1


@given(parameters, units)
def test_every_unit_value_maps_into_the_range(parameter: Parameter, u: float) -> None:
    for value in (parameter.from_unit(u), parameter.draw(u)):
        assert parameter.contains(value)
        assert type(value) in (int, float, str)


@given(parameters, units)
def test_values_survive_the_way_through_the_unit_interval(parameter: Parameter, u: float) -> None:
    value = parameter.from_unit(u)
    again = parameter.from_unit(parameter.to_unit(value))
    if isinstance(parameter, Double | Integer):
        # Logarithms of a wide range lose a few digits; a whole number may then be the next one.
        assert again == pytest.approx(value, rel=1e-9, abs=1e-9 * (abs(parameter.high) + 1))
    else:
        assert again == value


@given(st.integers(1, 1000), st.integers(0, 1000), st.sampled_from(SCALES), units)
def test_integers_of_common_size_survive_exactly(low: int, width: int, scale: Scale, u: float) -> None:
    parameter = Integer("n", low, low + width, scale)
    value = parameter.from_unit(u)
    assert parameter.from_unit(parameter.to_unit(value)) == value


@given(doubles(), units, units)
def test_scales_keep_the_order(parameter: Double, u: float, v: float) -> None:
    assume(u <= v)
    rounding = 1e-12 * max(abs(parameter.low), abs(parameter.high))
    assert parameter.from_unit(u) <= parameter.from_unit(v) + rounding


@pytest.mark.parametrize("scale", SCALES)
def test_draws_reach_every_whole_number_and_rise_with_u(scale: Scale) -> None:
    parameter = Integer("n", 1, 9, scale)
    drawn = [parameter.draw((i + 0.5) / 1000) for i in range(1000)]
    assert drawn == sorted(drawn)
    assert set(drawn) == set(range(1, 10))


def test_linear_draws_give_every_whole_number_the_same_share() -> None:
    parameter = Integer("layers", 1, 3)
    drawn = Counter(parameter.draw((i + 0.5) / 900) for i in range(900))
    assert drawn == {1: 300, 2: 300, 3: 300}


def test_log_draws_give_every_whole_number_its_share_of_the_logarithm() -> None:
    """n owns [n - 1/2, n + 1/2]: of ln(100.5 / 0.5) = 5.303, 1 owns ln 3 = 1.099 and 2 owns 0.511."""
    parameter = Integer("n", 1, 100, Scale.UNIT_LOG_SCALE)
    drawn = Counter(parameter.draw((i + 0.5) / 5303) for i in range(5303))
    assert drawn[1] == pytest.approx(1099, abs=1)
    assert drawn[2] == pytest.approx(511, abs=1)


def test_reverse_log_draws_mirror_log_draws() -> None:
    log, reverse = (Integer("n", 1, 100, scale) for scale in LOG_SCALES)
    for i in range(100):
        u = (i + 0.5) / 100
        assert reverse.draw(1 - u) == 101 - log.draw(u)


def test_discrete_values_and_categories_take_equal_cells() -> None:
    discrete = Discrete("batch", (32, 64, 512))
    categorical = Categorical("opt", ("adam", "sgd"))
    assert [discrete.from_unit(u) for u in (0.0, 0.33, 0.34, 0.66, 0.67, 1.0)] == [32, 32, 64, 64, 512, 512]
    assert [categorical.from_unit(u) for u in (0.0, 0.49, 0.5, 1.0)] == ["adam", "adam", "sgd", "sgd"]


@pytest.mark.parametrize(
    ("parameter", "inside", "outside"),
    [
        (Double("x", 0.0, 1.0), [0.0, 0.5, 1, 1.0], [-0.1, 1.1, math.nan, math.inf, "0.5", True]),
        (Integer("n", 1, 3), [1, 3], [0, 4, 2.0, "2", True]),
        (Discrete("d", (1.0, 2.5)), [1.0, 1, 2.5], [2.0, math.nan, "1", True]),
        (Categorical("c", ("1", "2")), ["1"], ["3", 1, "", True]),
    ],
)
def test_only_values_of_the_range_and_type_are_contained(
    parameter: Parameter, inside: list[int | float | str], outside: list[int | float | str]
) -> None:
    assert [value for value in inside if not parameter.contains(value)] == []
    assert [value for value in outside if parameter.contains(value)] == []
    for value in outside:
        with pytest.raises(ValueError, match=f"'{parameter.name}' cannot be"):
            parameter.to_unit(value)


@pytest.mark.parametrize("u", [-1e-9, 1.0 + 1e-9, math.nan, math.inf])
@pytest.mark.parametrize(
    "parameter",
    [
        Double("x", 0.0, 1.0),
        Double("x", 1.0, 2.0, Scale.UNIT_LOG_SCALE),
        Discrete("d", (1,)),
        Categorical("c", ("a",)),
    ],
)
def test_what_is_not_a_unit_value_is_refused(parameter: Parameter, u: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        parameter.from_unit(u)


@pytest.mark.parametrize(
    ("declare", "why"),
    [
        (lambda: Double("x", 2.0, 1.0), "above the upper bound"),
        (lambda: Double("x", math.nan, 1.0), "finite"),
        (lambda: Double("x", 0.0, math.inf), "finite"),
        (lambda: Double("x", -1e308, 1e308), "too wide"),
        (lambda: Double("x", 0.0, 1.0, Scale.UNIT_LOG_SCALE), "above 0"),
        (lambda: Double("x", -1.0, 1.0, Scale.UNIT_REVERSE_LOG_SCALE), "above 0"),
        (lambda: Integer("x", 0, 1, Scale.UNIT_LOG_SCALE), "above 0"),
        (lambda: Integer("x", 2, 1), "above the upper bound"),
        (lambda: Integer("x", 1, 2.0), "whole number"),  # type: ignore[arg-type]
        (lambda: Integer("x", 0, 2**53 + 1), "whole number"),
        (lambda: Discrete("x", ()), "at least one"),
        (lambda: Discrete("x", (1.0, 1.0)), "strictly increase"),
        (lambda: Discrete("x", (2.0, 1.0)), "strictly increase"),
        (lambda: Discrete("x", (1.0, math.nan)), "finite"),
        (lambda: Categorical("x", ()), "at least one"),
        (lambda: Categorical("x", ("a", "a")), "twice"),
    ],
)
def test_a_wrong_declaration_is_refused_by_name(declare: type, why: str) -> None:
    with pytest.raises(ValueError, match=f"parameter 'x'.*{why}"):
        declare()


def test_discrete_parameters_tolerate_any_scale() -> None:
    """Clients send a scale with DISCRETE parameters, even where the values allow no logarithm."""
    assert Discrete("d", (-1.0, 0.0), Scale.UNIT_LOG_SCALE).to_unit(0.0) == 0.75


def test_neighbouring_doubles_on_a_log_scale_do_not_divide_by_zero() -> None:
    low = 1e300
    parameter = Double("x", low, math.nextafter(low, math.inf), Scale.UNIT_LOG_SCALE)
    assert 0.0 <= parameter.to_unit(low) <= 1.0
    assert parameter.contains(parameter.from_unit(0.5))
