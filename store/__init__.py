"""The truth: every job, trial, attempt, measurement and decision, in a SQL database.

`models.py` holds the tables, `states.py` the states and which may follow which, one repository per aggregate
(`jobs.py`, `trials.py`, `measurements.py`, `decisions.py`) all the queries, `database.py` the connections and
transactions, `migrations/` the schema's history. Service and worker meet here and nowhere else.

Times are seconds since the epoch, UTC. Those that decide who may act (leases) are read from the database's
own clock, so that the clocks of several machines need not agree.

May import `api_schemas`, and nothing else of ours.
"""
