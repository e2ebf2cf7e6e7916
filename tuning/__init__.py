"""The search: parameter spaces, suggesters and stopping rules.

A library that could stand alone: it does no I/O, reads no clock, starts no thread and imports nothing of
ours, only NumPy, SciPy, threadpoolctl and Optuna. Every decision is a function of its arguments, so the same
history and seed give the same decision after any restart.

Ask and tell, in ten lines:

>>> from tuning.space import Double, Scale, Space
>>> from tuning.suggest import make_suggester
>>> from tuning.trials import FinishedTrial, Goal, Outcome
>>> space = Space((Double("lr", 1e-5, 1.0, Scale.UNIT_LOG_SCALE), Double("momentum", 0.0, 1.0)))
>>> suggester = make_suggester("DEFAULT", space, Goal.MINIMIZE, seed=1)
>>> history: list[FinishedTrial] = []
>>> for number in range(30):
...     [values] = suggester.suggest(history, pending=(), count=1)
...     loss = (values["lr"] - 0.01) ** 2 + (values["momentum"] - 0.9) ** 2
...     history.append(FinishedTrial(number, values, Outcome.COMPLETED, objective=loss))
>>> min(trial.objective for trial in history) < 0.01
True

What stands where:

* `scale.py`       the four scales between a range and the unit interval
* `parameters.py`  the four kinds of parameter
* `space.py`       the space they span, and its points; the place to import all of these from
* `trials.py`      what a suggester is told: finished trials, pending trials, learning curves
* `suggest/`       one algorithm a file, behind one protocol
* `stopping/`      when to end a running trial early
"""
