"""Many requests in one: `POST /batch` with a multipart/mixed body, as googleapiclient sends it.

Each part is a request of its own (RFC 2046, media type application/http) and goes through the whole
application, its guard included; what becomes of one is nothing to the others. They are answered in their
order, and each answer is sent before the next request is looked at: however much they ask for, one answer is
held at a time.
"""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from email.errors import FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect
from email.message import Message as Headers
from http import HTTPStatus
from http.client import HTTPException as BadHeaders
from http.client import parse_headers
from io import BytesIO
from secrets import token_hex
from typing import Annotated

import httpx
from fastapi import APIRouter, Depends, Request
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp

from api_schemas.errors import ApiError, FieldViolation, InvalidArgument
from api_schemas.names import shortened
from service.answers import JsonAnswer
from service.content_type import media_type_and_boundary
from service.request_parts import body_reader

MAX_PARTS = 1000
"""As many as the client puts into one batch."""
MAX_BOUNDARY = 70
"""Characters (RFC 2046 5.1.1)."""
SERVED_BELOW = ("/v1/", "/v2/", "/projects/")
REQUEST_LINE = re.compile(rb"([A-Z]{1,16}) (/[\x21-\x7e]*)( HTTP/1\.[01])?")
NO_HEADER = (MissingHeaderBodySeparatorDefect, FirstHeaderLineIsContinuationDefect)
PLAIN_ENCODINGS = ("", "7bit", "8bit", "binary")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart body: its headers, and the request in it."""

    headers: Headers
    content: bytes


def batch_routes(max_body_bytes: int) -> APIRouter:
    """`/batch`, and the same below the API's name and version, as v1 had it too."""
    routes = APIRouter()
    Body = Annotated[bytes, Depends(body_reader(max_body_bytes))]

    @routes.post("/batch", summary="batch")
    @routes.post("/batch/ml/v1", summary="batch", include_in_schema=False)
    async def batch(request: Request, body: Body) -> StreamingResponse:
        parts = list(read_parts(request.headers.get("content-type", ""), body))
        boundary = f"batch_{token_hex(16)}"
        return StreamingResponse(
            _answers(request, parts, boundary), media_type=f'multipart/mixed; boundary="{boundary}"'
        )

    return routes


def read_parts(content_type: str, body: bytes) -> Iterator[Part]:
    """The parts of a multipart/mixed body.

    Not with `email`'s parser, which would go into parts that are multipart themselves, to any depth. Lines
    may end without a carriage return, since those of Google's own client do.

    Raises:
        InvalidArgument: it is not a multipart body, has no part or too many, or its end is missing.
    """
    media_type, boundary = media_type_and_boundary(content_type)
    if media_type != "multipart/mixed" or not 0 < len(boundary) <= MAX_BOUNDARY:
        raise _malformed("content_type", 'Must be multipart/mixed; boundary="…", of at most 70 characters.')
    delimiter = re.compile(
        rb"(?:\A|\r?\n)--" + re.escape(boundary.encode("latin-1", "replace")) + rb"(--)?[ \t]*(?=\r?\n|\Z)"
    )
    start: int | None = None
    for number, found in enumerate(delimiter.finditer(body)):
        if number > MAX_PARTS:
            raise _malformed("body", f"A batch has at most {MAX_PARTS} parts.")
        if start is not None:
            yield _part(body[start : found.start()])
        start = found.end()
        if found[1]:
            if number == 0:
                raise _malformed("body", "The batch has no part.")
            return
    raise _malformed("body", "The batch ends before its last boundary.")


def _part(raw: bytes) -> Part:
    stream = BytesIO(raw.removeprefix(b"\r").removeprefix(b"\n"))
    try:
        return Part(_headers(stream), stream.read())
    except BadHeaders as error:
        raise _malformed("body", f"A part's headers can't be read: {shortened(str(error))}.") from error


