"""What is told of an objective that does not come."""

import pytest

from store.models import Trial
from worker.missing_metric import missing_so_far, why_missing


@pytest.mark.parametrize(
    ("tags", "severity", "nearest"),
    [
        (["epoch", "loss"], "WARNING", "loss"),
        (["Losss"], "WARNING", "Losss"),
        (["x" * 500, "loss"], "WARNING", "loss"),
        (["accuracy", "lr"], "INFO", None),
        (["val_loss"], "INFO", None),
    ],
)
def test_a_tag_that_may_be_misspelt_is_a_warning_and_others_may_still_come(
    tags: list[str], severity: str, nearest: str | None
) -> None:
    told = missing_so_far(tags, "losss")
    assert told is not None
    assert told[0] == severity
    assert ("hyperparameterMetricTag" in told[1]) == (nearest is not None)
    assert nearest is None or f"Is '{nearest}' what" in told[1]


@pytest.mark.parametrize("tags", [[], ["loss"], ["accuracy", "loss"]])
def test_nothing_is_told_before_there_are_scalars_or_where_the_objective_is_one(tags: list[str]) -> None:
    assert missing_so_far(tags, "loss") is None


def test_of_many_tags_those_most_like_the_one_that_is_missing_are_named() -> None:
    tags = sorted([*(f"layer_{number:02}/weight" for number in range(40)), "val/Accuracy", "train/accuracy"])
    said = why_missing(Trial(tags=tags), "accuracy")
    assert said.startswith(
        "The trial never reported 'accuracy'. It did write 'val/Accuracy', 'train/accuracy', "
    )
    assert said.endswith(" and 32 more.")
