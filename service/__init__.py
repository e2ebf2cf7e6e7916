"""The door: HTTP in, HTTP out.

A request's data goes one way: `guard.py` (may it come in) -> routes (`jobs.py`, `health.py`: HTTP only) ->
rules (`create_job.py`, `resume.py`, `local_places.py`) -> `store`; and back through `job_view.py`, which says
how a stored job looks on the wire. `errors.py` gives every failure the google.rpc shape.

`projects.py` puts together what is below /projects: the jobs with `patch.py`, their policies (`iam.py`), and
what v1 had and is not served (`unserved.py`). `request_parts.py` reads what their requests have in common.
`logging/` lists the entries of jobs' logs; `storage/` serves the objects of gs://.

Before the routes, `system_parameters.py` reads what every method takes, such as the mask that `field_mask.py`
applies when `answers.py` sends an answer. `batch.py` takes many requests in one. `methods.py` is the table of
all methods, which `discovery.py` and `openapi.py` write down for clients.

May import `store`, `settings` and `api_schemas`; never `worker` or `tuning`. It tells the worker of a job
through a function it is given.
"""
