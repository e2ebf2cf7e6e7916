"""The shapes of the service's answers, for type checkers (docs/contract.md 2.1, 2.7, 2.8).

Every key may be absent: the wire drops zero and empty values (docs/contract.md 1.7). int64 values are decimal
strings, times are RFC 3339 in UTC.
"""

from typing import Any, TypedDict


class Metric(TypedDict, total=False):
    """One reported value of the objective; `objectiveValue` may be "NaN" or "Infinity" as a string."""

    trainingStep: str
    objectiveValue: float | str


class EarlyStop(TypedDict, total=False):
    """Why a trial was stopped early, or would have been, had it not been kept to see how it ends."""

    rule: str
    trainingStep: str
    value: float
    threshold: float
    peerCount: int
    isTrialKept: bool


class EarlyStopping(TypedDict, total=False):
    """What early stopping did to a job that has ended."""

    stoppedTrialCount: int
    keptTrialCount: int
    wrongStopCount: int
    objectiveLost: float
    savedStepShare: float
    savedTime: str


class Trial(TypedDict, total=False):
    """One trial; `hyperparameters` are strings for every type, `allMetrics` is its learning curve."""

    trialId: str
    hyperparameters: dict[str, str]
    finalMetric: Metric
    allMetrics: list[Metric]
    isTrialStoppedEarly: bool
    earlyStop: EarlyStop
    startTime: str
    endTime: str
    state: str
    errorMessage: str


class TrainingOutput(TypedDict, total=False):
    """What a job has produced so far; `trials` are ordered best first."""

    completedTrialCount: str
    trials: list[Trial]
    consumedMLUnits: float
    isHyperparameterTuningJob: bool
    hyperparameterMetricTag: str
    earlyStopping: EarlyStopping


class Job(TypedDict, total=False):
    """One training job. `trainingInput` comes back as it was posted, so it stays a plain dict."""

    jobId: str
    trainingInput: dict[str, Any]
    trainingOutput: TrainingOutput
    labels: dict[str, str]
    state: str
    createTime: str
    startTime: str
    endTime: str
    errorMessage: str
    etag: str
    jobPosition: str
    waitReason: str


class FieldViolation(TypedDict):
    """One thing wrong with a request: the field's path in snake_case, and why."""

    field: str
    description: str


class LogEntry(TypedDict, total=False):
    """One entry of a job's log (docs/contract.md 10.3)."""

    insertId: str
    logName: str
    timestamp: str
    receiveTimestamp: str
    severity: str
    resource: dict[str, Any]
    labels: dict[str, str]
    jsonPayload: dict[str, Any]
    textPayload: str
