"""The search: parameter spaces, suggesters and stopping rules.

A library that could stand alone: it does no I/O but to load an algorithm, reads no clock, starts no thread
and imports nothing of ours, only NumPy, SciPy, threadpoolctl, Optuna and cmaes. Every decision is a function
of its arguments, so the same history and seed give the same decision after any restart.

Ask and tell, in ten lines:

>>> from tuning.space import Double, Scale, Space
>>> from tuning.study import Study
>>> space = Space((Double("lr", 1e-5, 1.0, Scale.UNIT_LOG_SCALE), Double("momentum", 0.0, 1.0)))
>>> study = Study(space, seed=1)
>>> for _ in range(30):
...     trial = study.ask()
...     loss = (trial.values["lr"] - 0.01) ** 2 + (trial.values["momentum"] - 0.9) ** 2
...     finished = study.tell(trial, loss)
>>> study.best.objective < 0.01
True

What stands where:

* `scale.py`       the four scales between a range and the unit interval
* `parameters.py`  the four kinds of parameter
* `space.py`       the space they span, and its points; the place to import all of these from
* `rules.py`       spaces with conditions and forbidden combinations
* `trials.py`      what a suggester is told: finished trials, pending trials, learning curves
* `endings.py`     where a learning curve will end, which suggesters and stopping rules ask
* `suggest/`       one algorithm a file, behind one protocol
* `stopping/`      when to end a running trial early
* `search.py`      what a search is, told in full
* `study.py`       ask and tell, over all of these
* `testing.py`     what every suggester promises, as tests for your own
"""
