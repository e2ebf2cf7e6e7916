"""The wire: what Cloud ML Engine v1 clients send and are sent (docs/contract.md).

`jobs.py` and `hyperparameters.py` hold the messages, `scalars.py` and `enums.py` what they are made of.
`parsing.py` turns a request body into a message, or into an error that names every field at fault; the rules
beyond types are in `rules.py`. `wire.py` turns a message back into JSON. `errors.py` holds the google.rpc
errors, `values.py` how hyperparameter values are written, `locations.py` which URIs are local paths.

Imports nothing of ours.
"""
