"""Policies of jobs, kept and given back (docs/contract.md 1.6). They decide nothing: here is one user."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from api_schemas.errors import Aborted, FieldViolation, InvalidArgument
from api_schemas.names import job_id_problem, shortened
from api_schemas.parsing import load_object, read_message, refuse
from api_schemas.policies import (
    DEFAULT_POLICY_MASK,
    Policy,
    SetIamPolicyRequest,
    TestIamPermissionsRequest,
)
from api_schemas.policy_rules import VERSIONS, policy_violations
from api_schemas.wire import to_wire
from service.answers import JsonAnswer
from service.config import DoorConfig
from service.etags import etag_of, is_etag
from service.request_parts import JobId, Project, body_reader, no_such_job, read_mask
from store.database import Database
from store.jobs import find_job, job_key, lock_job
from store.models import Job

PERMISSIONS = frozenset(
    f"ml.jobs.{verb}"
    for verb in ("cancel", "create", "get", "getIamPolicy", "list", "setIamPolicy", "update")
)
"""What there is to be allowed. Without authentication, every caller is allowed all of it."""
MAX_POLICY_BYTES = 64 * 1024
PATHS = {
    "version": ("version",),
    # The version says how bindings are to be read, so it comes with them.
    "bindings": ("bindings", "version"),
    "audit_configs": ("auditConfigs",),
    "etag": (),
}
"""{path of the mask: the fields of the stored policy that it replaces}."""


def iam_routes(database: Database, config: DoorConfig) -> APIRouter:
    routes = APIRouter(prefix="/projects/{project}/jobs", default_response_class=JsonAnswer)
    Body = Annotated[bytes, Depends(body_reader(config.max_body_bytes))]

    @routes.get("/{job_id}:getIamPolicy", summary="projects.jobs.getIamPolicy")
    def get_policy(
        project: Project,
        job_id: JobId,
        version: Annotated[str | None, Query(alias="options.requestedPolicyVersion")] = None,
    ) -> JsonAnswer:
        if version and version not in map(str, VERSIONS):
            wrong = f"Must be 0, 1 or 3; it is '{shortened(version)}'."
            raise InvalidArgument([FieldViolation("options.requested_policy_version", wrong)])
        with database.read() as session:
            job = find_job(session, project, job_id)
            if job is None:
                raise no_such_job(project, job_id)
            return JsonAnswer(_policy_wire(job))

    @routes.post("/{job_id}:setIamPolicy", summary="projects.jobs.setIamPolicy")
    def set_policy(project: Project, job_id: JobId, body: Body) -> JsonAnswer:
        request = read_message(load_object(body, "policy"), SetIamPolicyRequest, "")
        if request.policy is None:
            raise InvalidArgument([FieldViolation("policy", "Is needed; an empty one takes all roles away.")])
        paths = read_mask(request.update_mask or DEFAULT_POLICY_MASK, PATHS)
        with database.write() as session:
            job = lock_job(session, project, job_id)
            if job is None:
                raise no_such_job(project, job_id)
            _set(job, request.policy, paths)
            return JsonAnswer(_policy_wire(job))

    @routes.post("/{job_id}:testIamPermissions", summary="projects.jobs.testIamPermissions")
    def test_permissions(project: Project, job_id: str, body: Body) -> JsonAnswer:
        # The one method that takes its body to be empty when there is none, and a job to be there or not.
        request = read_message(load_object(body or b"{}", "permissions"), TestIamPermissionsRequest, "")
        for index, permission in enumerate(request.permissions):
            if "*" in permission:
                wrong = (
                    f"'{shortened(permission)}' has a wildcard; name each permission, such as ml.jobs.get."
                )
                raise InvalidArgument([FieldViolation(f"permissions[{index}]", wrong)])
        if job_id_problem(job_id) is not None:
            return JsonAnswer({})
        held = [each for each in dict.fromkeys(request.permissions) if each in PERMISSIONS]
        with database.read() as session:
            exists = job_key(session, project, job_id) is not None
        return JsonAnswer({"permissions": held} if held and exists else {})

    return routes


def _set(job: Job, policy: Policy, paths: frozenset[str]) -> None:
    """Replace what the mask's paths name; checks the policy that comes of it.

    Raises:
        Aborted: the policy's etag is in the mask, and not that of the job's policy.
        InvalidArgument: the policy would break a rule.
    """
    if "etag" in paths and policy.etag and not is_etag(policy.etag, _etag(job)):
        raise Aborted(
            f"The etag is not that of the policy of projects/{job.project}/jobs/{job.job_id}: it has been "
            "changed since. Read it again, and change what is there now."
        )
    given = to_wire(policy)
    replaced = {field for path in paths for field in PATHS[path]}
    changed = {field: value for field, value in (job.iam_policy or {}).items() if field not in replaced}
    changed |= {field: value for field, value in given.items() if field in replaced}
    refuse(policy_violations(Policy.model_validate(changed)))
    if len(json.dumps(changed)) > MAX_POLICY_BYTES:
        raise InvalidArgument([FieldViolation("policy", f"Is larger than {MAX_POLICY_BYTES} bytes.")])
    job.iam_policy = changed
    job.iam_version += 1


def _policy_wire(job: Job) -> dict[str, Any]:
    return {**(job.iam_policy or {}), "etag": _etag(job)}


def _etag(job: Job) -> str:
    """Changes whenever the policy is set."""
    return etag_of(f"{job.project}/{job.job_id}/policy/{job.iam_version}")
