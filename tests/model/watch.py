"""What must hold whatever happens (docs/guarantees.md), held against the rows of the database.

`Watch.look` is called after every commit, every start of a process and every event. It reads the tables by
itself, without the code that wrote them, and compares them with what they were and with what the platform
remembers.
"""

import math
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.states import FINISHED, JOB_TRANSITIONS, TRIAL_TRANSITIONS, AttemptState, State
from tests.model.platform import Point, Process, SimulatedPlatform
from worker.launchers.protocol import AttemptPhase, AttemptRef, JobRef

Row = dict[str, Any]
PROJECT = "p"
ATTEMPT_TRANSITIONS = {
    AttemptState.LAUNCHING: {AttemptState.RUNNING, AttemptState.ENDED},
    AttemptState.RUNNING: {AttemptState.ENDED},
    AttemptState.ENDED: set(),
}
PLATFORMS = ("CONFIG", "LAUNCH", "LOST")
"""Classes of failures that are the platform's."""
NOT_THE_JOB = ("lease_owner", "lease_expires_at", "lease_fence")
"""Columns that say who may look at a job, which may be anybody also when it has ended."""


class Broken(BaseException):
    """A guarantee does not hold. No ordinary exception: a worker would survive that."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What was asked for with a job."""

    tuning: bool
    max_trials: int
    max_parallel: int
    points: int | None
    """How many points its space has; None: no end of them."""


def require(holds: bool, what: str) -> None:
    if not holds:
        raise Broken(what)


@dataclass(frozen=True, slots=True)
class Tables:
    """Rows by their keys."""

    jobs: dict[int, Row]
    trials: dict[int, Row]
    attempts: dict[int, list[Row]]
    """By the key of the trial, in order."""

    def trials_of(self, job_pk: int) -> list[Row]:
        """By number."""
        found = [trial for trial in self.trials.values() if trial["job_pk"] == job_pk]
        return sorted(found, key=lambda trial: int(trial["number"]))


