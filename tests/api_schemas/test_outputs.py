"""The shape of what a job gives back (docs/contract.md 2.7, 2.8)."""

import pytest
from pydantic import ValidationError

from api_schemas.outputs import HyperparameterMetric, HyperparameterOutput, TrainingOutput
from api_schemas.wire import to_wire

FINISHED = {
    "completedTrialCount": "5",
    "trials": [
        {
            "trialId": "5",
            "hyperparameters": {"batch_size": "40", "learning_rate": "0.072136064767837529"},
            "finalMetric": {"trainingStep": "1007", "objectiveValue": 0.0253916177899},
            "allMetrics": [{"trainingStep": "1", "objectiveValue": 0.5}],
            "startTime": "2020-03-02T10:01:00Z",
            "endTime": "2020-03-02T10:09:00Z",
            "isTrialStoppedEarly": True,
            "state": "SUCCEEDED",
        },
        {"trialId": "3", "hyperparameters": {"batch_size": "64"}, "state": "RUNNING"},
    ],
    "consumedMLUnits": 3.55,
    "isHyperparameterTuningJob": True,
    "hyperparameterMetricTag": "accuracy",
    "webAccessUris": {"master-replica-0": "https://example.org"},
}


def test_an_output_of_the_old_service_is_read_and_written_alike() -> None:
    assert to_wire(TrainingOutput.model_validate(FINISHED)) == FINISHED


def test_numbers_of_an_output_have_their_types() -> None:
    output = TrainingOutput.model_validate(FINISHED)
    assert output.completed_trial_count == 5
    assert output.consumed_ml_units == 3.55
    assert output.trials[0].final_metric == HyperparameterMetric(
        training_step=1007, objective_value=0.0253916177899
    )
    assert output.trials[1].final_metric is None


@pytest.mark.parametrize("trial", [{"trialid": "1"}, {"trialId": 1}, {"hyperparameters": {"a": 1}}])
def test_an_output_of_another_shape_is_not_taken_for_one(trial: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        HyperparameterOutput.model_validate(trial)
