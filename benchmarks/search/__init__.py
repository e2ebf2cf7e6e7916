"""How good the best trial is after N trials: every search algorithm beside its peers, on one suite of tasks.

    python -m benchmarks.search run RESULTS [--contestants ...] [--tasks tuning|held-out|all] [--seeds 5]
    python -m benchmarks.search report RESULTS [--tasks ...] [--picture CURVES.svg]
    python -m benchmarks.search latency [CONTESTANT]
    python -m benchmarks.search stop RESULTS [--search DEFAULT] [--rules ...] [--seeds 5]

* `task.py`         what a task is, and normalised regret
* `synthetic.py`    tasks from formulas
* `tables.py`       tasks from real models, read from `tables/`; `tabulate.py` wrote those
* `suite.py`        all tasks, and which of them an algorithm may be tuned on
* `contestants.py`  the algorithms; each runs as a process of its own, a peer in an environment of its own
* `peers/`          what runs there: one file a library, which imports nothing of ours
* `running.py`      asks and tells
* `statistics.py`   medians, geometric means, bounds of the regret ratio
* `curves.py`       any-time curves as an SVG picture
* `latency.py`      what a suggestion costs
* `early_stopping.py`  what stopping rules save and cost, on the curves of `learning_curves/`;
                    `tabulate_curves.py` wrote those
"""
