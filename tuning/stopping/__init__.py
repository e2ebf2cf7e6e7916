"""Stopping rules: when a running trial is not worth its slot any more. One rule a file.

`protocol.py` says what a rule is and what it decides; `finished_curves.py` keeps the learning curves that
rules compare with; `median.py` is the rule behind enableTrialEarlyStopping.
"""
