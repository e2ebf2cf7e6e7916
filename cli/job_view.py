"""What the terminal shows of a job, read from the wire once (docs/contract.md 2.1, 2.7, 2.8)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from cli import cells
from client import TERMINAL_STATES, EarlyStopping, Job, Metric, Trial

STOPPED_EARLY = "STOPPED EARLY"
ENDINGS = {1: "st", 2: "nd", 3: "rd"}


@dataclass(frozen=True)
class TrialView:
    """One trial. Times are seconds since 1970, None where there is none yet."""

    trial_id: str
    state: str
    hyperparameters: Mapping[str, str]
    objective: float | None  # the final one; may be NaN or infinite
    step: int | None
    curve: tuple[float, ...]  # the objective as it was reported, oldest first
    stopped_early: bool
    started: float | None
    ended: float | None
    error: str  # why it failed, or has no objective

    @classmethod
    def of(cls, trial: Trial) -> Self:
        """Reads a trial; absent fields get their zero (docs/contract.md 1.7)."""
        final = trial.get("finalMetric")
        return cls(
            trial_id=trial.get("trialId", ""),
            state=trial.get("state", "STATE_UNSPECIFIED"),
            hyperparameters=trial.get("hyperparameters", {}),
            objective=None if final is None else _objective(final),
            step=None if final is None else int(final.get("trainingStep", "0")),
            curve=tuple(_objective(point) for point in trial.get("allMetrics", ())),
            stopped_early=trial.get("isTrialStoppedEarly", False),
            started=seconds(trial.get("startTime")),
            ended=seconds(trial.get("endTime")),
            error=_lines(trial.get("errorMessage", "")),
        )

    @property
    def reason(self) -> str:
        """The error in one line: of a traceback the last, which names the exception."""
        lines = self.error.strip().splitlines()
        return lines[-1] if lines else ""

    @property
    def has_ended(self) -> bool:
        """Whether nothing of the trial can change any more."""
        return self.state in TERMINAL_STATES

    @property
    def label(self) -> str:
        """The state as it is shown: a trial that was stopped early says so."""
        return STOPPED_EARLY if self.stopped_early and self.has_ended else self.state

    @property
    def latest(self) -> float | None:
        """The final objective, or the latest one that was reported."""
        return self.objective if self.objective is not None else (self.curve[-1] if self.curve else None)


@dataclass(frozen=True)
class JobView:
    """One job; `trials` in the service's order, best first."""

    job_id: str
    state: str
    error: str
    wait: str  # its place in the line for room and what it needs, in a sentence; "" unless it waits
    created: float | None
    started: float | None
    ended: float | None
    trials: tuple[TrialView, ...]
    is_tuning: bool
    max_trials: int
    max_parallel_trials: int
    goal: str
    metric_tag: str
    parameters: tuple[str, ...]  # the names, in the order of the search space
    stopping: str  # what early stopping did, in a sentence; "" until the job has ended, and if it did nothing

    @classmethod
    def of(cls, job: Job) -> Self:
        """Reads a job; absent fields get the defaults that the contract gives them (docs/contract.md 2.5)."""
        output = job.get("trainingOutput", {})
        spec = job.get("trainingInput", {}).get("hyperparameters")
        search: dict[str, Any] = spec or {}
        trials = tuple(TrialView.of(trial) for trial in output.get("trials", ()))
        max_trials = max(1, int(search.get("maxTrials", 1)))
        names = [param["parameterName"] for param in search.get("params", ()) if "parameterName" in param]
        seen = (name for trial in trials for name in trial.hyperparameters)
        return cls(
            job_id=job.get("jobId", ""),
            state=job.get("state", "STATE_UNSPECIFIED"),
            error=_lines(job.get("errorMessage", "")),
            wait=_wait(job),
            created=seconds(job.get("createTime")),
            started=seconds(job.get("startTime")),
            ended=seconds(job.get("endTime")),
            trials=trials,
            is_tuning=spec is not None,
            max_trials=max_trials,
            max_parallel_trials=min(max_trials, max(1, int(search.get("maxParallelTrials", 1)))),
            goal="MINIMIZE" if search.get("goal") == "MINIMIZE" else "MAXIMIZE",
            metric_tag=cells.harmless(
                output.get("hyperparameterMetricTag")
                or search.get("hyperparameterMetricTag", "training/hptuning/metric")
            ),
            parameters=tuple(dict.fromkeys([*names, *seen])),
            stopping=_stopping(output.get("earlyStopping")),
        )

    @property
    def best(self) -> TrialView | None:
        """The first trial, if it has an objective that can be ranked, and did not fail."""
        first = self.trials[0] if self.trials else None
        if first is None or first.state == "FAILED":
            return None
        return first if first.objective is not None and math.isfinite(first.objective) else None

    @property
    def only_failed_have_objective(self) -> bool:
        """Whether there are trials with an objective, and all of them failed."""
        first = self.trials[0] if self.trials else None
        return first is not None and first.state == "FAILED" and first.objective is not None

    @property
    def why_no_best(self) -> str:
        """Why the trial that ended well last has no objective; "" if one has, or none has ended well."""
        ended = [trial for trial in self.trials if trial.state == "SUCCEEDED" and trial.reason]
        if self.best is not None or not ended:
            return ""
        last = max(ended, key=lambda trial: trial.ended or 0.0)
        return f"Trial {last.trial_id}: {last.reason}"

    @property
    def ended_trials(self) -> int:
        """How many trials have ended, in whatever way."""
        return sum(trial.has_ended for trial in self.trials)

    def elapsed(self, now: float) -> float:
        """Seconds from the job's creation to its end, or to `now` while it lasts."""
        return max(0.0, (self.ended or now) - (self.created or now))

    def time_left(self, now: float) -> float | None:
        """Seconds until the last trial ends, at the speed so far; None until a first round has ended."""
        ended = self.ended_trials
        if self.state != "RUNNING" or self.started is None or ended < self.max_parallel_trials:
            return None
        return max(0.0, now - self.started) / ended * (self.max_trials - ended)


def seconds(timestamp: str | None) -> float | None:
    """The RFC 3339 time as seconds since 1970."""
    return None if timestamp is None else datetime.fromisoformat(timestamp).timestamp()


def local_time(moment: float | None) -> str:
    """The moment as ISO 8601 in this machine's time zone, to the second; "" for None."""
    if moment is None:
        return ""
    return datetime.fromtimestamp(moment, UTC).astimezone().replace(tzinfo=None).isoformat(timespec="seconds")


def _lines(message: str) -> str:
    return "\n".join(cells.harmless(line, keeping="\t") for line in message.splitlines())


def _wait(job: Job) -> str:
    position = int(job.get("jobPosition", "0"))
    reason = job.get("waitReason", "")
    if not position or not reason:
        return ""
    return f"{ordinal(position)} in line. {cells.harmless(reason)}"


def _stopping(report: EarlyStopping | None) -> str:
    if report is None:
        return ""
    stopped, kept = report.get("stoppedTrialCount", 0), report.get("keptTrialCount", 0)
    said = f"{stopped} stopped, {report.get('savedStepShare', 0.0):.0%} of the steps saved"
    if kept:
        said += f"; {report.get('wrongStopCount', 0)} of {kept} that were kept running became the best"
    return said


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th … of a number from 1."""
    last = 0 if number % 100 in (11, 12, 13) else number % 10
    return f"{number}{ENDINGS.get(last, 'th')}"


def _objective(metric: Metric) -> float:
    # Non-finite values are strings on the wire, which float() reads as well.
    return float(metric.get("objectiveValue", 0.0))
