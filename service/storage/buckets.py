"""The routes of buckets (docs/contract.md 9.2)."""

import base64
import binascii
from itertools import islice
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api_schemas.errors import FieldViolation, InvalidArgument
from api_schemas.names import check_project_id
from service.answers import JsonAnswer
from service.storage.errors import invalid
from service.storage.house import Storage
from service.storage.parameters import page_size, path_part
from service.storage.wire import bucket_wire, read_resource, text_field


def bucket_routes(storage: Storage) -> list[Route]:
    """`/b` and `/b/{bucket}`."""
    buckets = storage.buckets

    async def create(request: Request) -> Response:
        project = _project(request)
        resource = await read_resource(request, storage.max_body_bytes)
        name = text_field(resource, "name")
        if not name:
            raise InvalidArgument([FieldViolation("name", "The bucket needs a name.")])
        bucket = await run_in_threadpool(buckets.create, name, project)
        return JsonAnswer(bucket_wire(request, bucket))

    def list_(request: Request) -> Response:
        project, prefix = _project(request), request.query_params.get("prefix", "")
        after, size = read_page_token(request.query_params.get("pageToken")), page_size(request.query_params)
        named = (each for each in buckets.list_of(project) if each.name.startswith(prefix))
        found = list(islice((each for each in named if each.name > after), size + 1))
        answer: dict[str, Any] = {"kind": "storage#buckets"}
        if found:
            answer["items"] = [bucket_wire(request, bucket) for bucket in found[:size]]
        if len(found) > size:
            answer["nextPageToken"] = make_page_token(found[size - 1].name)
        return JsonAnswer(answer)

    def get(request: Request) -> Response:
        return JsonAnswer(bucket_wire(request, buckets.get(path_part(request, "bucket"))))

    def delete(request: Request) -> Response:
        buckets.delete(path_part(request, "bucket"))
        return Response(status_code=204)

    return [
        Route("/b", create, methods=["POST"]),
        Route("/b", list_, methods=["GET"]),
        Route("/b/{bucket}", get, methods=["GET"]),
        Route("/b/{bucket}", delete, methods=["DELETE"]),
    ]


def make_page_token(last: str) -> str:
    """Where a page ended, for the next one to begin."""
    return base64.urlsafe_b64encode(last.encode()).decode()


def read_page_token(token: str | None) -> str:
    """
    Raises:
        InvalidArgument: the service gave no such token.
    """
    try:
        return base64.b64decode((token or "").encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise invalid("Invalid value for pageToken: it is none that this service gave.") from error


def _project(request: Request) -> str:
    project = request.query_params.get("project")
    if not project:
        raise invalid("Required parameter: project")
    check_project_id(project)
    return project
