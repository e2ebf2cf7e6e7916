"""Bayesian optimisation with a Gaussian process of our own: the default algorithm.

* `suggester.py`    the algorithm: how it begins, and what it does with a history
* `outcomes.py`     what each kind of trial teaches the model
* `features.py`     points as rows of numbers
* `model.py`        the Gaussian process
* `improvement.py`  what a point promises
* `maximum.py`      where that is largest
* `one_thread.py`   keeps linear algebra to one thread
"""

from tuning.suggest.bayesian.suggester import GaussianProcessSearch

__all__ = ["GaussianProcessSearch"]
