"""The Python client: a thin, typed caller of the REST API.

    from client import VernierClient

    with VernierClient(project="local") as vernier:
        vernier.create_job({"jobId": "census_1", "trainingInput": {...}})
        job = vernier.wait("census_1")

`jobs.py` holds the calls, `log_entries.py` how a log is read, `transport.py` what a request goes through
(retries, address, decoding), `errors.py` what can go wrong, `resources.py` the shapes of the answers. Jobs
stay plain dicts, as the wire has them (docs/contract.md 2). Of ours, only `api_schemas` may be imported here.
"""

from client.errors import (
    Aborted,
    AlreadyExists,
    ClientError,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    ServiceFault,
    ServiceUnreachable,
    Unauthenticated,
    UnexpectedAnswer,
)
from client.jobs import MAX_PAGE_SIZE, TERMINAL_STATES, VernierClient
from client.resources import EarlyStopping, FieldViolation, Job, LogEntry, Metric, TrainingOutput, Trial

__all__ = [
    "MAX_PAGE_SIZE",
    "TERMINAL_STATES",
    "Aborted",
    "AlreadyExists",
    "ClientError",
    "EarlyStopping",
    "FailedPrecondition",
    "FieldViolation",
    "InvalidArgument",
    "Job",
    "LogEntry",
    "Metric",
    "NotFound",
    "PermissionDenied",
    "ResourceExhausted",
    "ServiceFault",
    "ServiceUnreachable",
    "TrainingOutput",
    "Trial",
    "Unauthenticated",
    "UnexpectedAnswer",
    "VernierClient",
]
