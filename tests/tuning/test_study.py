"""The search from Python: what is asked and told, and that nothing else of ours is needed for it."""

import subprocess
import sys

import pytest

from tests.docs.pages import ROOT
from tests.docs.plugged_in import blocks
from tuning.rules import Condition, RuledSpace
from tuning.space import Categorical, Double, Integer, Space
from tuning.stopping import make_stopper
from tuning.study import Study
from tuning.trials import Goal, Outcome, Point

SPACE = Space((Double("x", 0.0, 1.0), Integer("n", 1, 8)))


def test_the_page_s_lines_work_with_nothing_else_of_ours() -> None:
    code = "\n".join(blocks(ROOT / "docs/how-to/search-from-python.md", "python"))
    ours = "{'api_schemas', 'settings', 'store', 'service', 'worker', 'client', 'cli'}"
    code += f"\nimport sys\nassert not {ours} & sys.modules.keys()\n"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    best, stopped = ran.stdout.splitlines()
    assert float(best.split()[-1]) < 0.05
    assert int(stopped.split()[0]) > 0


def test_a_goal_and_an_algorithm_may_be_named_as_in_a_job() -> None:
    study = Study(SPACE, "MINIMIZE", "Anneal", seed=3)  # type: ignore[arg-type]
    for objective in (0.5, 0.25, 0.75):
        study.tell(study.ask(), objective)
    assert study.best is not None
    assert study.best.objective == 0.25
    with pytest.raises(ValueError, match="'minimum' is not a valid Goal"):
        Study(SPACE, "minimum")  # type: ignore[arg-type]


def test_an_argument_that_is_none_is_told_those_that_are() -> None:
    with pytest.raises(ValueError, match="'population'; its arguments: population_size"):
        Study(SPACE, algorithm="EVOLUTION", arguments={"population": 3})


def test_trials_side_by_side_differ_and_are_told_in_any_order() -> None:
    study = Study(SPACE, seed=3)
    first, second, third = study.ask(), study.ask(), study.ask()
    assert len({tuple(trial.values.items()) for trial in (first, second, third)}) == 3
    study.tell(third, 0.5)
    study.tell(first, 0.7)
    assert [trial.number for trial in study.history] == [2, 0]
    assert study.best is not None
    assert study.best.objective == 0.5
    with pytest.raises(ValueError, match="trial 2 is not running"):
        study.tell(third, 0.1)


def test_a_study_goes_on_from_the_history_of_another() -> None:
    whole = Study(SPACE, Goal.MAXIMIZE, "TPE", seed=5)
    for number in range(14):
        whole.tell(whole.ask(), number * 1.0)
    again = Study(SPACE, Goal.MAXIMIZE, "TPE", seed=5, history=whole.history)
    assert again.best == whole.best
    mine, other = again.ask(), whole.ask()
    assert (mine.number, mine.values) == (other.number, other.values)


def test_what_failed_or_is_not_finite_is_never_the_best() -> None:
    study = Study(SPACE, seed=1)
    assert study.best is None
    study.tell(study.ask(), -1.0, failed=True)
    study.tell(study.ask(), float("nan"))
    study.tell(study.ask())
    assert study.best is None
    assert [trial.outcome for trial in study.history] == [
        Outcome.FAILED,
        Outcome.COMPLETED,
        Outcome.COMPLETED,
    ]
    study.tell(study.ask(), 4.0)
    assert study.best is study.history[-1]


def test_a_grid_ends() -> None:
    study = Study(Space((Integer("n", 1, 2),)), algorithm="GRID_SEARCH")
    assert [study.ask().values["n"], study.ask().values["n"]] == [1, 2]
    with pytest.raises(StopIteration):
        study.ask()


def test_a_hopeless_trial_is_given_up_and_keeps_its_last_value() -> None:
    study = Study(SPACE, Goal.MAXIMIZE, stopping=make_stopper("MEDIAN", Goal.MAXIMIZE))
    for _ in range(5):
        trial = study.ask()
        assert not any(study.report(trial, step, 1.0 + step) for step in (1, 2, 3))
        assert study.tell(trial).objective == 4.0
    hopeless = study.ask()
    assert not study.report(hopeless, 1, float("nan"))
    assert [study.report(hopeless, step, 0.1 * step) for step in (1, 2)] == [False, True]
    told = study.tell(hopeless)
    assert (told.outcome, told.objective) == (Outcome.STOPPED_EARLY, 0.2)


def test_rules_hold_here_too() -> None:
    space = RuledSpace(
        (Categorical("c", ("a", "b")), Double("x", 0.0, 1.0)), {"x": (Condition("c", ("b",)),)}
    )
    study = Study(space, algorithm="RANDOM_SEARCH")
    asked = [study.ask().values for _ in range(12)]
    assert {tuple(values) for values in asked} == {("c",), ("c", "x")}


def test_of_a_step_that_is_reported_twice_the_later_value_counts() -> None:
    study = Study(SPACE)
    trial = study.ask()
    for step, value in ((1, 4.0), (2, 3.0), (2, 2.0)):
        study.report(trial, step, value)
    told = study.tell(trial)
    assert (told.objective, told.curve) == (2.0, (Point(1, 4.0), Point(2, 2.0)))


def test_a_trial_of_another_study_is_refused_and_changes_nothing() -> None:
    study, other = Study(SPACE), Study(SPACE)
    mine, foreign = study.ask(), other.ask()
    with pytest.raises(ValueError, match="trial 0 is not running"):
        study.tell(foreign, 1.0)
    assert study.tell(mine, 2.0).objective == 2.0


def test_what_is_no_number_is_refused_and_the_trial_can_be_told_again() -> None:
    study = Study(SPACE)
    trial = study.ask()
    with pytest.raises(TypeError, match="must be real number"):
        study.tell(trial, "0.5")  # type: ignore[arg-type]
    assert study.tell(trial, 0.5).objective == 0.5


def test_a_scale_may_be_named_as_in_a_job() -> None:
    space = Space((Double("rate", 1e-4, 1.0, "UNIT_LOG_SCALE"), Integer("n", 1, 100, "UNIT_LOG_SCALE")))  # type: ignore[arg-type]
    assert [parameter.scale.is_logarithmic for parameter in space.parameters] == [True, True]  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="'LOG' is not a valid Scale"):
        Double("rate", 1e-4, 1.0, "LOG")  # type: ignore[arg-type]


def test_one_text_is_no_list_of_categories() -> None:
    with pytest.raises(ValueError, match=r"parameter 'solver': categories are a list, as \['sgd'\]"):
        Categorical("solver", "sgd")  # type: ignore[arg-type]
