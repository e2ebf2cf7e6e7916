"""What a job gives back (docs/contract.md 2.1, 2.7, 2.8): the shape of the answers of projects.jobs.

The service writes answers straight from its rows, which is quicker for thousands of measurements; a test
holds them against these messages.
"""

from typing import Annotated

from pydantic import Field

from api_schemas.enums import JobState
from api_schemas.jobs import Job
from api_schemas.scalars import (
    WRITES_NAME,
    Boolean,
    Bytes,
    Double,
    Duration,
    Int32,
    Int64,
    Message,
    Text,
    Timestamp,
    reads,
)

State = Annotated[JobState, reads(JobState), WRITES_NAME]


class BuiltInAlgorithmOutput(Message):
    """Only of built-in algorithm jobs, which are not served."""

    framework: Text | None = None
    model_path: Text | None = None
    python_version: Text | None = None
    runtime_version: Text | None = None


class HyperparameterMetric(Message):
    """One measurement of the objective."""

    training_step: Int64 | None = None
    objective_value: Double | None = None


class EarlyStop(Message):
    """Ours: why a trial was stopped early, or would have been and was kept running."""

    rule: Text | None = None
    training_step: Annotated[Int64 | None, Field(description="Where the trial was judged.")] = None
    value: Annotated[Double | None, Field(description="What was judged of it.")] = None
    threshold: Annotated[Double | None, Field(description="What it had to reach.")] = None
    peer_count: Annotated[
        Int32 | None, Field(description="How many other trials the threshold was made of.")
    ] = None
    is_trial_kept: Annotated[
        Boolean | None, Field(description="It was kept running, to see how it ends.")
    ] = None


class EarlyStoppingOutput(Message):
    """Ours: what early stopping did to a job that has ended."""

    stopped_trial_count: Int32 | None = None
    kept_trial_count: Annotated[
        Int32 | None,
        Field(description="How many would have been stopped, were kept running and have an objective."),
    ] = None
    wrong_stop_count: Annotated[
        Int32 | None, Field(description="How many of those became better than every trial let run.")
    ] = None
    objective_lost: Annotated[
        Double | None, Field(description="How much worse the best would have been without them.")
    ] = None
    saved_step_share: Annotated[
        Double | None, Field(description="The share of training steps that were not run.")
    ] = None
    saved_time: Annotated[Duration | None, Field(description="What those would have taken.")] = None


class HyperparameterOutput(Message):
    """One trial. Best first in a job's list; those without finalMetric last."""

    trial_id: Text | None = None
    hyperparameters: dict[str, Text] = Field(default_factory=dict)
    final_metric: HyperparameterMetric | None = None
    all_metrics: list[HyperparameterMetric] = Field(default_factory=list)
    is_trial_stopped_early: Boolean | None = None
    start_time: Timestamp | None = None
    end_time: Timestamp | None = None
    state: State | None = None
    built_in_algorithm_output: BuiltInAlgorithmOutput | None = None
    web_access_uris: dict[str, Text] = Field(default_factory=dict)
    error_message: Annotated[
        Text | None, Field(description="Ours: why the trial failed, or has no objective.")
    ] = None
    early_stop: Annotated[EarlyStop | None, Field(description="Ours: why the trial was stopped early.")] = (
        None
    )


class TrainingOutput(Message):
    """What became of a job: for a tuning job, of its trials."""

    completed_trial_count: Int64 | None = None
    trials: list[HyperparameterOutput] = Field(default_factory=list)
    consumed_ml_units: Annotated[Double | None, Field(alias="consumedMLUnits")] = None
    is_hyperparameter_tuning_job: Boolean | None = None
    is_built_in_algorithm_job: Boolean | None = None
    built_in_algorithm_output: BuiltInAlgorithmOutput | None = None
    hyperparameter_metric_tag: Text | None = None
    early_stopping: Annotated[
        EarlyStoppingOutput | None,
        Field(description="Ours: what early stopping did, once the job has ended."),
    ] = None
    web_access_uris: dict[str, Text] = Field(default_factory=dict)


class JobAnswer(Job):
    """A job as the service sends it."""

    state: State | None = None
    create_time: Timestamp | None = None
    start_time: Timestamp | None = None
    end_time: Timestamp | None = None
    error_message: Text | None = None
    etag: Bytes | None = None
    job_position: Int64 | None = None
    wait_reason: Annotated[
        Text | None,
        Field(description="Ours: what the job waits for, while trials can't begin."),
    ] = None
    training_output: TrainingOutput | None = None
    prediction_input: Annotated[None, Field(exclude=True)] = None
    prediction_output: Annotated[None, Field(exclude=True)] = None


class ListJobsResponse(Message):
    """A page of jobs, and how to ask for the next one."""

    jobs: list[JobAnswer] = Field(default_factory=list)
    next_page_token: Text | None = None


class CancelJobRequest(Message):
    """Has no fields."""


class Empty(Message):
    """Has no fields."""
