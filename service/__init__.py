"""The door: HTTP in, HTTP out.

A request's data goes one way: `guard.py` (may it come in) -> routes (`jobs.py`, `health.py`: HTTP only) ->
rules (`create_job.py`, `resume.py`, `local_places.py`) -> `store`; and back through `job_view.py`, which says
how a stored job looks on the wire. `errors.py` gives every failure the google.rpc shape.

May import `store`, `settings` and `api_schemas`; never `worker` or `tuning`. It tells the worker of a job
through a function it is given.
"""
