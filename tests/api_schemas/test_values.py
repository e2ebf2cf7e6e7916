"""How values of hyperparameters are written (docs/contract.md 4.3)."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_schemas.values import format_value


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (40, "40"),
        (-3, "-3"),
        (2**53, "9007199254740992"),
        (0.026711152525921437, "0.026711152525921437"),
        (0.597820322273044, "0.597820322273044"),
        (0.1, "0.1"),
        (0.1 + 0.2, "0.30000000000000004"),
        (512.0, "512"),
        (0.05, "0.05"),
        (0.0, "0"),
        (1e-05, "1e-05"),
        (1e22, "1e+22"),
        (5e-324, "4.94065645841247e-324"),
        (-1.5, "-1.5"),
        ("256 128 64", "256 128 64"),
        ("", ""),
        ("1.0", "1.0"),
    ],
)
def test_values_are_written_as_the_old_service_wrote_them(value: int | float | str, written: str) -> None:
    assert format_value(value) == written


@given(st.floats(allow_nan=False))
def test_what_is_written_reads_back_as_the_same_double(value: float) -> None:
    assert math.copysign(1.0, float(format_value(value))) == math.copysign(1.0, value)
    assert float(format_value(value)) == value
