"""The routes of projects.jobs (docs/contract.md 1.2 to 1.5)."""

import time
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api_schemas.job_filter import parse_job_filter
from api_schemas.parsing import parse_job, parse_patch
from service.answers import JsonAnswer
from service.config import DoorConfig
from service.create_job import accept_job
from service.ended_outputs import EndedOutputs
from service.job_view import job_wire, jobs_wire
from service.page_tokens import make_token, read_page_size, read_token
from service.patch import patch_job, read_patch_mask
from service.request_parts import JobId, Project, body_reader, no_such_job
from store.database import Database
from store.jobs import find_job, list_jobs, lock_job, request_cancel

FILTER_SECONDS = 1.0
"""How long a page may look for jobs that its filter is about; the next page goes on from there."""
CANCELLED_BY_USER = "The job was cancelled by its user."


def job_routes(database: Database, config: DoorConfig, notify: Callable[[int], None]) -> APIRouter:
    """Routes that tell `notify` the key of every job that wants looking at, after it is committed."""
    routes = APIRouter(prefix="/projects/{project}/jobs", default_response_class=JsonAnswer)
    ended = EndedOutputs()

    Body = Annotated[bytes, Depends(body_reader(config.max_body_bytes))]

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
        filter_: Annotated[str, Query(alias="filter")] = "",
    ) -> JsonAnswer:
        size = read_page_size(page_size)
        this_list = ("jobs", project, filter_)
        (before,) = read_token(this_list, page_token) if page_token else (None,)
        wanted = parse_job_filter(filter_)
        with database.read() as session:
            page = list_jobs(session, project, size, before, wanted, FILTER_SECONDS)
            answer: dict[str, object] = {}
            if page.jobs:
                answer["jobs"] = jobs_wire(session, page.jobs, ended)
            if page.next_before is not None:
                answer["nextPageToken"] = make_token(this_list, page.next_before)
        return JsonAnswer(answer)

    @routes.get("/{job_id}", summary="projects.jobs.get")
    def get(project: Project, job_id: JobId) -> JsonAnswer:
        with database.read() as session:
            job = find_job(session, project, job_id)
            if job is None:
                raise no_such_job(project, job_id)
            return JsonAnswer(job_wire(session, job))

    @routes.patch("/{job_id}", summary="projects.jobs.patch")
    def patch(
        project: Project,
        job_id: JobId,
        body: Body,
        update_mask: Annotated[str | None, Query(alias="updateMask")] = None,
    ) -> JsonAnswer:
        paths = read_patch_mask(update_mask)
        posted, given_etag = parse_patch(body)
        with database.write() as session:
            job = lock_job(session, project, job_id)
            if job is None:
                raise no_such_job(project, job_id)
            patch_job(job, paths, posted.labels, given_etag)
            answer = job_wire(session, job)
        return JsonAnswer(answer)

    @routes.post("/{job_id}:cancel", summary="projects.jobs.cancel")
    def cancel(project: Project, job_id: JobId, body: Body) -> JsonAnswer:
        # Its body is empty, or repeats the name; there is nothing in it to act on (docs/contract.md 1.5).
        with database.write() as session:
            job = lock_job(session, project, job_id)
            if job is None:
                raise no_such_job(project, job_id)
            changed = request_cancel(job, CANCELLED_BY_USER, time.time())
        if changed:
            notify(job.id)
        return JsonAnswer({})

    return routes
