"""Jobs as the service answers them, for the tests of what the terminal shows."""

from typing import Any


def trial(number: int, state: str, objective: float | str | None = None, **fields: Any) -> dict[str, Any]:
    """A trial that began `number` minutes after 10:00 and took a minute, if it has ended."""
    answer: dict[str, Any] = {
        "trialId": str(number),
        "hyperparameters": {"opt": "adam", "lr": f"0.0{number}1622776601683791"},
        "state": state,
        "startTime": f"2020-03-02T10:{number:02}:00Z",
        **fields,
    }
    if objective is not None:
        answer["finalMetric"] = {"trainingStep": "1000", "objectiveValue": objective}
    if state in ("SUCCEEDED", "FAILED", "CANCELLED"):
        answer.setdefault("endTime", f"2020-03-02T10:{number + 1:02}:00Z")
    return answer


def curve(*values: float | str) -> list[dict[str, Any]]:
    return [{"trainingStep": str(step), "objectiveValue": value} for step, value in enumerate(values)]


def tuning_job(*trials: dict[str, Any], state: str = "RUNNING", **fields: Any) -> dict[str, Any]:
    """A job of up to 20 trials, two at a time, over lr and opt, created at 10:00."""
    return {
        "jobId": "census_hp_1",
        "createTime": "2020-03-02T10:00:00Z",
        "startTime": "2020-03-02T10:00:00Z",
        "state": state,
        "trainingInput": {
            "hyperparameters": {
                "goal": "MAXIMIZE",
                "hyperparameterMetricTag": "accuracy",
                "maxTrials": 20,
                "maxParallelTrials": 2,
                "params": [{"parameterName": "lr"}, {"parameterName": "opt"}],
            }
        },
        "trainingOutput": {
            "isHyperparameterTuningJob": True,
            "hyperparameterMetricTag": "accuracy",
            "trials": list(trials),
        },
        **fields,
    }
