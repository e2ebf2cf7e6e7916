"""The space: points, their identity, and their place in the grid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning.space import Categorical, Discrete, Double, Integer, Space

GRID = Space(
    (Integer("n", 1, 3), Discrete("d", (0.5, 1.0)), Categorical("c", ("a", "b")), Double("x", 2.0, 2.0))
)
MIXED = Space((Integer("n", 1, 3), Double("x", 0.0, 1.0)))


def test_the_size_is_the_product_of_the_parameters_sizes() -> None:
    assert GRID.size == 12
    assert MIXED.size is None


def test_the_first_parameter_turns_fastest() -> None:
    seen = [GRID.key(GRID.at(position)) for position in range(12)]
    assert seen[:4] == [(1, 0.5, "a", 2.0), (2, 0.5, "a", 2.0), (3, 0.5, "a", 2.0), (1, 1.0, "a", 2.0)]
    assert seen[-1] == (3, 1.0, "b", 2.0)
    assert len(set(seen)) == 12


@given(st.integers(0, 11))
def test_position_is_the_inverse_of_at(position: int) -> None:
    assert GRID.position(GRID.at(position)) == position


def test_the_grid_has_an_end() -> None:
    with pytest.raises(IndexError):
        GRID.at(12)


def test_a_continuous_space_has_no_grid() -> None:
    with pytest.raises(ValueError, match=r"'x'.*continuous"):
        MIXED.at(0)
    with pytest.raises(ValueError, match=r"'x'.*continuous"):
        MIXED.position({"n": 1, "x": 0.5})


def test_identity_ignores_the_order_of_names_and_how_a_number_is_written() -> None:
    assert MIXED.key({"x": 1.0, "n": 2}) == MIXED.key({"n": 2, "x": 1})
    assert MIXED.key({"x": 1.0, "n": 2}) != MIXED.key({"x": 1.0, "n": 3})


def test_unit_coordinates_come_in_the_order_of_the_parameters() -> None:
    assert MIXED.to_unit({"x": 0.25, "n": 3}) == [1.0, 0.25]
    assert MIXED.from_unit([1.0, 0.25]) == {"n": 3, "x": 0.25}
    with pytest.raises(ValueError):
        MIXED.from_unit([0.5])
    with pytest.raises(ValueError):
        MIXED.draw([0.5, 0.5, 0.5])


@pytest.mark.parametrize(
    "values", [{}, {"n": 1}, {"n": 1, "x": 0.5, "y": 1}, {"n": 1, "y": 0.5}, {"n": 9, "x": 0.5}]
)
def test_a_point_names_every_parameter_and_nothing_else(values: dict[str, float]) -> None:
    assert not MIXED.contains(values)


def test_a_space_needs_parameters_with_different_names() -> None:
    with pytest.raises(ValueError, match="at least one parameter"):
        Space(())
    with pytest.raises(ValueError, match="'n' is given twice"):
        Space((Integer("n", 0, 1), Double("n", 0.0, 1.0)))
