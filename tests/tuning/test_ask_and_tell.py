"""The example at the top of the package runs as it stands."""

import doctest

import tuning


def test_the_example_of_the_package_works() -> None:
    result = doctest.testmod(tuning)
    assert result.attempted > 0
    assert result.failed == 0
