"""The routes that read, describe and delete objects (docs/contract.md 9.3, 9.5)."""

from dataclasses import replace
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.answers import JsonAnswer
from service.storage.buckets import make_page_token, read_page_token
from service.storage.errors import invalid
from service.storage.house import Storage
from service.storage.media import Content
from service.storage.parameters import check_etags, check_generation, page_size, path_part, preconditions
from service.storage.wire import about_of, etag, object_wire, read_resource
from store.objects.listing import Question, list_objects
from store.objects.records import About, StoredObject

NOT_SERVED = ("matchGlob", "softDeleted", "filter")
"""Parameters of a list that would leave something out; to ignore them would be a wrong answer."""


def object_routes(storage: Storage) -> list[Route]:
    """`/b/{bucket}/o` and `/b/{bucket}/o/{object}`."""
    files = storage.files

    def list_(request: Request) -> Response:
        query = request.query_params
        for name in NOT_SERVED:
            if query.get(name, "false") != "false":
                raise invalid(f"{name} is not served; leave it out.")
        question = Question(
            prefix=query.get("prefix", ""),
            delimiter=query.get("delimiter", ""),
            after=read_page_token(query.get("pageToken")),
            start=query.get("startOffset", ""),
            end=query.get("endOffset", ""),
            limit=page_size(query),
        )
        page = list_objects(files, path_part(request, "bucket"), question)
        answer: dict[str, Any] = {"kind": "storage#objects"}
        objects = [object_wire(request, each) for each in page.found if isinstance(each, StoredObject)]
        prefixes = [each for each in page.found if isinstance(each, str)]
        if objects:
            answer["items"] = objects
        if prefixes:
            answer["prefixes"] = prefixes
        if page.more:
            last = page.found[-1]
            answer["nextPageToken"] = make_page_token(last if isinstance(last, str) else last.name)
        return JsonAnswer(answer)

    def get(request: Request) -> Response:
        return content(request) if request.query_params.get("alt") == "media" else resource(request)

    def resource(request: Request) -> Response:
        stored = files.get(*_named(request))
        _check(request, stored)
        return JsonAnswer(object_wire(request, stored))

    def content(request: Request) -> Response:
        stored, file = files.open_now(*_named(request))
        try:
            _check(request, stored)
        except Exception:
            file.close()
            raise
        # Who has a part of what was there before must not get the rest of something else (RFC 9110, 13.1.5).
        is_continued = request.headers.get("if-range") in (None, f'"{etag(stored)}"')
        return Content(stored, file, request.headers.get("range") if is_continued else None)

    def delete(request: Request) -> Response:
        bucket, name = _named(request)
        conditions = preconditions(request.query_params)
        if request.query_params.get("generation"):
            found = files.get(bucket, name)
            check_generation(request.query_params, found)
            conditions.check(found)
            # Not one that takes its place meanwhile.
            conditions = replace(conditions, generation=found.generation)
        files.delete(bucket, name, conditions)
        return Response(status_code=204)

    async def change(request: Request) -> Response:
        """PATCH changes what it names; PUT sets everything that can be set."""
        given = await read_resource(request, storage.max_body_bytes)

        def changed(stored: StoredObject) -> About:
            check_generation(request.query_params, stored)
            about = stored.about
            if request.method == "PUT":
                about = About(md5=about.md5, crc32c=about.crc32c)
            return about_of(given, about)

        conditions = preconditions(request.query_params)
        stored = await run_in_threadpool(files.update, *_named(request), changed, conditions)
        return JsonAnswer(object_wire(request, stored))

    def _check(request: Request, stored: StoredObject) -> None:
        check_generation(request.query_params, stored)
        check_etags(request, etag(stored))
        preconditions(request.query_params).check(stored)

    one = "/b/{bucket}/o/{object}"
    return [
        Route("/b/{bucket}/o", list_, methods=["GET"]),
        Route(one, get, methods=["GET"]),
        Route(one, delete, methods=["DELETE"]),
        Route(one, change, methods=["PATCH", "PUT"]),
    ]


def _named(request: Request) -> tuple[str, str]:
    return path_part(request, "bucket"), path_part(request, "object")
