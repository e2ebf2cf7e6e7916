"""Our own fields of a search (docs/contract.md 6.1, 6.6): what is read, and which field is refused."""

from typing import Any

import pytest

from api_schemas.enums import GoalType
from api_schemas.search_algorithms import ARGUMENTS, MAX_CMA_ES_PARAMETERS, arguments_of
from api_schemas.search_points import point_of
from api_schemas.wire import to_wire
from tests.api_schemas.job_bodies import LEARNING_RATE, fields, job, refusal, training, tuning_job

AT = "hyperparameters"
LAYERS = {"parameterName": "layers", "type": "INTEGER", "minValue": 1.0, "maxValue": 8.0}
BATCH = {"parameterName": "batch", "type": "DISCRETE", "discreteValues": [32.0, 64.0]}
OPT = {"parameterName": "opt", "type": "CATEGORICAL", "categoricalValues": ["adam", "sgd", "1"]}
ALL = (LEARNING_RATE, LAYERS, BATCH, OPT)
POINT = {"lr": "0.01", "layers": "3", "batch": "64", "opt": "1"}


def searching(name: str, **arguments: Any) -> dict[str, Any]:
    initial = [{"hyperparameters": {"lr": 0.01}}] if name == "BATCH" else []
    return tuning_job(searchAlgorithm={"name": name, "arguments": arguments}, initialTrials=initial)


def spec_of(body: dict[str, Any]) -> Any:
    return training(body).hyperparameters


@pytest.mark.parametrize(
    ("written", "known"),
    [(name, name) for name in ARGUMENTS if name != "GRID_SEARCH"]
    + [("Anneal", "ANNEAL"), ("Evolution", "EVOLUTION"), ("cma-es", "CMA_ES")],
)
def test_an_algorithm_is_known_by_its_name_in_any_spelling(written: str, known: str) -> None:
    assert spec_of(searching(written)).effective_algorithm == known


def test_without_it_a_request_means_what_it_meant() -> None:
    assert spec_of(tuning_job()).effective_algorithm == "ALGORITHM_UNSPECIFIED"
    assert spec_of(tuning_job(algorithm="RANDOM_SEARCH")).effective_algorithm == "RANDOM_SEARCH"
    assert spec_of(tuning_job(searchAlgorithm={"name": "TPE"}, algorithm=0)).effective_algorithm == "TPE"
    assert arguments_of(spec_of(tuning_job())) == {}


@pytest.mark.parametrize(
    ("name", "given", "read"),
    [
        ("EVOLUTION", {"population_size": 20}, {"population_size": 20}),
        ("EVOLUTION", {"population_size": "20", "optimize_mode": "maximize"}, {"population_size": 20}),
        ("EVOLUTION", {"population_size": 20.0}, {"population_size": 20}),
        ("ANNEAL", {"avg_best_idx": 1, "shrink_coef": "1e-2"}, {"avg_best_idx": 1.0, "shrink_coef": 0.01}),
        ("CMA_ES", {"sigma0": 1}, {"sigma0": 1.0}),
        ("LOCAL", {"probab_local": 0, "num_init_random": 1}, {"probab_local": 0.0, "num_init_random": 1}),
    ],
)
def test_arguments_are_read_as_what_they_are(name: str, given: dict[str, Any], read: dict[str, Any]) -> None:
    found = arguments_of(spec_of(searching(name, **given)))
    assert found == read
    assert [type(value) for value in found.values()] == [type(value) for value in read.values()]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (searching("HYPERBAND"), "name"),
        (tuning_job(searchAlgorithm={}), "name"),
        (searching("TPE", gamma=3), "arguments.gamma"),
        (searching("EVOLUTION", population_size=0), "arguments.population_size"),
        (searching("EVOLUTION", population_size=2.5), "arguments.population_size"),
        (searching("EVOLUTION", population_size="many"), "arguments.population_size"),
        (searching("EVOLUTION", population_size=True), "arguments.population_size"),
        (searching("EVOLUTION", optimize_mode="minimize"), "arguments.optimize_mode"),
        (searching("ANNEAL", avg_best_idx=0.5), "arguments.avg_best_idx"),
        (searching("ANNEAL", shrink_coef=0), "arguments.shrink_coef"),
        (searching("ANNEAL", shrink_coef="NaN"), "arguments.shrink_coef"),
        (searching("CMA_ES", population_size=1), "arguments.population_size"),
        (searching("CMA_ES", sigma0=1.5), "arguments.sigma0"),
        (searching("LOCAL", probab_local=-0.1), "arguments.probab_local"),
        (searching("LOCAL", num_init_random=1e9), "arguments.num_init_random"),
    ],
)
def test_what_is_no_algorithm_and_no_argument_of_it_is_refused(body: dict[str, Any], field: str) -> None:
    assert fields(refusal(body)) == [f"{AT}.search_algorithm.{field}"]


