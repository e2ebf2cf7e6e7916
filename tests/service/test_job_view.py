"""How stored jobs and trials look on the wire (docs/contract.md 1.7, 2.7, 2.8, 3.2, 3.3)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import event, update
from sqlalchemy.orm import Session

from service.ended_outputs import EndedOutputs
from service.job_view import job_wire, jobs_wire
from store.jobs import list_jobs, lock_job, set_state
from store.measurements import add_measurements, last_value
from store.models import Job, Trial
from store.states import State
from store.trials import add_trial, finish_trial
from tests.service.door import Project, answer_of

PARAMS = [
    {"parameterName": "lr", "type": "DOUBLE", "minValue": 0.001, "maxValue": 0.1},
    {"parameterName": "layers", "type": "INTEGER", "minValue": 1.0, "maxValue": 8.0},
    {"parameterName": "batch", "type": "DISCRETE", "discreteValues": [32.0, 512.0]},
    {"parameterName": "units", "type": "CATEGORICAL", "categoricalValues": ["256 128", "64"]},
]
VALUES = {"lr": 0.026711152525921437, "layers": 4, "batch": 512.0, "units": "256 128"}
NOON = 1_583_150_400.9  # 2020-03-02T12:00:00.9Z


@dataclass(frozen=True, slots=True)
class Point:
    step: int
    value: float
    wall_time: float = NOON
    source: int = 0


class Rows:
    """Writes what the worker would."""

    def __init__(self, project: Project, tuning: bool = True, **hyperparameters: Any) -> None:
        self._project = project
        search = {"hyperparameters": {"params": PARAMS, **hyperparameters}} if tuning else {}
        self.job_id = project.create(**search)["jobId"]
        self._values = VALUES if tuning else {}
        self._trials = 0

    def job(self, session: Session) -> Job:
        job = lock_job(session, self._project.name, self.job_id)
        assert job is not None
        return job

    def move(self, *states: State, error_message: str | None = None) -> None:
        with self._project.door.database.write() as session:
            job = self.job(session)
            for state in states:
                set_state(job, state, error_message)

    def trial(
        self,
        *points: Point | float,
        state: State | None = State.SUCCEEDED,
        stopped_early: bool = False,
        error_message: str | None = None,
        hours: float = 1 / 60,
    ) -> None:
        """A trial that measured this; no state: it runs on. A bare number is a value at step 1."""
        self._trials += 1
        measured = [point if isinstance(point, Point) else Point(1, point) for point in points]
        with self._project.door.database.write() as session:
            job = self.job(session)
            job.start_time = NOON
            trial = add_trial(session, job, self._trials, self._values, NOON)
            session.flush()
            add_measurements(session, trial.id, measured)
            final = last_value(session, trial.id)
            if final is not None:
                trial.final_step, trial.final_value = final
            trial.stopped_early = stopped_early
            if state is not None:
                finish_trial(job, trial, state, NOON + 3600 * hours, error_message)

    def output(self) -> dict[str, Any]:
        output: dict[str, Any] = self._project.get(self.job_id)["trainingOutput"]
        return output

    def trials(self) -> list[dict[str, Any]]:
        trials: list[dict[str, Any]] = self.output()["trials"]
        return trials


def test_a_finished_trial_in_full(project: Project) -> None:
    rows = Rows(project, hyperparameterMetricTag="accuracy")
    rows.trial(Point(0, 0.5), Point(1000, 0.91), stopped_early=True)
    assert rows.output() == {
        "completedTrialCount": "1",
        "consumedMLUnits": 0.02,
        "isHyperparameterTuningJob": True,
        "hyperparameterMetricTag": "accuracy",
        "trials": [
            {
                "trialId": "1",
                "hyperparameters": {
                    "lr": "0.026711152525921437",
                    "layers": "4",
                    "batch": "512",
                    "units": "256 128",
                },
                "finalMetric": {"trainingStep": "1000", "objectiveValue": 0.91},
                "allMetrics": [{"objectiveValue": 0.5}, {"trainingStep": "1000", "objectiveValue": 0.91}],
                "isTrialStoppedEarly": True,
                "startTime": "2020-03-02T12:00:00Z",
                "endTime": "2020-03-02T12:01:00Z",
                "state": "SUCCEEDED",
            }
        ],
    }


@pytest.mark.parametrize(("goal", "order"), [("MAXIMIZE", "34152"), ("MINIMIZE", "51342"), (None, "34152")])
def test_trials_are_listed_best_first_ties_by_number_metricless_last(
    project: Project, goal: str | None, order: str
) -> None:
    rows = Rows(project, goal=goal)
    for values in ([0.5], [], [1.0], [1.0], [-2.0]):
        rows.trial(*values)
    assert "".join(trial["trialId"] for trial in rows.trials()) == order


@pytest.mark.parametrize(("goal", "order"), [("MAXIMIZE", "513426"), ("MINIMIZE", "315246")])
def test_a_failed_trial_is_behind_all_others_that_have_a_value(
    project: Project, goal: str, order: str
) -> None:
    rows = Rows(project, goal=goal)
    rows.trial(0.2)
    rows.trial(-9.0, state=State.FAILED)
    rows.trial(0.1, state=State.CANCELLED)
    rows.trial(9.0, state=State.FAILED)
    rows.trial(0.3)
    rows.trial(state=State.FAILED)
    assert "".join(trial["trialId"] for trial in rows.trials()) == order
    failed = next(trial for trial in rows.trials() if trial["trialId"] == "4")
    assert failed["finalMetric"] == {"trainingStep": "1", "objectiveValue": 9.0}


def test_running_trials_are_ranked_by_what_they_have_so_far(project: Project) -> None:
    rows = Rows(project)
    rows.trial(0.5)
    rows.trial(0.9, state=None)
    rows.trial(state=None)
    assert [(t["trialId"], t["state"]) for t in rows.trials()] == [
        ("2", "PREPARING"),
        ("1", "SUCCEEDED"),
        ("3", "PREPARING"),
    ]
    assert "endTime" not in rows.trials()[0]
    assert "finalMetric" not in rows.trials()[2]


def test_only_successes_are_counted(project: Project) -> None:
    rows = Rows(project)
    assert rows.output().keys() == {"isHyperparameterTuningJob", "hyperparameterMetricTag"}
    rows.trial(state=State.FAILED)
    rows.trial(state=State.CANCELLED)
    assert "completedTrialCount" not in rows.output()
    rows.trial()
    assert rows.output()["completedTrialCount"] == "1"


def test_a_zero_objective_is_a_result(project: Project) -> None:
    rows = Rows(project, goal="MINIMIZE")
    rows.trial(Point(0, 0.0))
    assert rows.trials()[0]["finalMetric"] == {"objectiveValue": 0.0}
    assert rows.trials()[0]["allMetrics"] == [{"objectiveValue": 0.0}]


def test_a_curve_comes_by_step_and_a_step_told_twice_counts_once(project: Project) -> None:
    rows = Rows(project)
    rows.trial(
        Point(20, 0.2),
        Point(-1, 9.0),
        Point(10, 0.1),
        Point(20, 0.3, NOON + 1),
        Point(2**62, 1.0),
        Point(3, 0.0),
    )
    (trial,) = rows.trials()
    assert trial["allMetrics"] == [
        {"trainingStep": "-1", "objectiveValue": 9.0},
        {"trainingStep": "3", "objectiveValue": 0.0},
        {"trainingStep": "10", "objectiveValue": 0.1},
        {"trainingStep": "20", "objectiveValue": 0.3},
        {"trainingStep": str(2**62), "objectiveValue": 1.0},
    ]
    assert trial["finalMetric"] == trial["allMetrics"][-1]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_left_out_and_ranks_nowhere(project: Project, value: float) -> None:
    rows = Rows(project)
    rows.trial(Point(1, 0.7), Point(2, value))
    rows.trial(0.1)
    best, last = rows.trials()
    assert (best["trialId"], last["trialId"]) == ("2", "1")
    assert "finalMetric" not in last
    assert last["allMetrics"] == [{"trainingStep": "1", "objectiveValue": 0.7}]


def test_a_trial_says_why_it_failed(project: Project) -> None:
    rows = Rows(project)
    rows.trial(state=State.FAILED, error_message="Exit status 1: ValueError")
    rows.trial(0.1)
    assert [trial.get("errorMessage") for trial in rows.trials()] == [None, "Exit status 1: ValueError"]


def test_a_plain_job_has_no_trials_to_show(project: Project) -> None:
    rows = Rows(project, tuning=False)
    assert "trainingOutput" not in project.get(rows.job_id)
    rows.trial(hours=0.5)
    assert rows.output() == {"consumedMLUnits": 0.5}


def test_units_are_hours_that_trials_ran(project: Project) -> None:
    rows = Rows(project)
    for hours in (0.5, 1.25, 0.111):
        rows.trial(hours=hours)
    assert rows.output()["consumedMLUnits"] == 1.86


def test_units_grow_while_a_trial_runs(project: Project) -> None:
    rows = Rows(project, tuning=False)
    rows.trial(state=None)
    with project.door.database.read() as session:
        job = rows.job(session)
        outputs = [job_wire(session, job, now=NOON + 3600 * hours)["trainingOutput"] for hours in (0.5, 0.75)]
    assert outputs == [{"consumedMLUnits": 0.5}, {"consumedMLUnits": 0.75}]


@pytest.mark.parametrize("hours", [0.0, 0.004, -1.0])
def test_no_units_to_speak_of_are_left_out(project: Project, hours: float) -> None:
    """Not even where the clock went back."""
    rows = Rows(project, tuning=False)
    rows.trial(hours=hours)
    assert "trainingOutput" not in project.get(rows.job_id)


def test_a_list_shows_all_but_the_curves(project: Project) -> None:
    for tuning in (True, False, True):
        rows = Rows(project, tuning, **({"goal": "MINIMIZE"} if tuning else {}))
        for value in (0.5, 0.25):
            rows.trial(Point(1, 1.0), Point(2, value), Point(3, value))
        rows.trial(Point(4, 0.0), state=State.FAILED, error_message="Exit status 1")
    project.create()
    listed = answer_of(project.http.get("/jobs"))["jobs"]
    got = [project.get(job["jobId"]) for job in listed]
    for job in got:
        for trial in job.get("trainingOutput", {}).get("trials", ()):
            assert trial.pop("allMetrics")
    assert listed == got


def test_jobs_in_a_list_have_their_places_in_the_queue(project: Project) -> None:
    for _ in range(3):
        project.create()
    listed = answer_of(project.http.get("/jobs"))["jobs"]
    places = [int(job["jobPosition"]) for job in listed]
    assert places == sorted(places, reverse=True)
    assert [job["jobPosition"] for job in listed] == [
        project.get(job["jobId"])["jobPosition"] for job in listed
    ]


def test_a_curve_looks_the_same_before_and_after_its_trial_ends_and_without_the_kept_text(
    project: Project,
) -> None:
    """The text is kept when the trial ends; one that ended before texts were kept has none."""
    points = [Point(0, 0.0), Point(3, 1 / 3), Point(2, 1e-300), Point(5, math.inf), Point(2**62, -1e22)]
    running, ended, older = (Rows(project) for _ in range(3))
    running.trial(*points, state=None)
    for rows in (ended, older):
        rows.trial(*points)
    with project.door.database.write() as session:
        session.execute(update(Trial).where(Trial.job_pk == older.job(session).id).values(curve=None))
    curves = [rows.trials()[0]["allMetrics"] for rows in (running, ended, older)]
    assert curves[0] == curves[1] == curves[2]
    assert len(curves[0]) == 4


@pytest.mark.parametrize("jobs", [1, 8])
def test_a_list_takes_as_many_queries_however_long_it_is(project: Project, jobs: int) -> None:
    for _ in range(jobs):
        Rows(project).trial(0.5)
        project.create()
    statements: list[str] = []
    database = project.door.database

    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        with database.read() as session:
            listed = list_jobs(session, project.name, 100).jobs
            assert len(jobs_wire(session, listed, EndedOutputs())) == 2 * jobs
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    assert len([statement for statement in statements if "SELECT" in statement]) == 3


PATHS: Sequence[tuple[Sequence[State], bool]] = [
    ([State.PREPARING], False),
    ([State.PREPARING, State.RUNNING], False),
    ([State.PREPARING, State.RUNNING, State.SUCCEEDED], False),
    ([State.PREPARING, State.FAILED], True),
    ([State.CANCELLING], True),
    ([State.CANCELLING, State.CANCELLED], True),
]


@pytest.mark.parametrize(("states", "tells"), PATHS)
def test_only_what_went_wrong_has_a_message(project: Project, states: Sequence[State], tells: bool) -> None:
    rows = Rows(project)
    rows.move(*states, error_message="Out of luck.")
    assert project.get(rows.job_id).get("errorMessage") == ("Out of luck." if tells else None)


def test_a_failure_without_a_reason_still_has_a_message(project: Project) -> None:
    rows = Rows(project)
    rows.move(State.PREPARING, State.FAILED)
    assert project.get(rows.job_id)["errorMessage"] == "The job is FAILED."


def test_times_are_shown_once_they_are_known(project: Project) -> None:
    rows = Rows(project)
    assert not {"startTime", "endTime"} & project.get(rows.job_id).keys()
    with project.door.database.write() as session:
        job = rows.job(session)
        job.create_time, job.start_time, job.end_time = NOON - 1, NOON, NOON + 3600
    shown = project.get(rows.job_id)
    assert shown["createTime"] == "2020-03-02T11:59:59Z"
    assert shown["startTime"] == "2020-03-02T12:00:00Z"
    assert shown["endTime"] == "2020-03-02T13:00:00Z"


def test_a_queued_job_knows_its_place_and_one_that_begun_has_none(project: Project) -> None:
    first, second = Rows(project), Rows(project)
    place = int(project.get(first.job_id)["jobPosition"])
    assert project.get(second.job_id)["jobPosition"] == str(place + 1)
    first.move(State.PREPARING)
    assert "jobPosition" not in project.get(first.job_id)
    assert project.get(second.job_id)["jobPosition"] == str(place)


def test_jobs_that_wait_for_room_know_their_place_and_why(project: Project) -> None:
    third, second, first, hungry, old = (Rows(project) for _ in range(5))
    need = {"cpus": 1}

    def wait(rows: Rows, waiting: dict[str, Any] | None, *states: State) -> None:
        rows.move(*states)
        with project.door.database.write() as session:
            rows.job(session).waiting = waiting

    wait(first, {"since": -3.0, "need": need, "why": "Full."}, State.PREPARING)
    wait(second, {"since": -2.0, "need": need, "why": "Fuller."}, State.PREPARING, State.RUNNING)
    wait(third, {"since": -2.0, "need": need, "why": "Fuller."}, State.PREPARING)
    wait(hungry, {"since": -9.0, "need": need, "why": None}, State.PREPARING, State.RUNNING)
    wait(old, {"since": -1.0, "need": need}, State.PREPARING)
    shown = {rows: project.get(rows.job_id) for rows in (first, second, third, hungry, old)}
    assert [shown[rows].get("jobPosition") for rows in shown] == ["1", "3", "2", None, "4"]
    assert [shown[rows].get("waitReason") for rows in shown] == ["Full.", "Fuller.", "Fuller.", None, None]
    listed = {job["jobId"]: job for job in answer_of(project.http.get("/jobs"))["jobs"]}
    assert listed[second.job_id]["jobPosition"] == "3"
    first.move(State.CANCELLING, State.CANCELLED)
    assert not {"jobPosition", "waitReason"} & project.get(first.job_id).keys()
    assert project.get(second.job_id)["jobPosition"] == "2"
    for rows in (second, third, old):
        rows.move(State.CANCELLING)
