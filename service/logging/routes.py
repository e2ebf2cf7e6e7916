"""`POST /v2/entries:list` (docs/contract.md 10.3)."""

import time
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from sqlalchemy.orm import Session

from api_schemas.errors import FieldViolation, InvalidArgument
from api_schemas.log_entries import ListLogEntriesRequest, parse_list_entries
from service.answers import JsonAnswer
from service.config import DoorConfig
from service.logging.conditions import Wanted, wanted
from service.logging.entry_view import entry_wire
from service.logging.query import BadQuery, parse_query
from service.page_tokens import make_token, read_token
from service.request_parts import body_reader
from store.database import Database
from store.jobs import job_key
from store.log_entries import EntryPage, Place, Scope, read_log_entries

MAX_ROWS = 20_000
"""Entries that are looked at for one page. Beyond, a page comes with what was found, be it nothing."""
MAX_CHARACTERS = 4_000_000
"""Of the messages that are looked at for one page."""
MAX_SECONDS = 2.0
"""That are spent on one page, since some filters take long for each entry."""
SETTLED_SECONDS = 2.0
"""In the order of time, entries of several jobs are listed when they are this old: until then one may come
before them. For one job its lease sees to that."""


def log_routes(database: Database, config: DoorConfig) -> APIRouter:
    """The routes of the Logging API."""
    routes = APIRouter(prefix="/v2", default_response_class=JsonAnswer)
    Body = Annotated[bytes, Depends(body_reader(config.max_body_bytes))]

    @routes.post("/entries:list", summary="logging.entries.list")
    def list_entries(body: Body) -> JsonAnswer:
        request = parse_list_entries(body)
        try:
            asked = wanted(parse_query(request.filter))
        except BadQuery as problem:
            raise InvalidArgument([FieldViolation("filter", str(problem))]) from problem
        after = Place(*read_token(_list(request), request.page_token)) if request.page_token else None
        with database.read() as session:
            pages = [
                _page(session, project, asked, request, after, time.time()) for project in request.projects
            ]
        return JsonAnswer(_merged(pages, request))

    return routes


def _page(
    session: Session,
    project: str,
    asked: Wanted,
    request: ListLogEntriesRequest,
    after: Place | None,
    now: float,
) -> EntryPage:
    """One project's part of a page."""
    job_pk, high = None, asked.high
    if asked.job_id is not None:
        job_pk = job_key(session, project, asked.job_id)
        if job_pk is None:
            return EntryPage([], None)
    elif not request.descending:
        settled = int((now - SETTLED_SECONDS) * 1e9)
        high = settled if high is None else min(high, settled)
    scope = Scope(project, job_pk, asked.low, high, after, request.descending)
    share = len(request.projects)
    return read_log_entries(
        session,
        scope,
        asked.where,
        request.effective_page_size,
        MAX_ROWS // share,
        MAX_CHARACTERS // share,
        MAX_SECONDS / share,
    )


def _merged(pages: Sequence[EntryPage], request: ListLogEntriesRequest) -> dict[str, Any]:
    """The answer that several projects' parts make."""
    descending = request.descending
    entries = sorted(
        (entry for page in pages for entry in page.entries), key=lambda entry: entry.place, reverse=descending
    )
    reached = [page.reached for page in pages if page.reached is not None]
    bound = None
    if reached:
        # Beyond the least that a project was looked through, others' entries must wait.
        bound = max(reached) if descending else min(reached)
        entries = [e for e in entries if (e.place >= bound if descending else e.place <= bound)]
    if len(entries) > request.effective_page_size:
        entries = entries[: request.effective_page_size]
        bound = entries[-1].place
    answer: dict[str, Any] = {}
    if entries:
        answer["entries"] = [entry_wire(entry) for entry in entries]
    if bound is not None:
        answer["nextPageToken"] = make_token(_list(request), bound.time_ns, bound.id)
    return answer


def _list(request: ListLogEntriesRequest) -> tuple[object, ...]:
    """What tells a list from others, for its page tokens."""
    return ("log entries", sorted(request.projects), request.filter, request.descending)
