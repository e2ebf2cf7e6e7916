"""The search that a job asks for (docs/contract.md 2.5, 2.6)."""

from functools import cached_property
from typing import Annotated

from pydantic import FailFast, Field

from api_schemas.early_stopping import EarlyStoppingSpec
from api_schemas.enums import Algorithm, GoalType, ParameterType, ScaleType
from api_schemas.scalars import (
    WRITES_NAME,
    Boolean,
    Double,
    Doubles,
    Int32,
    Message,
    Text,
    Texts,
    ValueText,
    reads,
)

DEFAULT_METRIC_TAG = "training/hptuning/metric"


class ParameterCondition(Message):
    """Ours: a parameter has one of some values, or a number from min to max, both included."""

    parameter_name: Text | None = None
    values: Annotated[list[ValueText], FailFast()] = Field(default_factory=list)
    min: ValueText | None = None
    max: ValueText | None = None


class ForbiddenCombination(Message):
    """Ours: conditions that may not all hold at once."""

    conditions: list[ParameterCondition] = Field(default_factory=list)


class ParameterSpec(Message):
    """One hyperparameter: its name on the command line, its kind and its range."""

    parameter_name: Text | None = None
    type: Annotated[ParameterType, reads(ParameterType), WRITES_NAME] | None = None
    min_value: Double | None = None
    max_value: Double | None = None
    categorical_values: Texts = Field(default_factory=list)
    discrete_values: Doubles = Field(default_factory=list)
    scale_type: Annotated[ScaleType, reads(ScaleType), WRITES_NAME] | None = None
    conditions: Annotated[
        list[ParameterCondition],
        Field(description="Ours: what must hold for it to be active.", default_factory=list),
    ]

    @cached_property
    def categories(self) -> frozenset[str]:
        """Its categorical values, to look others up in: there may be very many of both."""
        return frozenset(self.categorical_values)

    @cached_property
    def numbers(self) -> frozenset[float]:
        """Its discrete values, likewise."""
        return frozenset(self.discrete_values)


class SearchAlgorithm(Message):
    """Ours: an algorithm by name, also one that v1 never had, and its arguments."""

    name: Text | None = None
    arguments: dict[str, ValueText] = Field(default_factory=dict)


class InitialTrial(Message):
    """Ours: a point to try before any that is suggested."""

    hyperparameters: dict[str, ValueText] = Field(default_factory=dict)


class HyperparameterSpec(Message):
    """What to optimise, over what, how often. Its presence makes a job a tuning job."""

    goal: Annotated[GoalType, reads(GoalType), WRITES_NAME] | None = None
    params: list[ParameterSpec] = Field(default_factory=list)
    max_trials: Int32 | None = None
    max_parallel_trials: Int32 | None = None
    max_failed_trials: Int32 | None = None
    hyperparameter_metric_tag: Text | None = None
    resume_previous_job_id: Text | None = None
    enable_trial_early_stopping: Boolean | None = None
    algorithm: Annotated[Algorithm, reads(Algorithm), WRITES_NAME] | None = None
    search_algorithm: Annotated[
        SearchAlgorithm | None, Field(description="Ours: instead of algorithm, one that v1 never had.")
    ] = None
    initial_trials: Annotated[
        list[InitialTrial], Field(description="Ours: what to try first.", default_factory=list)
    ]
    forbidden: Annotated[
        list[ForbiddenCombination], Field(description="Ours: what is not to be tried.", default_factory=list)
    ]
    early_stopping: Annotated[
        EarlyStoppingSpec | None, Field(description="Ours: by which rule trials are stopped early, and when.")
    ] = None

    @property
    def effective_goal(self) -> GoalType:
        return self.goal or GoalType.MAXIMIZE

    @property
    def effective_max_trials(self) -> int:
        return self.max_trials or 1

    @property
    def effective_max_parallel_trials(self) -> int:
        """Never more than there are trials."""
        return min(self.max_parallel_trials or 1, self.effective_max_trials)

    @property
    def effective_metric_tag(self) -> str:
        return self.hyperparameter_metric_tag or DEFAULT_METRIC_TAG

    @property
    def effective_algorithm(self) -> str:
        """The name of one of v1's, of ours, or of one that somebody has plugged in."""
        if self.search_algorithm is not None and self.search_algorithm.name:
            return canonical_name(self.search_algorithm.name)
        return (self.algorithm or Algorithm.ALGORITHM_UNSPECIFIED).name


def canonical_name(algorithm: str) -> str:
    """An algorithm's name as it is known: NNI's `Anneal` is ANNEAL, `CMA-ES` is CMA_ES."""
    return algorithm.strip().upper().replace("-", "_")
