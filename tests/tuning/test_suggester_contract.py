"""Every algorithm of ours passes the published suite; and what making one refuses.

A new algorithm joins by being added to ALGORITHMS in tuning/suggest; the suite then runs on it.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from tuning.space import Double, Integer, Space, Value
from tuning.suggest import ALGORITHMS, Suggester, make_suggester
from tuning.suggest.quasi_random import QuasiRandomSearch
from tuning.testing import LEARNED, SPACES, SuggesterContract, run_alone, some_history
from tuning.trials import FinishedTrial, Goal, PendingTrial

CLASSES: dict[str, str] = {place: name for name, place in sorted(ALGORITHMS.items())}
"""DEFAULT and ALGORITHM_UNSPECIFIED are names of GAUSSIAN_PROCESS; see the test of names below."""


def contract_of(algorithm: str) -> type[SuggesterContract]:
    class OfOne(SuggesterContract):
        searches_doubles = algorithm != "GRID_SEARCH"
        ends = algorithm in ("GRID_SEARCH", "BATCH")
        seeded = algorithm not in ("GRID_SEARCH", "BATCH")

        def make(self, space: Space, goal: Goal, seed: int) -> Suggester:
            initial = a_list(space) if algorithm == "BATCH" else []
            return make_suggester(algorithm, space, goal, seed, initial=initial)

    return OfOne


def a_list(space: Space) -> list[dict[str, Value]]:
    """All points of a small space, or enough of a large one."""
    count = space.size if space.size is not None and space.size <= 100 else LEARNED + 9
    return QuasiRandomSearch(space, Goal.MINIMIZE, 5).suggest([], [], count)


for _algorithm in CLASSES.values():
    globals()[f"Test_{_algorithm}"] = contract_of(_algorithm)


@pytest.mark.parametrize(("asked", "place"), ALGORITHMS.items())
def test_a_suggester_says_what_it_is(asked: str, place: str) -> None:
    space = SPACES["integers"]
    suggester = make_suggester(asked, space, Goal.MINIMIZE, 7, initial=[{"n": 1, "m": 0}])
    assert suggester.algorithm == CLASSES[place]
    assert 0 < len(suggester.version) <= 32


def test_an_unknown_algorithm_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'HYPERBAND'.*DEFAULT.*GAUSSIAN_PROCESS.*RANDOM_SEARCH.*TPE"):
        make_suggester("HYPERBAND", SPACES["integers"], Goal.MINIMIZE, 7)


@pytest.mark.parametrize("algorithm", CLASSES.values())
def test_a_negative_seed_is_refused(algorithm: str) -> None:
    with pytest.raises(ValueError, match="seed"):
        make_suggester(algorithm, SPACES["integers"], Goal.MINIMIZE, -1, initial=[{"n": 1, "m": 0}])


@pytest.mark.parametrize(
    ("algorithm", "arguments"),
    [
        ("ANNEAL", {"avg_best_idx": 0.5}),
        ("ANNEAL", {"shrink_coef": 0.0}),
        ("ANNEAL", {"shrink_coef": float("nan")}),
        ("CMA_ES", {"population_size": 1}),
        ("CMA_ES", {"sigma0": 0.0}),
        ("EVOLUTION", {"population_size": 0}),
        ("LOCAL", {"probab_local": 1.1}),
        ("LOCAL", {"num_init_random": 0}),
        ("TPE", {"gamma": 3}),
        ("RANDOM_SEARCH", {"speed": 3}),
    ],
)
def test_an_argument_that_is_none_or_out_of_its_range_is_refused(
    algorithm: str, arguments: Mapping[str, Any]
) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        make_suggester(algorithm, SPACES["mixed"], Goal.MINIMIZE, 0, arguments)


@pytest.mark.parametrize("algorithm", ["ANNEAL", "CMA_ES", "EVOLUTION", "LOCAL"])
def test_those_that_learn_do_better_than_chance(algorithm: str) -> None:
    """In the median of seven seeds, after 120 trials over three numbers: time for a dozen generations."""
    space = Space((Double("x", 0.0, 1.0), Double("y", 0.0, 1.0), Integer("n", 0, 99)))

    def best(name: str) -> float:
        results = []
        for seed in range(7):
            arguments = {"population_size": 10} if name == "EVOLUTION" else {}
            suggester = make_suggester(name, space, Goal.MINIMIZE, seed, arguments)
            results.append(min(trial.objective or 0.0 for trial in run_alone(suggester, space, 120)))
        return sorted(results)[3]

    assert best(algorithm) < best("RANDOM_SEARCH")


class TestInitialPoints:
    POINTS = ({"n": 4, "m": 1}, {"n": 2, "m": 0}, {"n": 4, "m": 1})

    @pytest.mark.parametrize("algorithm", [name for name in CLASSES.values() if name != "BATCH"])
    def test_they_come_first_in_their_order_and_once(self, algorithm: str) -> None:
        space = SPACES["integers"]
        suggester = make_suggester(algorithm, space, Goal.MINIMIZE, 7, initial=self.POINTS)
        batch = suggester.suggest([], [], 12)
        assert batch[:2] == [self.POINTS[0], self.POINTS[1]]
        assert len({space.key(point) for point in batch}) == 12
        pending = [PendingTrial(1, batch[0])]
        assert suggester.suggest([], pending, 1) == [batch[1]]

    def test_afterwards_the_algorithm_goes_on_from_them(self) -> None:
        space = SPACES["mixed"]
        plain = make_suggester("GAUSSIAN_PROCESS", space, Goal.MINIMIZE, 7)
        history: list[FinishedTrial] = some_history(space, LEARNED)
        initial = [dict(history[3].values), dict(history[0].values)]
        suggester = make_suggester("GAUSSIAN_PROCESS", space, Goal.MINIMIZE, 7, initial=initial)
        assert suggester.suggest(history, [], 2) == plain.suggest(history, [], 2)

    def test_one_that_is_not_of_the_space_is_refused(self) -> None:
        with pytest.raises(ValueError, match="point 1"):
            make_suggester(
                "TPE", SPACES["integers"], Goal.MINIMIZE, 7, initial=[{"n": 1, "m": 0}, {"n": 9, "m": 0}]
            )

    def test_a_batch_without_points_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at least one point"):
            make_suggester("BATCH", SPACES["integers"], Goal.MINIMIZE, 7)
