"""The routes of projects.jobs (docs/contract.md 1.2 to 1.5)."""

import time
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from api_schemas.errors import FieldViolation, InvalidArgument, NotFound, PayloadTooLarge
from api_schemas.names import check_project_id, job_id_problem, shortened
from api_schemas.parsing import parse_job
from service.answers import JsonAnswer
from service.config import DoorConfig
from service.create_job import accept_job
from service.job_view import job_wire
from service.page_tokens import make_token, read_page_size, read_token
from store.database import Database
from store.jobs import find_job, list_jobs, lock_job, request_cancel

CANCELLED_BY_USER = "The job was cancelled by its user."


def job_routes(database: Database, config: DoorConfig, notify: Callable[[int], None]) -> APIRouter:
    """Routes that tell `notify` the key of every job that wants looking at, after it is committed."""
    routes = APIRouter(prefix="/projects/{project}/jobs", default_response_class=JsonAnswer)

    async def read_body(request: Request) -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > config.max_body_bytes:
                limit = f"{config.max_body_bytes} bytes (VERNIER_MAX_BODY_BYTES)"
                raise PayloadTooLarge(f"The request body is larger than {limit}.")
        return bytes(body)

    Project = Annotated[str, Depends(_project)]
    JobId = Annotated[str, Depends(_job_id)]
    Body = Annotated[bytes, Depends(read_body)]

    @routes.post("", summary="projects.jobs.create")
    def create(project: Project, body: Body) -> JsonAnswer:
        posted = parse_job(body)
        with database.write() as session:
            job = accept_job(session, project, posted, config, time.time())
            answer = job_wire(session, job)
        notify(job.id)
        return JsonAnswer(answer)

    @routes.get("", summary="projects.jobs.list")
    def list_(
        project: Project,
        page_size: Annotated[str | None, Query(alias="pageSize")] = None,
        page_token: Annotated[str | None, Query(alias="pageToken")] = None,
        filter_: Annotated[str | None, Query(alias="filter")] = None,
    ) -> JsonAnswer:
        size = read_page_size(page_size)
        before = read_token(project, page_token) if page_token else None
        if filter_:
            raise InvalidArgument([FieldViolation("filter", "Filters are not served yet; leave it out.")])
        with database.read() as session:
            jobs = list_jobs(session, project, size + 1, before)
            answer: dict[str, object] = {}
            if jobs:
                answer["jobs"] = [job_wire(session, job) for job in jobs[:size]]
            if len(jobs) > size:
                answer["nextPageToken"] = make_token(project, jobs[size - 1].id)
        return JsonAnswer(answer)

    @routes.get("/{job_id}", summary="projects.jobs.get")
    def get(project: Project, job_id: JobId) -> JsonAnswer:
        with database.read() as session:
            job = find_job(session, project, job_id)
            if job is None:
                raise _not_found(project, job_id)
            return JsonAnswer(job_wire(session, job))

    @routes.post("/{job_id}:cancel", summary="projects.jobs.cancel")
    def cancel(project: Project, job_id: JobId, body: Body) -> JsonAnswer:
        # Its body is empty, or repeats the name; there is nothing in it to act on (docs/contract.md 1.5).
        with database.write() as session:
            job = lock_job(session, project, job_id)
            if job is None:
                raise _not_found(project, job_id)
            changed = request_cancel(job, CANCELLED_BY_USER, time.time())
        if changed:
            notify(job.id)
        return JsonAnswer({})

    return routes


def _project(project: str) -> str:
    check_project_id(project)
    return project


def _job_id(project: Annotated[str, Depends(_project)], job_id: str) -> str:
    # A name that no job can have is not looked for: PostgreSQL takes no NUL in a text.
    if job_id_problem(job_id) is not None:
        raise _not_found(project, job_id)
    return job_id


def _not_found(project: str, job_id: str) -> NotFound:
    return NotFound(f"There is no job projects/{project}/jobs/{shortened(job_id)}.")
