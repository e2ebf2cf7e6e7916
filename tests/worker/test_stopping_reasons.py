"""What a job's log says of a trial that is stopped early."""

import pytest

from tuning.stopping import StopDecision
from worker.stopping import reason_of


@pytest.mark.parametrize(
    ("stop", "said"),
    [
        (
            StopDecision("median", 4, 0.1, 0.6, 5),
            "what it reached by step 4, 0.1, is behind the 0.6 of 5 other trials (MEDIAN)",
        ),
        (
            StopDecision("decay_curve", 7, 0.178, 0.11, 6, predicted=True),
            "the end predicted at step 7, 0.178, is behind the 0.11 of 6 other trials (DECAY_CURVE)",
        ),
    ],
)
def test_a_value_that_is_only_expected_is_not_told_as_one_that_was_reported(
    stop: StopDecision, said: str
) -> None:
    assert reason_of(stop) == said
