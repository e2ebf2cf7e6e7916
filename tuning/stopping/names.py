"""Stopping rules by name, with their arguments (docs/contract.md 6.3)."""

from collections.abc import Callable
from typing import Any

from tuning.stopping.asha import SuccessiveHalving
from tuning.stopping.curve_fitting import CurveFittingAssessor
from tuning.stopping.decay_curve import DecayCurvePrediction
from tuning.stopping.guards import Guards, Stopper
from tuning.stopping.median import MedianStoppingRule
from tuning.stopping.median_stop import MedianStopAssessor
from tuning.stopping.protocol import StoppingRule
from tuning.trials import Goal

RULES: dict[str, Callable[..., StoppingRule]] = {
    "MEDIAN": MedianStoppingRule,
    "DECAY_CURVE": DecayCurvePrediction,
    "ASHA": SuccessiveHalving,
    "CURVEFITTING": CurveFittingAssessor,
    "MEDIANSTOP": MedianStopAssessor,
}

DEFAULT = "MEDIAN"
"""What jobs get that name none."""


def make_stopper(name: str, goal: Goal, guards: Guards | None = None, **arguments: Any) -> Stopper:
    """Make the rule of that name, behind its guards; `DEFAULT` is DEFAULT's.

    Raises:
        ValueError: when the name is unknown, or an argument out of its range.
        TypeError: when the rule has no such argument.
    """
    name = DEFAULT if name == "DEFAULT" else name
    if name not in RULES:
        raise ValueError(f"unknown stopping rule {name!r}; known are {', '.join(RULES)}")
    guards = guards or Guards()
    if name in ("MEDIAN", "DECAY_CURVE"):
        # So many must have ended, and be comparable.
        arguments["min_peers"] = guards.min_finished
    return Stopper(RULES[name](goal, **arguments), guards)
