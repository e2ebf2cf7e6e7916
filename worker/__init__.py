"""The hands: what makes jobs happen.

`tasks.py` is all the Celery there is, with `broker.py` and `inner_broker.py` for what it stands on;
`reconcile.py` decides what to do about one job and does it; `study.py` puts the search's questions;
`trial_spec.py` knows what a trial's process must see; `launchers/` run it; `metrics/` read what it writes,
`logs/` keep what it prints; `failures.py` says why it failed.

May import `store`, `tuning`, `settings` and `api_schemas`; never `service`: the two meet in the database.
"""
