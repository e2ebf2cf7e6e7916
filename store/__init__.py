"""The truth: every job, trial, attempt, measurement and decision, in a SQL database.

`models.py` holds the tables, `states.py` the states and which may follow which, one repository per aggregate
(`jobs.py`, `trials.py`, `measurements.py`, `decisions.py`, `log_entries.py`) all the queries, `job_filter.py`
what clients filter by, `database.py` the connections and transactions, `migrations/` the schema's history.
Service and worker meet here and nowhere else. `objects/` is no part of the database: it keeps the files that
are behind gs://.

Times are seconds since the epoch, UTC. Those that decide who may act (leases) are read from the database's
own clock, so that the clocks of several machines need not agree.

May import `api_schemas`, and nothing else of ours.
"""