@pytest.mark.parametrize(
    ("last", "is_refused"),
    [
        (LAYERS, True),
        (BATCH, True),
        (OPT, False),
        (LAYERS | {"maxValue": 1.0}, False),
        (BATCH | {"discreteValues": [32.0]}, False),
    ],
)
def test_more_numbers_than_cma_es_can_search_in_its_time_are_refused(
    last: dict[str, Any], is_refused: bool
) -> None:
    many = [LEARNING_RATE | {"parameterName": f"x{number}"} for number in range(MAX_CMA_ES_PARAMETERS)]
    body = tuning_job(*many, last, searchAlgorithm={"name": "CMA-ES"})
    if is_refused:
        [violation] = refusal(body).violations
        assert violation.field == f"{AT}.params"
        assert "at most 200 parameters that are numbers; these are 201" in violation.description
    else:
        assert spec_of(body)
    assert spec_of(tuning_job(*many, last, searchAlgorithm={"name": "TPE"}))


def test_only_one_field_names_the_algorithm() -> None:
    body = tuning_job(searchAlgorithm={"name": "TPE"}, algorithm="RANDOM_SEARCH")
    assert fields(refusal(body)) == [f"{AT}.search_algorithm"]


def test_a_grid_over_a_range_is_refused_by_either_name() -> None:
    assert fields(refusal(searching("GRID_SEARCH"))) == [f"{AT}.params[0].type"]


def test_nni_s_mode_may_repeat_the_goal() -> None:
    body = searching("Anneal", optimize_mode="minimize")
    body["trainingInput"]["hyperparameters"]["goal"] = GoalType.MINIMIZE.name
    assert arguments_of(spec_of(body)) == {}


class TestInitialTrials:
    @staticmethod
    def beginning(*trials: dict[str, Any], **spec: Any) -> dict[str, Any]:
        return tuning_job(*ALL, initialTrials=[{"hyperparameters": trial} for trial in trials], **spec)

    def test_values_are_read_as_their_parameters_have_them(self) -> None:
        spec = spec_of(self.beginning({"opt": 1, "batch": 64, "layers": 3.0, "lr": "1e-2"}))
        [trial] = spec.initial_trials
        assert list(point_of(spec, trial).items()) == [
            ("lr", 0.01),
            ("layers", 3),
            ("batch", 64.0),
            ("opt", "1"),
        ]

    def test_a_trial_of_an_answer_can_be_given_as_it_is(self) -> None:
        spec = spec_of(self.beginning(POINT))
        assert to_wire(spec)["initialTrials"] == [{"hyperparameters": POINT}]

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"lr": "0.2"}, "'lr': '0.2' must be from 0.001 to 0.1"),
            ({"lr": "NaN"}, "'lr': 'NaN' must be a number"),
            ({"lr": "fast"}, "'lr': 'fast' must be a number"),
            ({"layers": 2.5}, "'layers': '2.5' must be a whole number"),
            ({"layers": 9}, "'layers': '9' must be from 1 to 8"),
            ({"batch": 48}, "'batch': '48' is not among its discreteValues"),
            ({"opt": "Adam"}, "'opt': 'Adam' is not among its categoricalValues"),
            ({"momentum": 0.9}, "'momentum' is not among the params"),
            ({"opt": None}, "must"),
        ],
    )
    def test_what_is_no_point_of_the_space_is_refused(self, change: dict[str, Any], said: str) -> None:
        [violation] = refusal(self.beginning(POINT, POINT | change)).violations
        assert violation.field.startswith(
            (f"{AT}.initial_trials[1].", f"job.training_input.{AT}.initial_trials[1].")
        )
        assert said in violation.description

    def test_a_parameter_that_is_missing_is_named(self) -> None:
        [violation] = refusal(
            self.beginning({key: POINT[key] for key in ("lr", "layers", "batch")})
        ).violations
        assert "'opt' is missing" in violation.description

    def test_a_batch_needs_some(self) -> None:
        assert fields(refusal(tuning_job(searchAlgorithm={"name": "BATCH"}))) == [f"{AT}.initial_trials"]

    @pytest.mark.parametrize("max_trials", [{}, {"maxTrials": 1}, {"maxTrials": 2}])
    @pytest.mark.parametrize("algorithm", ["BATCH", "TPE"])
    def test_more_than_there_are_trials_are_refused_and_told_what_to_change(
        self, algorithm: str, max_trials: dict[str, int]
    ) -> None:
        points = [POINT | {"layers": layers} for layers in (1, 2, 3)]
        search = {"searchAlgorithm": {"name": algorithm}, **max_trials}
        [violation] = refusal(self.beginning(*points, **search)).violations
        assert violation.field == f"{AT}.initial_trials"
        allowed = max_trials.get("maxTrials", 1)
        assert violation.description == (
            f"These are 3, more than maxTrials, which is {allowed}; "
            "raise it to try them all, or leave some out."
        )

    def test_points_that_are_the_same_are_tried_once_and_count_as_one(self) -> None:
        again = POINT | {"layers": f"{float(POINT['layers'])}"}
        assert spec_of(self.beginning(POINT, again, maxTrials=1))

    def test_a_job_that_resumes_may_have_tried_some_of_them(self) -> None:
        points = [POINT | {"layers": layers} for layers in (1, 2, 3)]
        assert spec_of(self.beginning(*points, maxTrials=1, resumePreviousJobId="first"))

    def test_a_job_that_resumes_is_checked_once_its_params_are_known(self) -> None:
        body = job(
            hyperparameters={
                "resumePreviousJobId": "first",
                "initialTrials": [{"hyperparameters": {"anything": 1}}],
            }
        )
        assert spec_of(body).initial_trials
