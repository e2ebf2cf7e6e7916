"""Values as text: the formats of CONTRACT 4.3, and an exact way back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning.codec import format_value, parse_value
from tuning.space import Categorical, Discrete, Double, Integer, Parameter, Value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (40, "40"),
        (-3, "-3"),
        (10**12, "1000000000000"),
        (0.026711152525921437, "0.026711152525921437"),
        (0.597820322273044, "0.597820322273044"),
        (0.1, "0.1"),
        (0.1 + 0.2, "0.30000000000000004"),
        (512.0, "512"),
        (0.05, "0.05"),
        (0.0, "0"),
        (0.00001, "1e-05"),
        (1e300, "1e+300"),
        ("256 128 64", "256 128 64"),
        ("", ""),
    ],
)
def test_values_are_written_as_trainers_have_always_read_them(value: Value, text: str) -> None:
    assert format_value(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_come_back_as_they_were(value: float) -> None:
    assert float(format_value(value)) == value
    bound = abs(value) if abs(value) < 8e307 else 0.0
    if bound:
        assert parse_value(Double("x", -bound, bound), format_value(value)) == value


@given(st.integers(-(2**53), 2**53))
def test_integers_come_back_as_they_were(value: int) -> None:
    again = parse_value(Integer("n", -(2**53), 2**53), format_value(value))
    assert again == value
    assert type(again) is int


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=10, unique=True))
def test_discrete_values_come_back_as_they_were(values: list[float]) -> None:
    parameter = Discrete("d", tuple(sorted(values)))
    assert [parse_value(parameter, format_value(value)) for value in parameter.values] == list(
        parameter.values
    )


@given(st.text())
def test_categories_come_back_as_they_were(name: str) -> None:
    assert parse_value(Categorical("c", (name,)), format_value(name)) == name


@pytest.mark.parametrize(
    ("parameter", "text"),
    [
        (Double("p", 0.0, 1.0), "fast"),
        (Double("p", 0.0, 1.0), "1.5"),
        (Double("p", 0.0, 1.0), "nan"),
        (Double("p", 0.0, 1.0), "inf"),
        (Integer("p", 0, 9), "1.0"),
        (Integer("p", 0, 9), "10"),
        (Integer("p", 0, 9), ""),
        (Discrete("p", (1.0, 2.0)), "1.5"),
        (Categorical("p", ("a",)), "b"),
    ],
)
def test_text_that_is_no_value_is_refused_by_name(parameter: Parameter, text: str) -> None:
    with pytest.raises(ValueError, match=f"parameter 'p'.*{text}"):
        parse_value(parameter, text)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_never_written(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        format_value(value)
