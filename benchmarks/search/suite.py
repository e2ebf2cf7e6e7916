"""The suite: fixed before any algorithm was tuned on it, in two halves with the same traits in each.

An algorithm may be tuned on TUNING alone. HELD_OUT is for reporting: whoever looks there to decide
something has no held-out tasks any more.
"""

from benchmarks.search.synthetic import TASKS
from benchmarks.search.tables import read
from benchmarks.search.task import Task

_FORMULAS = {task.name: task for task in TASKS}

TUNING: tuple[Task, ...] = (
    *(
        _FORMULAS[name]
        for name in ("branin", "hartmann-6", "levy-mixed", "learning-rate", "sparse-12", "staircase")
    ),
    *map(read, ("svc-digits", "boosting-cancer", "sgd-cancer", "kernel-diabetes", "linear-diabetes")),
)
HELD_OUT: tuple[Task, ...] = (
    *(
        _FORMULAS[name]
        for name in ("goldstein-price", "ackley", "rosenbrock", "valleys", "rastrigin", "borehole")
    ),
    *map(read, ("forest-diabetes", "network-digits", "neighbours-digits", "tree-cancer", "svr-diabetes")),
)
SUITES: dict[str, tuple[Task, ...]] = {"tuning": TUNING, "held-out": HELD_OUT, "all": TUNING + HELD_OUT}
