"""What is searched (CONTRACT.md 2.5, 2.6) and what a trial found (2.8)."""

from typing import Annotated

from pydantic import FailFast

from api_schemas.enums import Algorithm, GoalType, JobState, ParameterType, ScaleType
from api_schemas.scalars import Double, Flag, Int32, Int64, OptionalText, Text, Timestamp
from api_schemas.wire import Message, StringMap

DEFAULT_METRIC_TAG = "training/hptuning/metric"
"""The tag that is read when a job names none."""


class ParameterSpec(Message):
    """One hyperparameter: its name, which becomes the flag `--name=value`, and its values.

    `min_value` and `max_value` are inclusive. Lists of numbers and words fail at their first bad element.
    """

    parameter_name: OptionalText = None
    type: ParameterType = ParameterType.PARAMETER_TYPE_UNSPECIFIED
    min_value: Double = 0.0
    max_value: Double = 0.0
    categorical_values: Annotated[tuple[Text, ...], FailFast()] = ()
    discrete_values: Annotated[tuple[Double, ...], FailFast()] = ()
    scale_type: ScaleType = ScaleType.NONE


class HyperparameterSpec(Message):
    """A search: the objective, the space, and how many trials are spent on it.

    The `effective_*` properties say what holds where the request says nothing.
    """

    goal: GoalType = GoalType.GOAL_TYPE_UNSPECIFIED
    params: tuple[ParameterSpec, ...] = ()
    max_trials: Int32 = 0
    max_parallel_trials: Int32 = 0
    max_failed_trials: Int32 = 0
    hyperparameter_metric_tag: OptionalText = None
    resume_previous_job_id: OptionalText = None
    enable_trial_early_stopping: Flag = False
    algorithm: Algorithm = Algorithm.ALGORITHM_UNSPECIFIED

    @property
    def effective_goal(self) -> GoalType:
        """MAXIMIZE unless the request says MINIMIZE."""
        return GoalType.MINIMIZE if self.goal is GoalType.MINIMIZE else GoalType.MAXIMIZE

    @property
    def effective_max_trials(self) -> int:
        """At least 1, which is the default."""
        return max(1, self.max_trials)

    @property
    def effective_max_parallel_trials(self) -> int:
        """From 1, the default, to `effective_max_trials`."""
        return min(max(1, self.max_parallel_trials), self.effective_max_trials)

    @property
    def effective_metric_tag(self) -> str:
        """The scalar that trials report."""
        return self.hyperparameter_metric_tag or DEFAULT_METRIC_TAG

    @property
    def effective_algorithm(self) -> Algorithm:
        """The algorithm asked for. ALGORITHM_UNSPECIFIED is one itself: the service's own default search."""
        return self.algorithm


class HyperparameterMetric(Message):
    """The objective at one step. Zero is a result like any other, so `objective_value` is always written."""

    training_step: Int64 = 0
    objective_value: Double


class BuiltInAlgorithmOutput(Message):
    """What the old service's built-in algorithms told of their model; never set here."""

    framework: OptionalText = None
    runtime_version: OptionalText = None
    python_version: OptionalText = None
    model_path: OptionalText = None


class HyperparameterOutput(Message):
    """One trial: its values as strings, what it measured, and how it ended."""

    trial_id: OptionalText = None
    hyperparameters: StringMap = {}
    final_metric: HyperparameterMetric | None = None
    is_trial_stopped_early: Flag = False
    all_metrics: tuple[HyperparameterMetric, ...] = ()
    built_in_algorithm_output: BuiltInAlgorithmOutput | None = None
    state: JobState = JobState.STATE_UNSPECIFIED
    start_time: Timestamp | None = None
    end_time: Timestamp | None = None
    web_access_uris: StringMap = {}
    # Ours: v1 had no place to say why a trial failed or has no metric.
    error_message: OptionalText = None
