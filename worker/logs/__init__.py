"""Turns what a trial's processes print into log entries, while they run, from a cursor kept in the database.

`following.py` reads what is new of an attempt's output, `entries.py` cuts it into entries, `tracebacks.py`
says which lines are one Python traceback, `severity.py` what level a line names, `keeping.py` stores entries
and cursor together.
"""