class Watch:
    """Knows what was, and looks whether what is may follow it."""

    def __init__(self, file: Path, platform: SimulatedPlatform) -> None:
        self._connection = sqlite3.connect(file, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._platform = platform
        self.promises: dict[int, Promise] = {}
        self.seen = Tables({}, {}, {})
        self._measured: dict[int, list[Row]] = {}
        """What was stored of each ended trial when it ended."""
        self._ended_attempts: set[int] = set()

    def close(self) -> None:
        self._connection.close()

    def look(self) -> None:
        """Raises: Broken."""
        before, now = self.seen, self._tables()
        self.seen = now
        self._g1_nothing_is_lost(before, now)
        self._only_legal_changes(before, now)
        self._g2_never_too_many(now)
        self._g3_numbers(now)
        self._g7_nothing_outlives_its_row(now)
        for trial in _newly(before.trials, now.trials, lambda trial: trial["finish_order"] is not None):
            self._g5_all_is_stored(now, trial)
            self._g6_final_metric(now, trial)
            self._it_ended_as_it_ended(now, trial)
        self._logs_are_kept(now)

    def look_at_the_end(self) -> None:
        """Every job has ended. Raises: Broken."""
        self.look()
        for job in self.seen.jobs.values():
            require(job["state"] in FINISHED and job["next_check_at"] is None, f"G4: {_name(job)} has ended")
            promise = self.promises[job["id"]]
            # A grid may have been exhausted, in part or whole, by the job that this one continues.
            if job["state"] == State.SUCCEEDED and not (promise.points and job["previous_id"]):
                trials = self.seen.trials_of(job["id"])
                # The point of one that the platform failed is tried again, by another trial.
                again = sum(
                    self.seen.attempts[each["id"]][-1]["failure_class"] in PLATFORMS for each in trials
                )
                wanted = min(promise.max_trials, (promise.points or promise.max_trials) + again)
                made = len(trials)
                require(made == wanted, f"{_name(job)} succeeded with {made} of {wanted} trials")
        for key, rows in self._measured.items():
            require(self._measurements(key) == rows, f"G5: measurements of ended trial {key} changed")

    # The guarantees

    def _g1_nothing_is_lost(self, before: Tables, now: Tables) -> None:
        for key, job in before.jobs.items():
            require(key in now.jobs, f"G1: {_name(job)} disappeared")
            if job["state"] in FINISHED:
                changed = _changed(job, now.jobs[key])
                require(not changed, f"G1: {_name(job)} had ended; now {changed} changed")
        for key, trial in before.trials.items():
            require(key in now.trials, f"trial {trial['number']} disappeared")
            if trial["finish_order"] is not None:
                changed = _changed(trial, now.trials[key])
                require(not changed, f"trial {trial['number']} had ended; now {changed} changed")

    def _only_legal_changes(self, before: Tables, now: Tables) -> None:
        for key, job in before.jobs.items():
            old, new = State(job["state"]), State(now.jobs[key]["state"])
            # What has nothing to stop may pass through CANCELLING within one transaction.
            legal = JOB_TRANSITIONS[old] | (
                {State.CANCELLED} if State.CANCELLING in JOB_TRANSITIONS[old] else set()
            )
            require(old == new or new in legal, f"{_name(job)} went from {old} to {new}")
        for key, trial in before.trials.items():
            old, new = State(trial["state"]), State(now.trials[key]["state"])
            require(old == new or new in TRIAL_TRANSITIONS[old], f"a trial went from {old} to {new}")
            for earlier, later in zip(before.attempts[key], now.attempts[key], strict=False):
                was, is_ = AttemptState(earlier["state"]), AttemptState(later["state"])
                require(was == is_ or is_ in ATTEMPT_TRANSITIONS[was], f"attempt from {was} to {is_}")

    def _g2_never_too_many(self, now: Tables) -> None:
        live = self._platform.live()
        by_job: dict[JobRef, list[int]] = {}
        for process in live:
            by_job.setdefault(process.ref.job, []).append(process.ref.trial)
        for ref, trials in by_job.items():
            require(len(trials) == len(set(trials)), f"G2: two live attempts of a trial of {ref.job_id}")
        for key, job in now.jobs.items():
            most = self.promises[key].max_parallel
            running = len(by_job.get(JobRef(PROJECT, job["job_id"]), []))
            written = sum(trial["finish_order"] is None for trial in now.trials_of(key))
            require(max(running, written) <= most, f"G2: more than {most} live trials of {_name(job)}")
        used = sum(process.spec.share.cpus for process in live)
        require(used <= self._platform.machine.cpus, f"G2: {used} slots are used")

    def _g3_numbers(self, now: Tables) -> None:
        for key, job in now.jobs.items():
            trials = now.trials_of(key)
            numbers = [trial["number"] for trial in trials]
            require(numbers == list(range(1, len(numbers) + 1)), f"G3: numbers of {_name(job)}: {numbers}")
            require(len(numbers) <= self.promises[key].max_trials, f"G3: too many trials of {_name(job)}")
            ends = sorted(trial["finish_order"] for trial in trials if trial["finish_order"] is not None)
            require(ends == list(range(1, job["finished_trials"] + 1)), f"order of ends: {ends}")
            for trial in trials:
                attempts = now.attempts[trial["id"]]
                order = [attempt["number"] for attempt in attempts]
                require(order == list(range(1, len(order) + 1)), f"numbers of attempts: {order}")
                open_ = [attempt["state"] != AttemptState.ENDED for attempt in attempts]
                require(not any(open_[:-1]), "an attempt was made before the last one was closed")
                require(open_[-1] == (trial["finish_order"] is None), "trial and attempt disagree on its end")

    def _g5_all_is_stored(self, now: Tables, trial: Row) -> None:
        stored = self._measured[trial["id"]] = self._measurements(trial["id"])
        found = [(row["step"], row["wall_time"], row["special"] or repr(row["value"])) for row in stored]
        reported = [
            (point.step, point.wall_time, _as_stored(point.value)) for point in self._reported(now, trial)
        ]
        require(sorted(found) == sorted(reported), f"G5: reported {reported}, stored {found}")

    def _g6_final_metric(self, now: Tables, trial: Row) -> None:
        points = sorted(self._reported(now, trial), key=lambda point: (point.step, point.wall_time))
        final = (points[-1].step, points[-1].value) if points else (None, None)
        if points and not math.isfinite(points[-1].value):
            final = (None, None)
        stored = (trial["final_step"], trial["final_value"])
        require(stored == final, f"G6: final metric is {stored}, the reports say {final}")

    def _g7_nothing_outlives_its_row(self, now: Tables) -> None:
        jobs = {job["job_id"]: job for job in now.jobs.values()}
        for process in self._platform.live():
            rows = [
                attempt
                for trial in now.trials_of(jobs[process.ref.job.job_id]["id"])
                if trial["number"] == process.ref.trial
                for attempt in now.attempts[trial["id"]]
                if attempt["number"] == process.ref.attempt
            ]
            require(bool(rows), f"{process.ref.name} was started before it was written down")
            require(rows[0]["state"] != AttemptState.ENDED, f"G7: {process.ref.name} lives, its row ended")
        for ref in self._platform.installing():
            require(jobs[ref.job_id]["state"] not in FINISHED, f"G7: {ref.job_id} is still being installed")

    def _it_ended_as_it_ended(self, now: Tables, trial: Row) -> None:
        process = self._processes(now, trial)[-1:]
        if not process or process[0].ref.attempt != now.attempts[trial["id"]][-1]["number"]:
            require(trial["state"] != State.SUCCEEDED or bool(trial["stopped_early"]), "it never started")
            return
        status = process[0].status
        if status.told_to_stop or (status.phase is AttemptPhase.LOST and trial["stopped_early"]):
            return
        well = status.phase is AttemptPhase.ENDED and status.exit_code == 0
        require(well == (trial["state"] == State.SUCCEEDED), f"{trial['state']}, but it ended as {status}")

    def _logs_are_kept(self, now: Tables) -> None:
        for key, attempts in now.attempts.items():
            for attempt in attempts:
                if attempt["state"] != AttemptState.ENDED or attempt["id"] in self._ended_attempts:
                    continue
                self._ended_attempts.add(attempt["id"])
                trial = now.trials[key]
                process = self._platform.processes.get(self._ref(now, trial, attempt))
                if process is not None:
                    kept = self._printed(trial["job_pk"], process)
                    require(kept == process.lines, f"logs: printed {process.lines}, kept {kept}")

    # Rows

    def _ref(self, now: Tables, trial: Row, attempt: Row) -> AttemptRef:
        job = JobRef(PROJECT, now.jobs[trial["job_pk"]]["job_id"])
        return AttemptRef(job, trial["number"], attempt["number"])

    def _processes(self, now: Tables, trial: Row) -> list[Process]:
        refs = [self._ref(now, trial, attempt) for attempt in now.attempts[trial["id"]]]
        return [self._platform.processes[ref] for ref in refs if ref in self._platform.processes]

    def _reported(self, now: Tables, trial: Row) -> list[Point]:
        if not self.promises[trial["job_pk"]].tuning:
            return []
        points: list[Point] = []
        for process in self._processes(now, trial):
            # What is tried again takes the place of what was reported before, from its first step on.
            first = min((point.step for point in process.points), default=None)
            points = [point for point in points if first is None or point.step < first] + process.points
        return points

    def _tables(self) -> Tables:
        attempts: dict[int, list[Row]] = {}
        for attempt in self._rows("SELECT * FROM attempts ORDER BY trial_pk, number"):
            attempts.setdefault(attempt["trial_pk"], []).append(attempt)
        return Tables(
            {job["id"]: job for job in self._rows("SELECT * FROM jobs ORDER BY id")},
            {trial["id"]: trial for trial in self._rows("SELECT * FROM trials ORDER BY id")},
            attempts,
        )

    def _measurements(self, trial_pk: int) -> list[Row]:
        order = "step, wall_time, source"
        return self._rows(f"SELECT * FROM measurements WHERE trial_pk = ? ORDER BY {order}", trial_pk)

    def _printed(self, job_pk: int, process: Process) -> list[str]:
        mine = f"{process.ref.name}: "
        query = "SELECT message FROM log_entries WHERE job_pk = ? ORDER BY time_ns, id"
        return [row["message"] for row in self._rows(query, job_pk) if row["message"].startswith(mine)]

    def _rows(self, query: str, *parameters: Any) -> list[Row]:
        return [dict(row) for row in self._connection.execute(query, parameters)]


def _newly(before: dict[int, Row], now: dict[int, Row], is_so: Any) -> Iterable[Row]:
    return [row for key, row in now.items() if is_so(row) and not (key in before and is_so(before[key]))]


def _changed(before: Row, now: Row) -> list[str]:
    return [name for name in before if before[name] != now[name] and name not in NOT_THE_JOB]


def _as_stored(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "Infinity"


def _name(job: Row) -> str:
    return f"job {job['job_id']}"
