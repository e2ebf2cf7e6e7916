"""Jobs that continue the study of an earlier one (docs/contract.md 6.5)."""

from typing import Any

import pytest

from store.jobs import find_job, lock_job, set_state
from store.states import State
from store.trials import add_trial, finish_trial
from tests.service.door import Project, error_of

LEARNING_RATE = {"parameterName": "lr", "type": "DOUBLE", "minValue": 0.001, "maxValue": 0.1}
STUDY: dict[str, Any] = {"goal": "MINIMIZE", "hyperparameterMetricTag": "loss", "params": [LEARNING_RATE]}
FIELD = "hyperparameters.resume_previous_job_id"


def finished(
    project: Project, job_id: str, *, ending: State = State.SUCCEEDED, trials: int = 1, **study: Any
) -> None:
    """A tuning job that has ended, with so many trials."""
    project.create(job_id, hyperparameters=study or STUDY)
    with project.door.database.write() as session:
        job = lock_job(session, project.name, job_id)
        assert job is not None
        states = [State.CANCELLING] if ending == State.CANCELLED else [State.PREPARING, State.RUNNING]
        for state in (*states, ending):
            set_state(job, state)
        for number in range(1, trials + 1):
            finish_trial(job, add_trial(session, job, number, {"lr": 0.01}, 1.5e9), State.SUCCEEDED, 1.5e9)


def effective(project: Project, job_id: str) -> dict[str, Any]:
    """The search that the worker will see."""
    with project.door.database.read() as session:
        job = find_job(session, project.name, job_id)
    assert job is not None
    assert job.hyperparameters is not None
    return job.hyperparameters


def resume(project: Project, previous: str, **spec: Any) -> dict[str, Any]:
    return project.create(hyperparameters={"resumePreviousJobId": previous, **spec})


def fields(project: Project, previous: str, **spec: Any) -> list[str]:
    refused = project.refusal(hyperparameters={"resumePreviousJobId": previous, **spec})
    return [violation["field"] for violation in refused]


@pytest.mark.parametrize("ending", [State.SUCCEEDED, State.FAILED, State.CANCELLED])
def test_any_ended_study_can_be_continued(project: Project, ending: State) -> None:
    finished(project, "first", ending=ending)
    second = resume(project, "first", maxTrials=5, maxParallelTrials=2)
    # The answer repeats what was posted; what is inherited is for the worker.
    posted = {"resumePreviousJobId": "first", "maxTrials": 5, "maxParallelTrials": 2}
    assert second["trainingInput"]["hyperparameters"] == posted
    assert effective(project, second["jobId"]) == {**STUDY, **posted}
    assert second["trainingOutput"]["hyperparameterMetricTag"] == "loss"


def test_how_many_trials_is_not_inherited(project: Project) -> None:
    finished(project, "first", **STUDY, maxTrials=50, maxFailedTrials=3, enableTrialEarlyStopping=True)
    second = resume(project, "first")
    assert effective(project, second["jobId"]) == {**STUDY, "resumePreviousJobId": "first"}


def test_the_algorithm_is_inherited_unless_another_is_given(project: Project) -> None:
    finished(project, "first", **STUDY, algorithm="RANDOM_SEARCH")
    assert effective(project, resume(project, "first")["jobId"])["algorithm"] == "RANDOM_SEARCH"


def test_a_study_is_continued_more_than_once(project: Project) -> None:
    finished(project, "first")
    finished(project, "second", resumePreviousJobId="first")
    third = resume(project, "second", maxTrials=2)
    assert effective(project, third["jobId"])["params"] == STUDY["params"]


def test_the_study_may_be_repeated(project: Project) -> None:
    finished(project, "first")
    resume(project, "first", **STUDY)


