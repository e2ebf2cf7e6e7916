"""Tree-structured Parzen estimator: Optuna's sampler behind our protocol.

Bergstra et al. 2011, "Algorithms for hyper-parameter optimization", in the multivariate form of Falkner et
al. 2018 (BOHB): two kernel densities, of the best tenth of the trials and of the rest, and the next point is
where their ratio is largest among those drawn from the first. Pending trials count among the rest (a
constant liar), so suggestions made in parallel keep apart.

How trials are told to it:

* completed: by their objective.
* stopped early: as pruned, by their last step and value. Optuna ranks these after every completed trial, the
  longest-lived first. By value alone, an objective that gets worse with training would make a trial that was
  stopped for being bad look better than those that ran on.
* failed, or without an objective: not at all; but their points count as tried.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import optuna
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState

from tuning.space import Space, Value, Values
from tuning.suggest.derived import Derived
from tuning.suggest.optuna_encoding import OptunaEncoding
from tuning.suggest.optuna_study import study_over
from tuning.suggest.randomness import stream
from tuning.suggest.untried import draw_untried, is_exhausted
from tuning.trials import FinishedTrial, Goal, Outcome, PendingTrial

STARTUP_TRIALS = 10
"""Points are random until so many trials have an objective; fewer leave nothing to divide."""

_ATTEMPTS = 4
"""How often the model may propose a point that has been tried before a random one is taken."""


class _Known(NamedTuple):
    """What one trial of the history means: its point's key, and what the model sees of it, if anything."""

    key: Hashable
    observation: FrozenTrial | None


class TPE:
    """Models the history; no repeats while a finite space has untried points, then repeats."""

    algorithm = "TPE"
    version = f"1+optuna-{optuna.__version__}"

    def __init__(self, space: Space, goal: Goal, seed: int) -> None:
        self._space = space
        self._goal = goal
        self._seed = seed
        self._encoding = OptunaEncoding(space)
        self._known = Derived(self._read)

    def suggest(
        self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], count: int
    ) -> list[dict[str, Value]]:
        """See `Suggester.suggest`; always `count` points."""
        space, before = self._space, len(history) + len(pending)
        known = [trial for trial in self._known(history) if trial is not None]
        tried = {trial.key for trial in known}
        told = [trial.observation for trial in known if trial.observation is not None]
        learned = len(told) >= STARTUP_TRIALS and bool(self._encoding.distributions)
        for position, trial in enumerate(pending, start=len(history)):
            if space.contains(trial.values):
                tried.add(space.key(trial.values))
                told.append(self._running(position, trial.values))
        points: list[dict[str, Value]] = []
        for position in range(before, before + count):
            point = self._model_point(position, told, tried) if learned else None
            if point is None:
                point = draw_untried(space, stream(self._seed, position), tried)
            tried.add(space.key(point))
            told.append(self._running(position, point))
            points.append(point)
        return points

    def _model_point(
        self, position: int, told: Sequence[FrozenTrial], tried: set[Hashable]
    ) -> dict[str, Value] | None:
        """The model's choice for the trial at `position`; None when it insists on points already tried."""
        may_repeat = is_exhausted(self._space, tried)
        next_trial = _frozen(position, TrialState.RUNNING, {}, {})
        for attempt in range(1, _ATTEMPTS + 1):
            seed = int(stream(self._seed, position, attempt).generate_state(1)[0])
            # The startup is ours, so that its points too are uniform in scaled space and untried.
            sampler = TPESampler(n_startup_trials=0, multivariate=True, constant_liar=True, seed=seed)
            study = study_over(told, self._goal, sampler)
            params = sampler.sample_relative(study, next_trial, self._encoding.distributions)
            point = dict(self._space.settled(self._encoding.decode(params)))
            if self._space.forbids(point):
                continue
            if may_repeat or self._space.key(point) not in tried:
                return point
        return None

    def _read(self, position: int, trial: FinishedTrial) -> _Known | None:
        """Read the trial at `position` of the history; None when it is not of this space."""
        if not self._space.contains(trial.values):
            return None
        return _Known(self._space.key(trial.values), self._observe(position, trial))

    def _observe(self, position: int, trial: FinishedTrial) -> FrozenTrial | None:
        if trial.outcome is Outcome.FAILED or trial.objective is None:
            return None
        params = self._encoding.encode(trial.values)
        if trial.outcome is Outcome.STOPPED_EARLY:
            last_step = trial.curve[-1].step if trial.curve else 0
            return _frozen(position, TrialState.PRUNED, params, {last_step: trial.objective})
        return _frozen(position, TrialState.COMPLETE, params, {}, trial.objective)

    def _running(self, position: int, values: Values) -> FrozenTrial:
        return _frozen(position, TrialState.RUNNING, self._encoding.encode(values), {})


def _frozen(
    number: int,
    state: TrialState,
    params: dict[str, int | float],
    intermediate_values: dict[int, float],
    value: float | None = None,
) -> FrozenTrial:
    """A trial in Optuna's form. Its number is its place in the order of ends: TPE weighs recent ones more."""
    return FrozenTrial(
        number=number,
        trial_id=number,
        state=state,
        value=value,
        params=params,
        # Read only where a sampler infers its search space; here it is always told.
        distributions={},
        intermediate_values=intermediate_values,
        datetime_start=None,
        datetime_complete=None,
        user_attrs={},
        system_attrs={},
    )
