"""What CMA-ES does to be in time, beyond what every suggester does."""

import cmaes
import pytest

from api_schemas.search_algorithms import MAX_CMA_ES_PARAMETERS
from tuning.space import Categorical, Double, Integer, Space
from tuning.suggest import make_suggester
from tuning.suggest.cma_es import MAX_PARAMETERS, CmaEs
from tuning.testing import run_alone, some_history
from tuning.trials import Goal

PLANE = Space((Double("x", 0.0, 1.0), Double("y", 0.0, 1.0)))


def test_no_generation_is_told_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    tell = cmaes.CMA.tell
    monkeypatch.setattr(cmaes.CMA, "tell", lambda self, trials: (told.append(trials), tell(self, trials)))
    run_alone(make_suggester("CMA_ES", PLANE, Goal.MINIMIZE, 7), PLANE, 40)
    assert len(told) == 6  # Of six trials each.


def test_what_is_remembered_changes_no_answer() -> None:
    """Histories that grow by several, shrink and turn into others."""
    long, other = some_history(PLANE, 40), some_history(PLANE, 50)[10:]
    one = make_suggester("CMA_ES", PLANE, Goal.MINIMIZE, 7)
    for history in (long[:7], long[:30], long, long[:12], other, [*long[:20], *other], []):
        fresh = make_suggester("CMA_ES", PLANE, Goal.MINIMIZE, 7)
        assert one.suggest(history, [], 2) == fresh.suggest(history, [], 2)


def test_after_a_failure_it_answers_as_one_that_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    history = some_history(PLANE, 40)
    one = make_suggester("CMA_ES", PLANE, Goal.MINIMIZE, 7)
    one.suggest(history[:10], [], 1)
    with monkeypatch.context() as failing:
        failing.setattr(CmaEs, "_units", None)
        with pytest.raises(TypeError):
            one.suggest(history, [], 1)
    fresh = make_suggester("CMA_ES", PLANE, Goal.MINIMIZE, 7)
    assert one.suggest(history, [], 1) == fresh.suggest(history, [], 1)


def test_it_takes_as_many_numbers_as_jobs_may_have_for_it() -> None:
    assert MAX_PARAMETERS == MAX_CMA_ES_PARAMETERS
    most = [Double(f"x{number}", 0.0, 1.0) for number in range(MAX_PARAMETERS)]
    also = [Categorical("c", ("a", "b")), Integer("one", 1, 1)]
    assert make_suggester("CMA_ES", Space((*most, *also)), Goal.MINIMIZE, 7).suggest([], [], 1)
    with pytest.raises(ValueError, match="at most 200 numeric parameters, not 201"):
        make_suggester("CMA_ES", Space((*most, Integer("n", 1, 2))), Goal.MINIMIZE, 7)
