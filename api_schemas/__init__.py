"""The wire: what Cloud ML Engine v1 clients send and are sent (docs/contract.md).

`jobs.py` and `hyperparameters.py` hold the messages, `scalars.py` and `enums.py` what they are made of.
`parsing.py` turns a request body into a message, or into an error that names every field at fault; the rules
beyond types are in `rules.py`. `wire.py` turns a message back into JSON. `errors.py` holds the google.rpc
errors, `policies.py` and `policy_rules.py` who has which role, `filter_language.py` and `job_filter.py` the
filters of lists, `values.py` how hyperparameter values are written, `locations.py` which URIs are local
paths. `schemas.py` describes the messages for the documents that describe the API.

Imports nothing of ours.
"""