def _headers(stream: BytesIO) -> Headers:
    """The headers that a stream begins with; what follows them is left in it.

    Raises:
        BadHeaders: they are too many or too long, or a line of them is none.
    """
    headers = parse_headers(stream)
    if any(isinstance(defect, NO_HEADER) for defect in headers.defects):
        raise BadHeaders("a line is no header")
    return headers


async def _answers(outer: Request, parts: list[Part], boundary: str) -> AsyncIterator[bytes]:
    for part in parts:
        try:
            answer = await _answer(outer.app, inner_request(outer, part))
        except ApiError as error:
            refusal = JsonAnswer(error.body(), error.http_status)
            answer = httpx.Response(refusal.status_code, headers=refusal.headers, content=bytes(refusal.body))
        content_id = _content_id(part.headers)
        head = [
            f"--{boundary}",
            "Content-Type: application/http",
            *([f"Content-ID: {content_id}"] if content_id else []),
            "",
            f"HTTP/1.1 {answer.status_code} {HTTPStatus(answer.status_code).phrase}",
            *(f"{name.title()}: {value}" for name, value in answer.headers.items()),
            "",
            "",
        ]
        yield "\r\n".join(head).encode("latin-1") + answer.content + b"\r\n"
    yield f"--{boundary}--\r\n".encode()


async def _answer(app: ASGIApp, request: httpx.Request) -> httpx.Response:
    # An application that fails has answered that it did, and logged why, before it raises.
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    response = await transport.handle_async_request(request)
    await response.aread()
    return response


def inner_request(outer: Request, part: Part) -> httpx.Request:
    """The request in a part. What only the batch's own headers say, such as who asks, holds for it too.

    Raises:
        InvalidArgument: it is none, or for what is not served in a batch.
    """
    encoding = str(part.headers.get("Content-Transfer-Encoding", "")).strip().lower()
    if part.headers.get_content_type() != "application/http" or encoding not in PLAIN_ENCODINGS:
        raise _malformed("body", "A part must be of the type application/http, in no transfer encoding.")
    stream = BytesIO(part.content.lstrip(b"\r\n"))
    line = stream.readline().strip()
    found = REQUEST_LINE.fullmatch(line)
    if found is None:
        said = shortened(line.decode("latin-1"))
        raise _malformed("body", f"A part begins with a line such as 'GET /v1/… HTTP/1.1', not '{said}'.")
    try:
        url = httpx.URL(scheme=outer.url.scheme, host="batch", raw_path=found[2])
        headers = httpx.Headers({name: value for name, value in outer.headers.items() if _is_inherited(name)})
        headers.update({name: " ".join(value.split()) for name, value in _headers(stream).items()})
        headers.pop("content-length", None)  # The client counts characters, where bytes are meant.
        headers.pop("transfer-encoding", None)
        request = httpx.Request(found[1].decode(), url, headers=headers, content=stream.read())
    except (BadHeaders, httpx.InvalidURL, ValueError) as error:
        raise _malformed("body", f"A part is no request: {shortened(str(error))}.") from error
    # Only now are dots in the path resolved.
    if not url.path.startswith(SERVED_BELOW):
        known = ", ".join(SERVED_BELOW)
        raise _malformed(
            "body", f"In a batch only what is below {known} is served, not {shortened(url.path)}."
        )
    return request


def _is_inherited(name: str) -> bool:
    return not name.startswith("content-") and name not in ("transfer-encoding", "connection", "expect")


def _content_id(headers: Headers) -> str:
    """What the answer to a part is known by: `<response-x>` for `<x>`."""
    # A folded header has line breaks in it, and they would end ours.
    given = " ".join(str(headers.get("Content-ID", "")).split())
    if not given.isascii() or not given.isprintable():
        return ""
    return f"<response-{given[1:]}" if given.startswith("<") else f"response-{given}" if given else ""


def _malformed(field: str, why: str) -> InvalidArgument:
    return InvalidArgument([FieldViolation(field, why)])
