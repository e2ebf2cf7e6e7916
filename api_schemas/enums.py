"""Enums of the wire. Each member's number is its proto number; 0 is the default and left out of answers."""

from enum import IntEnum
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue


class WireEnum(IntEnum):
    """An enum that is read by name (in any case, with `-` or `_`) or by number, and written by name."""

    @classmethod
    def read(cls, value: object) -> "WireEnum":
        """The member that a JSON value names.

        Raises:
            ValueError: it names none; the message lists those there are.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            name = value.strip().upper().replace("-", "_")
            if name in cls.__members__:
                return cls[name]
        elif isinstance(value, int) and not isinstance(value, bool):
            for member in cls:
                if member.value == value:
                    return member
        raise ValueError(f"must be one of {', '.join(cls.__members__)}")

    @classmethod
    def __get_pydantic_json_schema__(cls, _: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        names: JsonSchemaValue = {"type": "string", "enum": list(cls.__members__)}
        if handler.mode == "serialization":
            return names
        return {"anyOf": [names, {"type": "integer", "enum": [member.value for member in cls]}]}


class ScaleTier(WireEnum):
    BASIC = 0
    STANDARD_1 = 1
    PREMIUM_1 = 3
    CUSTOM = 5
    BASIC_GPU = 6
    BASIC_TPU = 7


class AcceleratorType(WireEnum):
    ACCELERATOR_TYPE_UNSPECIFIED = 0
    NVIDIA_TESLA_K80 = 1
    NVIDIA_TESLA_P100 = 2
    NVIDIA_TESLA_V100 = 3
    NVIDIA_TESLA_P4 = 4
    NVIDIA_TESLA_T4 = 5
    TPU_V2 = 6
    TPU_V3 = 7
    NVIDIA_TESLA_A100 = 8
    TPU_V2_POD = 9
    TPU_V3_POD = 10
    TPU_V4_POD = 11


class GoalType(WireEnum):
    GOAL_TYPE_UNSPECIFIED = 0
    MAXIMIZE = 1
    MINIMIZE = 2


class Algorithm(WireEnum):
    ALGORITHM_UNSPECIFIED = 0
    GRID_SEARCH = 1
    RANDOM_SEARCH = 2
    POPULATION_BASED_TRAINING = 3


class StoppingRule(WireEnum):
    """Ours: v1 never said which rule it stops trials by."""

    STOPPING_RULE_UNSPECIFIED = 0
    MEDIAN = 1
    DECAY_CURVE = 2
    ASHA = 3
    CURVEFITTING = 4
    MEDIANSTOP = 5


class ParameterType(WireEnum):
    PARAMETER_TYPE_UNSPECIFIED = 0
    DOUBLE = 1
    INTEGER = 2
    CATEGORICAL = 3
    DISCRETE = 4


class ScaleType(WireEnum):
    NONE = 0
    UNIT_LINEAR_SCALE = 1
    UNIT_LOG_SCALE = 2
    UNIT_REVERSE_LOG_SCALE = 3


class AuditLogType(WireEnum):
    LOG_TYPE_UNSPECIFIED = 0
    ADMIN_READ = 1
    DATA_WRITE = 2
    DATA_READ = 3


class JobState(WireEnum):
    """Of jobs and of trials; only ever written, so its numbers are nobody's."""

    STATE_UNSPECIFIED = 0
    QUEUED = 1
    PREPARING = 2
    RUNNING = 3
    SUCCEEDED = 4
    FAILED = 5
    CANCELLING = 6
    CANCELLED = 7
