"""Bayesian optimisation: begins in the middle, goes on quasi-randomly, then where a model promises most.

Jones et al. 1998, "Efficient global optimization of expensive black-box functions". Points of a batch, and
trials under way, are believed to give what the model expects of them (Ginsbourger et al. 2010, the kriging
believer): the next point then goes where they leave something to learn.
"""

from collections.abc import Hashable, Sequence, Set
from typing import NamedTuple

import numpy as np
import scipy
from scipy.stats.qmc import Sobol

from tuning.space import Space, Value, Values
from tuning.suggest.bayesian.features import Array, Features
from tuning.suggest.bayesian.maximum import Promise, most_promising
from tuning.suggest.bayesian.model import Data, GaussianProcess, Shape, fit
from tuning.suggest.bayesian.one_thread import one_thread
from tuning.suggest.bayesian.outcomes import objectives
from tuning.suggest.derived import Derived
from tuning.suggest.randomness import stream
from tuning.suggest.untried import draw_untried, is_exhausted
from tuning.trials import FinishedTrial, Goal, PendingTrial

STARTUP_TRIALS = 5
"""Quasi-random points until so many trials have ended with something to learn from."""
FITTED_TRIALS, MODELLED_TRIALS = 120, 400
"""Trials that the model is fitted to, and made of; of more, those that `Data.fewer` keeps."""
_START = 64
"""The points of the quasi-random start; beyond them, as when nothing ends, points are random."""
_SPREAD, _NEAR = 512, 256
"""Candidates: quasi-random ones all over the space, and ones near the best trials."""


class _Model(NamedTuple):
    """What was fitted to a history; `rows` are those of the trials in the model."""

    shape: Shape
    process: GaussianProcess
    rows: Array


class GaussianProcessSearch:
    """Models the history; no repeats while a finite space has untried points, then repeats."""

    algorithm = "GAUSSIAN_PROCESS"
    version = f"2+scipy-{scipy.__version__}"

    def __init__(self, space: Space, goal: Goal, seed: int) -> None:
        self._space = space
        self._goal = goal
        self._seed = seed
        self._features = Features(space)
        self._known = Derived(
            lambda _, trial: space.key(trial.values) if space.contains(trial.values) else None
        )
        self._start: Array | None = None
        self._fitted: tuple[list[FinishedTrial], _Model] | None = None

    def suggest(
        self, history: Sequence[FinishedTrial], pending: Sequence[PendingTrial], count: int
    ) -> list[dict[str, Value]]:
        """See `Suggester.suggest`; always `count` points."""
        space, before = self._space, len(history) + len(pending)
        keys = self._known(history)
        ended = [trial for key, trial in zip(keys, history, strict=True) if key is not None]
        under_way = [trial.values for trial in pending if space.contains(trial.values)]
        tried: set[Hashable] = {key for key in keys if key is not None}
        tried |= {space.key(values) for values in under_way}
        points: list[dict[str, Value]] = []
        with one_thread():
            model = self._model(ended) if count else None
            for position in range(before, before + count):
                point = None
                if model is not None:
                    point = self._promising(model, position, [*under_way, *points], tried)
                elif self._features.parameters:
                    point = self._begin(position, tried)
                if point is None:
                    point = draw_untried(space, stream(self._seed, position), tried)
                tried.add(space.key(point))
                points.append(point)
        return points

    def _begin(self, position: int, tried: Set[Hashable]) -> dict[str, Value] | None:
        """The start's point at `position`: the middle, then a Sobol sequence; None for one already tried."""
        if position >= _START:
            return None
        if self._start is None:
            dimensions = len(self._features.parameters)
            draws = Sobol(dimensions, rng=np.random.default_rng(stream(self._seed, 0, 1))).random(_START)
            draws[0] = 0.5
            self._start = self._features.rows(draws.tolist())
        point = self._point(self._start[position])
        return point if self._space.key(point) not in tried and not self._space.forbids(point) else None

    def _model(self, ended: Sequence[FinishedTrial]) -> _Model | None:
        """What these trials say; None for too few. Remembered for the same trials only."""
        if self._fitted is not None and self._fitted[0] == list(ended):
            return self._fitted[1]
        told, values, doubts, variances = objectives(ended, self._goal)
        if len(told) < STARTUP_TRIALS or not self._features.parameters or np.ptp(values) == 0.0:
            return None
        rows = np.array([self._features.row(trial.values) for trial in told])
        data = Data(rows, values, doubts, variances)
        shape = fit(data.fewer(FITTED_TRIALS), self._features.is_category)
        data = data.fewer(MODELLED_TRIALS)
        process = GaussianProcess(shape, data, self._features.is_category)
        model = _Model(shape, process, data.rows)
        self._fitted = list(ended), model
        return model

    def _promising(
        self,
        model: _Model,
        position: int,
        believed: Sequence[Values],
        tried: Set[Hashable],
    ) -> dict[str, Value] | None:
        """The most promising point that has not been tried; None when nothing looked at is untried."""
        process, seen = model.process, model.rows
        if believed:
            more = np.array([self._features.row(values) for values in believed])
            process, seen = process.with_believed(model.shape, more), np.vstack([seen, more])
        expected, _ = process.predict(seen)
        order = np.argsort(expected, kind="stable")
        candidates = self._candidates(position, seen[order[:4]])
        promise = Promise(process, float(expected[order[0]]))
        may_repeat = is_exhausted(self._space, tried)
        for row in most_promising(promise, candidates, self._features):
            point = self._point(row)
            if self._space.forbids(point):
                continue
            if may_repeat or self._space.key(point) not in tried:
                return point
        return None

    def _point(self, row: Array) -> dict[str, Value]:
        return dict(self._space.settled(self._features.point(row.tolist())))

    def _candidates(self, position: int, best: Array) -> Array:
        """Points all over the space, and points that differ from the best trials in some parameters."""
        random = np.random.default_rng(stream(self._seed, position))
        dimensions = len(self._features.parameters)
        spread = self._features.rows(Sobol(dimensions, rng=random).random(_SPREAD).tolist())
        near = best[random.integers(len(best), size=_NEAR)]
        fresh = spread[random.integers(_SPREAD, size=_NEAR)]
        width = 10.0 ** random.uniform(-2.5, -0.5, size=(_NEAR, 1))
        moved = np.clip(near + width * random.standard_normal(near.shape), 0.0, 1.0)
        changed = np.where(self._features.is_smooth, self._features.rounded(moved), fresh)
        chosen = random.random(near.shape) < np.maximum(0.3, 1.0 / dimensions)
        return np.vstack([spread, np.where(chosen, changed, near), best])
