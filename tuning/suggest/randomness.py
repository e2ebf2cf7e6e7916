"""Where a suggester's random numbers come from: its seed and how many trials there are, nothing else."""

from collections.abc import Sequence

import numpy as np

from tuning.space import Space, Value


def stream(seed: int, trial: int, purpose: int = 0) -> np.random.SeedSequence:
    """The randomness of one suggestion: independent for every seed, trial and purpose.

    Args:
        seed: the suggester's seed.
        trial: how many trials, finished or pending, came before the one to suggest. A batch of n is thus
            drawn like n single suggestions in a row.
        purpose: tells apart the streams that one suggestion draws from.
    """
    return np.random.SeedSequence(seed, spawn_key=(trial, purpose))


def uniforms(source: np.random.SeedSequence, points: int, space: Space) -> Sequence[Sequence[float]]:
    """Uniform draws in [0, 1): `points` rows with one draw for each parameter."""
    draws: list[list[float]] = np.random.default_rng(source).random((points, len(space.parameters))).tolist()
    return draws


def draw_point(space: Space, source: np.random.SeedSequence) -> dict[str, Value]:
    """One point, uniform in scaled space."""
    return space.draw(uniforms(source, 1, space)[0])
