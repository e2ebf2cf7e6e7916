"""The one method of the Logging API that clients of jobs need: entries.list (docs/contract.md 10).

A request goes from `routes.py` through `query.py`, which reads its filter, and `conditions.py`, which makes
SQL of that, to `store`; `entry_view.py` says how a stored entry looks on the wire.
"""
