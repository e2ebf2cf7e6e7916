"""The methods that are served (docs/contract.md 1.2, 10.3): one table, from which the documents are made.

The routes themselves are elsewhere; a test holds them against this table. `discovery.py` and `openapi.py`
write it down, `system_parameters.py` looks up which query parameters a request may have.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from re import Pattern

from starlette.routing import compile_path

from api_schemas.jobs import Job
from api_schemas.log_answers import ListLogEntriesResponse
from api_schemas.log_entries import ListLogEntriesRequest
from api_schemas.outputs import CancelJobRequest, Empty, JobAnswer, ListJobsResponse
from api_schemas.policies import (
    Policy,
    SetIamPolicyRequest,
    TestIamPermissionsRequest,
    TestIamPermissionsResponse,
)
from api_schemas.projects import GetConfigResponse
from api_schemas.scalars import Message


@dataclass(frozen=True)
class QueryParameter:
    """A parameter of the query; all are optional and given once at most."""

    name: str
    description: str
    type: str = "string"
    format: str | None = None
    values: Sequence[str] = ()
    """What it may be; empty: anything."""


@dataclass(frozen=True)
class Method:
    """One method: what it is called, where it is, what it takes and gives."""

    id: str
    verb: str
    path: str
    """With the `/v1`; what stands in braces are parts of the resource's name."""
    argument: str
    """What v1's discovery document calls the resource's name: `parent`, `name` or `resource`."""
    description: str
    response: type[Message]
    request: type[Message] | None = None
    query: tuple[QueryParameter, ...] = ()

    @cached_property
    def _patterns(self) -> list[Pattern[str]]:
        return [compile_path(path)[0] for path in (self.path, self.path.removeprefix("/v1"))]

    def is_at(self, verb: str, path: str) -> bool:
        """Whether a request with this verb and path is one of this method; the `/v1` may be left out."""
        return verb == self.verb and any(pattern.match(path) for pattern in self._patterns)


PROJECT = "/v1/projects/{project}"
JOBS = f"{PROJECT}/jobs"
JOB = f"{JOBS}/{{job_id}}"

# A name may hold a colon as far as a pattern sees, so what ends in `:verb` comes before what ends in a name.
METHODS = (
    Method(
        "projects.getConfig",
        "GET",
        f"{PROJECT}:getConfig",
        "name",
        "Tells the service accounts of a project. They are made up: nothing runs as them.",
        GetConfigResponse,
    ),
    Method(
        "projects.jobs.getIamPolicy",
        "GET",
        f"{JOB}:getIamPolicy",
        "resource",
        "Tells the policy of a job: only its etag, if none was set.",
        Policy,
        query=(
            QueryParameter(
                "options.requestedPolicyVersion",
                "The newest form of a policy that is understood: 0, 1 or 3. One with conditions needs 3.",
                "integer",
                "int32",
            ),
        ),
    ),
    Method(
        "projects.jobs.setIamPolicy",
        "POST",
        f"{JOB}:setIamPolicy",
        "resource",
        "Replaces the policy of a job, or the parts of it that updateMask names.",
        Policy,
        SetIamPolicyRequest,
    ),
    Method(
        "projects.jobs.testIamPermissions",
        "POST",
        f"{JOB}:testIamPermissions",
        "resource",
        "Tells which of these permissions the caller has; none, if there is no such job.",
        TestIamPermissionsResponse,
        TestIamPermissionsRequest,
    ),
    Method(
        "projects.jobs.cancel",
        "POST",
        f"{JOB}:cancel",
        "name",
        "Cancels a job. One that has ended stays as it is.",
        Empty,
        CancelJobRequest,
    ),
    Method(
        "projects.jobs.create",
        "POST",
        JOBS,
        "parent",
        "Creates a job, which is then queued.",
        JobAnswer,
        Job,
    ),
    Method(
        "projects.jobs.list",
        "GET",
        JOBS,
        "parent",
        "Lists the jobs of a project, the newest first.",
        ListJobsResponse,
        query=(
            QueryParameter("filter", "Which jobs are wanted, such as: jobId:census* AND state:FAILED"),
            QueryParameter(
                "pageSize", "How many at most: 20 if not given, never above 100.", "integer", "int32"
            ),
            QueryParameter("pageToken", "The nextPageToken of the page before."),
        ),
    ),
    Method(
        "projects.jobs.patch",
        "PATCH",
        JOB,
        "name",
        "Changes the labels of a job.",
        JobAnswer,
        Job,
        query=(
            QueryParameter(
                "updateMask",
                "What to change: labels. With etag besides, only if the job still has the etag of the body.",
                format="google-fieldmask",
            ),
        ),
    ),
    Method("projects.jobs.get", "GET", JOB, "name", "Tells a job, with its trials.", JobAnswer),
)
"""Those of v1 itself, in the order in which they are looked for."""

ENTRIES_LIST = Method(
    "logging.entries.list",
    "POST",
    "/v2/entries:list",
    "",
    "Lists what jobs print and what the service says of them.",
    ListLogEntriesResponse,
    ListLogEntriesRequest,
)
SERVED = (*METHODS, ENTRIES_LIST)


def method_of(verb: str, path: str) -> Method | None:
    """The method that a request is for; None if it is for none of these."""
    return next((method for method in SERVED if method.is_at(verb, path)), None)