def test_a_default_that_is_spelled_out_is_no_difference(project: Project) -> None:
    finished(project, "first", params=[LEARNING_RATE])
    resume(project, "first", goal="MAXIMIZE", hyperparameterMetricTag="training/hptuning/metric")
    finished(project, "spelled", params=[LEARNING_RATE], goal="MAXIMIZE")
    resume(project, "spelled", goal="GOAL_TYPE_UNSPECIFIED", params=[LEARNING_RATE | {"scaleType": "NONE"}])


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"goal": "MAXIMIZE"}, "goal"),
        ({"params": [LEARNING_RATE | {"maxValue": 1}]}, "params"),
        ({"params": [LEARNING_RATE, LEARNING_RATE | {"parameterName": "momentum"}]}, "params"),
        ({"hyperparameterMetricTag": "accuracy"}, "hyperparameter_metric_tag"),
    ],
)
def test_another_study_is_refused_and_told_by_its_field(
    project: Project, given: dict[str, Any], field: str
) -> None:
    finished(project, "first")
    assert fields(project, "first", **given) == [f"hyperparameters.{field}"]


def test_all_differences_are_told(project: Project) -> None:
    finished(project, "first")
    assert fields(project, "first", goal="MAXIMIZE", hyperparameterMetricTag="x") == [
        "hyperparameters.goal",
        "hyperparameters.hyperparameter_metric_tag",
    ]


def test_a_grid_over_an_inherited_range_is_refused(project: Project) -> None:
    finished(project, "first")
    assert fields(project, "first", algorithm="GRID_SEARCH") == ["hyperparameters.params[0].type"]


def test_a_job_that_is_unknown_or_tunes_nothing_can_not_be_continued(project: Project) -> None:
    project.create("plain")
    assert fields(project, "unknown") == [FIELD]
    assert fields(project, "plain") == [FIELD]


def test_a_study_of_another_project_can_not_be_continued(project: Project) -> None:
    finished(project, "first")
    other = Project(project.door, f"{project.name}-b", project.package)
    with other.http:
        assert fields(other, "first") == [FIELD]


def test_a_study_that_goes_on_can_not_be_continued_yet(project: Project) -> None:
    project.create("running", hyperparameters=STUDY)
    body = project.body(hyperparameters={"resumePreviousJobId": "running"})
    error = error_of(project.http.post("/jobs", json=body), 400, "FAILED_PRECONDITION")
    assert "is QUEUED" in error["message"]


def test_a_study_without_a_trial_has_nothing_to_continue(project: Project) -> None:
    finished(project, "empty", ending=State.CANCELLED, trials=0)
    body = project.body(hyperparameters={"resumePreviousJobId": "empty"})
    error = error_of(project.http.post("/jobs", json=body), 400, "FAILED_PRECONDITION")
    assert "without a single trial" in error["message"]


def test_a_job_can_not_continue_itself(project: Project) -> None:
    refused = project.http.post(
        "/jobs", json=project.body("me", hyperparameters={"resumePreviousJobId": "me"})
    )
    error_of(refused, 400, "INVALID_ARGUMENT")


def test_our_own_algorithm_is_inherited_unless_another_is_named(project: Project) -> None:
    chosen = {"name": "EVOLUTION", "arguments": {"population_size": "9"}}
    finished(project, "first", **STUDY, searchAlgorithm=chosen)
    assert effective(project, resume(project, "first")["jobId"])["searchAlgorithm"] == chosen
    other = effective(project, resume(project, "first", algorithm="RANDOM_SEARCH")["jobId"])
    assert "searchAlgorithm" not in other
    tpe = effective(project, resume(project, "first", searchAlgorithm={"name": "TPE"})["jobId"])
    assert tpe["searchAlgorithm"] == {"name": "TPE"}


def test_what_to_begin_with_is_checked_against_the_inherited_params(project: Project) -> None:
    finished(project, "first")
    assert fields(project, "first", initialTrials=[{"hyperparameters": {"lr": "7"}}]) == [
        "hyperparameters.initial_trials[0].hyperparameters"
    ]
    begun = [{"hyperparameters": {"lr": "0.05"}}]
    second = resume(project, "first", initialTrials=begun)
    assert effective(project, second["jobId"])["initialTrials"] == begun


def test_of_very_many_violations_the_first_are_told(project: Project) -> None:
    many = [LEARNING_RATE | {"parameterName": f"lr{number}"} for number in range(20)]
    finished(project, "first", params=many)
    told = fields(project, "first", initialTrials=[{"hyperparameters": {}}] * 20)
    assert told[:100] == ["hyperparameters.initial_trials[0].hyperparameters"] * 20 + [
        f"hyperparameters.initial_trials[{number}].hyperparameters" for number in range(1, 5) for _ in many
    ]
    assert told[100:] == ["job"]
