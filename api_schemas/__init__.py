"""The wire: what clients and the service say to each other, as CONTRACT.md 1.7 to 2.8 has it.

    jobs, hyperparameters   the resources as frozen pydantic models; absent and default are the same, as in proto3
    enums, scalars          their values: enums by name or number, int64 as strings, durations, timestamps, bytes
    wire                    the base of every model, and `to_wire`: a model as canonical proto3 JSON
    parsing                 `parse_job`: the bytes of a request to a job that keeps every rule, or an error
    rules                   what is asked of a well-formed job: names, machine types, search space
    names                   ids of projects and jobs, labels
    values                  hyperparameter values as text
    locations               local paths and `file://`
    errors                  google.rpc errors, their status and their body

Imports nothing of ours, does no I/O and has no clock.
"""
