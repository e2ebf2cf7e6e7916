"""Stopping rules: when a running trial is not worth its slot any more. One rule a file.

* `protocol.py`         what a rule is, and what it decides
* `finished_curves.py`  the learning curves of ended trials, as rules compare with them
* `median.py`           the median rule
"""

from tuning.stopping.finished_curves import FinishedCurves
from tuning.stopping.protocol import StopDecision, StoppingRule

__all__ = ["FinishedCurves", "StopDecision", "StoppingRule"]
