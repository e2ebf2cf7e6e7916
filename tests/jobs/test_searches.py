"""Whole jobs that ask for more than v1 could: other algorithms, and trials to begin with."""

from typing import Any

import pytest

from tests.jobs.conftest import Jobs
from tests.jobs.test_logs_of_jobs import log_of, message
from tests.running_service import RunningService

PARABOLA = """
x = float(flags["x"])
report(1, 1 - (x - 0.3) ** 2)
"""


def values(trials: list[dict[str, Any]]) -> dict[int, float]:
    """x by trial number."""
    return {int(trial["trialId"]): float(trial["hyperparameters"]["x"]) for trial in trials}


@pytest.mark.parametrize("name", ["Evolution", "CMA-ES", "QUASI_RANDOM"])
def test_another_algorithm_and_what_to_begin_with(jobs: Jobs, name: str) -> None:
    search = {
        "searchAlgorithm": {"name": name},
        "initialTrials": [{"hyperparameters": {"x": "0.25"}}, {"hyperparameters": {"x": 0.5}}],
        "maxTrials": 5,
    }
    job_id = jobs.submit(PARABOLA, search)
    trials = jobs.trials(job_id)
    tried = values(trials)
    assert (tried[1], tried[2]) == (0.25, 0.5)
    assert len(set(tried.values())) == 5
    posted = jobs.get(job_id)["trainingInput"]["hyperparameters"]
    assert posted["searchAlgorithm"] == {"name": name}
    assert posted["initialTrials"][1] == {"hyperparameters": {"x": "0.5"}}


def test_a_batch_is_tried_in_its_order_and_ends_the_job(jobs: Jobs) -> None:
    search = {
        "searchAlgorithm": {"name": "BATCH"},
        "initialTrials": [{"hyperparameters": {"x": x}} for x in (0.9, 0.1, 0.4)],
        "maxTrials": 10,
    }
    job_id = jobs.submit(PARABOLA, search)
    assert values(jobs.trials(job_id)) == {1: 0.9, 2: 0.1, 3: 0.4}
    assert jobs.get(job_id)["state"] == "SUCCEEDED"


def test_a_parameter_that_is_not_active_is_no_flag_and_what_is_forbidden_is_not_tried(
    jobs: Jobs, service: RunningService
) -> None:
    source = """
assert ("momentum" in flags) == (flags["opt"] == "sgd"), sys.argv
report(1, float(flags.get("momentum", 0.5)))
"""
    params = [
        {"parameterName": "opt", "type": "CATEGORICAL", "categoricalValues": ["adam", "sgd"]},
        {
            "parameterName": "momentum",
            "type": "DISCRETE",
            "discreteValues": [0.1, 0.5, 0.9],
            "conditions": [{"parameterName": "opt", "values": ["sgd"]}],
        },
    ]
    forbidden = [{"conditions": [{"parameterName": "momentum", "max": 0.3}]}]
    search = {"params": params, "forbidden": forbidden, "algorithm": "GRID_SEARCH", "maxTrials": 9}
    job_id = jobs.submit(source, search)
    tried = [trial["hyperparameters"] for trial in jobs.trials(job_id)]
    assert {tuple(sorted(each.items())) for each in tried} == {
        (("opt", "adam"),),
        (("momentum", "0.5"), ("opt", "sgd")),
        (("momentum", "0.9"), ("opt", "sgd")),
    }
    assert len(tried) == 3
    assert jobs.get(job_id)["state"] == "SUCCEEDED"
    assert "The search found nothing more to try after 3 of 9 trials." in map(
        message, log_of(jobs, service, job_id)
    )
