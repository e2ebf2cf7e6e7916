"""The routes by which content comes in (docs/contract.md 9.4): at once, or piece by piece."""

import re
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.answers import JsonAnswer
from service.storage.errors import CLIENT_GONE, invalid
from service.storage.house import Storage
from service.storage.multipart import related
from service.storage.parameters import announced_checksums, base_url, path_part, preconditions
from service.storage.wire import (
    about_of,
    checksums_in,
    object_wire,
    parse_resource,
    read_resource,
    text_field,
)
from store.objects.checksums import Checksums
from store.objects.names import check_bucket, segments_of
from store.objects.records import StoredObject
from store.objects.uploads import Session, Upload, too_large

WRITE_BYTES = 2**20
RESUME_INCOMPLETE = 308
_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,19})-(\d{1,19})|\*)/(?:(\d{1,19})|\*)")


def upload_routes(storage: Storage) -> list[Route]:
    """`/b/{bucket}/o` below the prefixes of uploads."""
    files, uploads = storage.files, storage.uploads

    async def insert(request: Request) -> Response:
        kind = request.query_params.get("uploadType", "media")
        if kind == "media":
            resource: dict[str, Any] = {"contentType": request.headers.get("content-type")}
            return await _store(request, resource, request.stream())
        if kind == "multipart":
            body = related(request.headers.get("content-type", ""), request.stream())
            await body.read_head()
            resource = parse_resource(body.resource)
            resource.setdefault("contentType", body.content_type)
            return await _store(request, resource, body.content())
        if kind == "resumable":
            return await _begin(request)
        raise invalid(
            f"Invalid value for uploadType: '{kind[:80]}' is none of media, multipart and resumable."
        )

    async def _store(request: Request, resource: dict[str, Any], content: AsyncIterator[bytes]) -> Response:
        bucket, name = _target(request, resource)
        about, conditions = about_of(resource), preconditions(request.query_params)
        announced = _both(announced_checksums(request), checksums_in(resource))
        # Before gigabytes are received in vain.
        conditions.check(await run_in_threadpool(files.find, bucket, name))
        _check_size(request)
        with files.incoming() as incoming:
            written = 0

            def write(piece: bytes) -> None:
                nonlocal written
                written += len(piece)
                if written > storage.max_object_bytes:
                    raise too_large(storage.max_object_bytes)
                incoming.file.write(piece)

            await _written(content, write)
            await run_in_threadpool(incoming.file.flush)
            stored = await storage.at_length(
                partial(files.commit, bucket, name, incoming.path, about, conditions, announced)
            )
        return JsonAnswer(object_wire(request, stored))

    async def _begin(request: Request) -> Response:
        resource = await read_resource(request, storage.max_body_bytes)
        bucket, name = _target(request, resource)
        resource.setdefault("contentType", request.headers.get("x-upload-content-type"))
        size = request.headers.get("x-upload-content-length", "")
        session = Session(
            bucket,
            name,
            about_of(resource),
            preconditions(request.query_params),
            checksums_in(resource),
            int(size) if re.fullmatch(r"\d{1,19}", size, re.ASCII) else None,
        )
        upload_id = await run_in_threadpool(uploads.begin, session)
        where = f"{base_url(request)}{request.url.path}?uploadType=resumable&upload_id={upload_id}"
        return JsonAnswer({}, headers={"Location": where, "X-GUploader-UploadID": upload_id})

    async def resume(request: Request) -> Response:
        upload_id = request.query_params.get("upload_id", "")
        finished = await run_in_threadpool(uploads.finished, upload_id)
        if finished is not None:
            return JsonAnswer(object_wire(request, finished))
        with uploads.hold(upload_id) as upload:
            stored = await _take_in(request, upload)
            if stored is not None:
                return JsonAnswer(object_wire(request, stored))
            return _incomplete(upload)

    async def _take_in(request: Request, upload: Upload) -> StoredObject | None:
        """Write one piece; gives the object if that was the last."""
        first, last, size = _content_range(request)
        if size is not None:
            await run_in_threadpool(upload.expect, size)
        if first is not None:
            skip = upload.received - first
            if skip < 0:
                return None  # A piece before it is missing; the answer says from where on.

            def write(piece: bytes) -> None:
                nonlocal skip
                fresh = piece[skip:]
                skip = max(0, skip - len(piece))
                if last is not None and upload.received + len(fresh) > last + 1:
                    raise invalid("The body is longer than its Content-Range says.")
                if fresh:
                    upload.append(fresh)

            await _written(request.stream(), write)
            await run_in_threadpool(upload.keep)
        if size is None and last is None and first is not None:
            # All of it in one request, which says so by naming no range.
            await run_in_threadpool(upload.expect, upload.received)
        whole = upload.session.size is not None and upload.received == upload.session.size
        asked_only = first is None and size is None
        if not whole or asked_only:
            return None
        return await storage.at_length(partial(upload.finish, announced_checksums(request)))

    def drop(request: Request) -> Response:
        uploads.drop(request.query_params.get("upload_id", ""))
        return Response(status_code=CLIENT_GONE)

    def _check_size(request: Request) -> None:
        size = request.headers.get("content-length", "")
        if size.isdigit() and int(size) > storage.max_object_bytes + storage.max_body_bytes:
            raise too_large(storage.max_object_bytes)

    return [
        Route("/b/{bucket}/o", insert, methods=["POST"]),
        Route("/b/{bucket}/o", resume, methods=["PUT"]),
        Route("/b/{bucket}/o", drop, methods=["DELETE"]),
    ]


async def _written(content: AsyncIterator[bytes], write: Callable[[bytes], None]) -> None:
    """Hand content on in pieces that are worth a thread's while, also those before it breaks off."""
    held = bytearray()
    try:
        async for chunk in content:
            held += chunk
            if len(held) >= WRITE_BYTES:
                full, held = bytes(held), bytearray()
                await run_in_threadpool(write, full)
    finally:
        if held:
            await run_in_threadpool(write, bytes(held))


def _incomplete(upload: Upload) -> Response:
    headers = {"Content-Length": "0"}
    if upload.received:
        headers["Range"] = f"bytes=0-{upload.received - 1}"
    return Response(status_code=RESUME_INCOMPLETE, headers=headers)


def _content_range(request: Request) -> tuple[int | None, int | None, int | None]:
    """First byte, last byte and the size of the whole; the first is None if the request only asks.

    Raises:
        InvalidArgument: Content-Range is malformed.
    """
    header = request.headers.get("content-range")
    if header is None:
        return 0, None, None
    match = _CONTENT_RANGE.fullmatch(header.strip())
    if match is None:
        raise invalid(f"Invalid value for Content-Range: '{header[:80]}'.")
    first, last, size = (None if group is None else int(group) for group in match.groups())
    if first is not None and last is not None and (last < first or (size is not None and last >= size)):
        raise invalid(f"Invalid value for Content-Range: '{header[:80]}'.")
    return first, last, size


def _target(request: Request, resource: dict[str, Any]) -> tuple[str, str]:
    """Bucket and name of the object that a request is to make.

    Raises:
        InvalidArgument: it has no name.
        InvalidName
    """
    bucket = path_part(request, "bucket")
    name = request.query_params.get("name") or text_field(resource, "name")
    if not name:
        raise invalid("Required parameter: name")
    check_bucket(bucket)
    segments_of(name)
    return bucket, name


def _both(first: Checksums, second: Checksums) -> Checksums:
    return Checksums(first.md5 or second.md5, first.crc32c or second.crc32c)
