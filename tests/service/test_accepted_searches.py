"""What the door accepts, the search can run: a job that can't be searched would be tried again for ever."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from api_schemas.errors import InvalidArgument
from api_schemas.hyperparameters import HyperparameterSpec
from api_schemas.wire import to_wire
from tests.api_schemas.job_bodies import job, training
from tests.api_schemas.job_strategies import searches
from worker.study import Study

EDGES = st.sampled_from([0, 5e-324, -1e308, 1e308, 1.7e308, 2**53, 2**53 + 1, 0.5, "NaN", "Infinity"])
SCALES = st.sampled_from(["NONE", "UNIT_LOG_SCALE", "UNIT_REVERSE_LOG_SCALE"])
ranges = st.fixed_dictionaries(
    {
        "parameterName": st.just("edge"),
        "type": st.sampled_from(["DOUBLE", "INTEGER"]),
        "minValue": EDGES,
        "maxValue": EDGES,
        "scaleType": SCALES,
    }
)


@settings(max_examples=200)
@given(
    searches, st.none() | ranges, st.sampled_from(["ALGORITHM_UNSPECIFIED", "GRID_SEARCH", "RANDOM_SEARCH"])
)
def test_every_search_that_is_accepted_makes_a_first_suggestion(
    search: dict[str, Any], edge: dict[str, Any] | None, algorithm: str
) -> None:
    posted = search | {"algorithm": algorithm, "params": [*search["params"], *([edge] if edge else [])]}
    try:
        spec = training(job(hyperparameters=posted)).hyperparameters
    except InvalidArgument:
        return
    assert spec is not None
    # As the worker reads it back from the store.
    study = Study(HyperparameterSpec.model_validate(to_wire(spec)), seed=0)
    (values,) = study.suggest([], 1).values
    assert list(values) == [parameter.parameter_name for parameter in spec.params]
