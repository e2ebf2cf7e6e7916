"""The enums of the wire. The first member of each is its default, number 0, and is left out of answers.

Clients released for the old service write enums as `CUSTOM`, as `custom`, or as numbers (CONTRACT.md 1.7).
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any, Self, TypeVar

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from api_schemas.scalars import integral, invalid


class WireEnum(StrEnum):
    """An enum that is written by name and read by name, in any case and with any hyphens, or by number.

    Numbers are the positions of the members unless `numbers` says otherwise.
    """

    @classmethod
    def numbers(cls) -> Mapping[int, Self]:
        """The members by proto number."""
        return dict(enumerate(cls))

    @classmethod
    def read(cls, value: object) -> Self:
        """The member that a JSON value names.

        Raises:
            PydanticCustomError: no member; lists those there are.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            member = _by_bare_name(cls).get(_bare(value)) if len(value) <= _LONGEST_NAME else None
        else:
            number = integral(value)
            member = None if number is None else cls.numbers().get(number)
        if member is None:
            raise invalid("ENUM", value, f"Allowed: {', '.join(cls)}")
        return member

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(cls.read, handler(source))


class ScaleTier(WireEnum):
    """A named cluster shape; CUSTOM takes it from the machine types and counts."""

    BASIC = "BASIC"
    STANDARD_1 = "STANDARD_1"
    PREMIUM_1 = "PREMIUM_1"
    BASIC_GPU = "BASIC_GPU"
    BASIC_TPU = "BASIC_TPU"
    CUSTOM = "CUSTOM"

    @classmethod
    def numbers(cls) -> Mapping[int, Self]:
        # The published proto leaves gaps. It predates BASIC_TPU, whose number is a guess.
        return {
            0: cls.BASIC,
            1: cls.STANDARD_1,
            3: cls.PREMIUM_1,
            5: cls.CUSTOM,
            6: cls.BASIC_GPU,
            7: cls.BASIC_TPU,
        }


class AcceleratorType(WireEnum):
    """Hardware beside the CPU; ACCELERATOR_TYPE_UNSPECIFIED means none."""

    ACCELERATOR_TYPE_UNSPECIFIED = "ACCELERATOR_TYPE_UNSPECIFIED"
    NVIDIA_TESLA_K80 = "NVIDIA_TESLA_K80"
    NVIDIA_TESLA_P100 = "NVIDIA_TESLA_P100"
    NVIDIA_TESLA_V100 = "NVIDIA_TESLA_V100"
    NVIDIA_TESLA_P4 = "NVIDIA_TESLA_P4"
    NVIDIA_TESLA_T4 = "NVIDIA_TESLA_T4"
    NVIDIA_TESLA_A100 = "NVIDIA_TESLA_A100"
    TPU_V2 = "TPU_V2"
    TPU_V3 = "TPU_V3"
    TPU_V2_POD = "TPU_V2_POD"
    TPU_V3_POD = "TPU_V3_POD"
    TPU_V4_POD = "TPU_V4_POD"


class JobState(WireEnum):
    """Where a job, or a trial, is in its life (CONTRACT.md 3.1)."""

    STATE_UNSPECIFIED = "STATE_UNSPECIFIED"
    QUEUED = "QUEUED"
    PREPARING = "PREPARING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing follows this state."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class GoalType(WireEnum):
    """What is done to the objective; unspecified behaves as MAXIMIZE."""

    GOAL_TYPE_UNSPECIFIED = "GOAL_TYPE_UNSPECIFIED"
    MAXIMIZE = "MAXIMIZE"
    MINIMIZE = "MINIMIZE"


class Algorithm(WireEnum):
    """How points are searched for; unspecified is the service's own model-based search."""

    ALGORITHM_UNSPECIFIED = "ALGORITHM_UNSPECIFIED"
    GRID_SEARCH = "GRID_SEARCH"
    RANDOM_SEARCH = "RANDOM_SEARCH"
    POPULATION_BASED_TRAINING = "POPULATION_BASED_TRAINING"  # Ours: v1 had no such value.


class ParameterType(WireEnum):
    """What values a hyperparameter takes."""

    PARAMETER_TYPE_UNSPECIFIED = "PARAMETER_TYPE_UNSPECIFIED"
    DOUBLE = "DOUBLE"
    INTEGER = "INTEGER"
    CATEGORICAL = "CATEGORICAL"
    DISCRETE = "DISCRETE"


class ScaleType(WireEnum):
    """How a range is stretched before it is searched (CONTRACT.md 6.2)."""

    NONE = "NONE"
    UNIT_LINEAR_SCALE = "UNIT_LINEAR_SCALE"
    UNIT_LOG_SCALE = "UNIT_LOG_SCALE"
    UNIT_REVERSE_LOG_SCALE = "UNIT_REVERSE_LOG_SCALE"

    @property
    def is_logarithmic(self) -> bool:
        """Whether the scale takes logarithms, and so needs a range above zero."""
        return self in (ScaleType.UNIT_LOG_SCALE, ScaleType.UNIT_REVERSE_LOG_SCALE)


_E = TypeVar("_E", bound=WireEnum)
_LONGEST_NAME = 100


def _bare(name: str) -> str:
    return name.replace("-", "").replace("_", "").upper()


@cache
def _by_bare_name(enum: type[_E]) -> dict[str, _E]:
    return {_bare(member): member for member in enum}
