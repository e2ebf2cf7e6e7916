"""A throwaway Optuna study over trials that are already made.

Optuna's samplers read a study, and its own storages copy every trial on the way in. Here the trials are
prepared once and kept by the caller; a study over them then costs next to nothing, so each suggestion can
have a fresh one, and nothing that a sampler remembers can change a later answer.
"""

from collections.abc import Container, Sequence
from typing import Any

from optuna import Study
from optuna.samplers import BaseSampler
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from tuning.trials import Goal

_DIRECTIONS = {Goal.MAXIMIZE: StudyDirection.MAXIMIZE, Goal.MINIMIZE: StudyDirection.MINIMIZE}


class _PreparedStorage(InMemoryStorage):
    """One study whose trials are given and never change; only what samplers read is answered."""

    def __init__(self, goal: Goal, trials: Sequence[FrozenTrial]) -> None:
        super().__init__()
        self._direction = _DIRECTIONS[goal]
        self._trials = trials

    def get_study_id_from_name(self, study_name: str) -> int:
        return 0

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        return [self._direction]

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        return [trial for trial in self._trials if states is None or trial.state in states]

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Dropped: a sampler leaves notes here for other processes, and this study has none."""


def study_over(trials: Sequence[FrozenTrial], goal: Goal, sampler: BaseSampler) -> Study:
    """A study of these trials, by increasing number; neither it nor the sampler changes them."""
    return Study("", _PreparedStorage(goal, trials), sampler)
