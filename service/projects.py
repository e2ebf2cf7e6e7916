"""All that is below /projects: of the project itself, its jobs, their policies, and what is not served."""

import hashlib
from collections.abc import Callable

from fastapi import APIRouter

from api_schemas.projects import Config, GetConfigResponse
from api_schemas.wire import to_wire
from service.answers import JsonAnswer
from service.config import DoorConfig
from service.iam import iam_routes
from service.jobs import job_routes
from service.request_parts import Project
from service.unserved import unserved_routes
from store.database import Database

NUMBER_DIGITS = 12


def project_routes(database: Database, config: DoorConfig, notify: Callable[[int], None]) -> APIRouter:
    """Routes that tell `notify` the key of every job that wants looking at, after it is committed."""
    routes = APIRouter(default_response_class=JsonAnswer)

    @routes.get("/projects/{project}:getConfig", summary="projects.getConfig")
    def get_config(project: Project) -> JsonAnswer:
        return JsonAnswer(to_wire(_config(project)))

    # First those with a verb: `jobs/{job}` would take `a:getIamPolicy` for a job's name.
    routes.include_router(iam_routes(database, config))
    routes.include_router(job_routes(database, config, notify))
    routes.include_router(unserved_routes())
    return routes


def _config(project: str) -> GetConfigResponse:
    """Accounts made up from the project's id, always the same.

    They are of `.invalid`, which nobody can own (RFC 2606): a script that grants them access grants nothing.
    """
    digest = hashlib.sha256(project.encode()).digest()
    number = 10 ** (NUMBER_DIGITS - 1) + int.from_bytes(digest[:8], "big") % (9 * 10 ** (NUMBER_DIGITS - 1))
    return GetConfigResponse(
        service_account=f"service-{number}@vernier.invalid",
        service_account_project=number,
        config=Config(tpu_service_account=f"service-{number}@tpu.vernier.invalid"),
    )
