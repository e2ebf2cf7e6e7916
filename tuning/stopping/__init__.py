"""Stopping rules: when a running trial is not worth its slot any more. One rule a file.

    stopper = make_stopper("MEDIAN", Goal.MINIMIZE, Guards(min_finished=5))
    finished.add(curve)                                     # of each trial that has ended
    decision = stopper.decide(running, finished, seconds=90)    # None: carry on

* `protocol.py`       what a rule is, and what it decides
* `curves.py`         the learning curves of ended trials, as rules compare with them
* `guards.py`         what holds for every rule: enough ended trials, enough reports, a time of grace
* `names.py`          the rules by name, with their arguments
* `audit.py`          how often stopping was wrong, from trials that were kept running

The rules: `median.py` (Vizier's), `decay_curve.py` (predicts ends), `asha.py` (successive halving),
`curve_fitting.py` and `median_stop.py` (NNI's two assessors).
"""

from tuning.stopping.curves import FinishedCurves
from tuning.stopping.guards import Guards, Stopper
from tuning.stopping.names import RULES, make_stopper
from tuning.stopping.protocol import StopDecision, StoppingRule

__all__ = [
    "RULES",
    "FinishedCurves",
    "Guards",
    "StopDecision",
    "Stopper",
    "StoppingRule",
    "make_stopper",
]
