"""A trial is ranked by its last value by step."""

from math import inf, nan
from random import Random

import pytest

from worker.metrics.measurement import Measurement, clamp_step, known_time
from worker.metrics.objective import final_metric


def at(step: int, value: float, wall_time: float = 0.0, source: int = 1) -> Measurement:
    return Measurement(step, value, wall_time, source)


@pytest.mark.parametrize(
    ("measurements", "expected"),
    [
        ([], None),
        ([at(1, 0.5)], (1, 0.5)),
        ([at(1, 0.9), at(2, 0.5)], (2, 0.5)),
        ([at(9, 0.5), at(2, 0.9)], (9, 0.5)),
        ([at(-2, 0.5), at(-7, 0.9)], (-2, 0.5)),
        ([at(3, 0.5, 20.0), at(3, 0.9, 10.0)], (3, 0.5)),
        ([at(3, 0.5, 10.0), at(3, 0.9, 10.0)], (3, 0.9)),
        ([at(1, nan), at(2, 0.5)], (2, 0.5)),
        ([at(1, 0.5), at(2, nan)], None),
        ([at(1, 0.5), at(2, inf)], None),
        ([at(1, 0.5), at(2, -inf)], None),
    ],
)
def test_final_metric(measurements: list[Measurement], expected: tuple[int, float] | None) -> None:
    assert final_metric(measurements) == expected


def test_the_order_of_reading_does_not_matter() -> None:
    measurements = [at(step, step / 8, step + 0.5) for step in range(50)]
    Random(1).shuffle(measurements)
    assert final_metric(iter(measurements)) == (49, 49 / 8)


def test_measurements_are_values() -> None:
    assert at(1, 0.5) == at(1, 0.5)
    assert len({at(1, 0.5), at(1, 0.5), at(2, 0.5)}) == 2
    with pytest.raises(AttributeError):
        at(1, 0.5).step = 2  # type: ignore[misc]


def test_steps_and_times_are_brought_into_range() -> None:
    assert [clamp_step(step) for step in (2**70, -(2**70), 5)] == [2**63 - 1, -(2**63), 5]
    assert [known_time(time) for time in (nan, inf, 1.5)] == [0.0, 0.0, 1.5]
