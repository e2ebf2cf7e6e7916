"""The routes that make an object out of others (docs/contract.md 9.5): copy, rewrite and compose."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.answers import JsonAnswer
from service.storage.errors import invalid
from service.storage.house import Storage
from service.storage.parameters import check_generation, path_part, preconditions
from service.storage.wire import about_of, object_wire, read_resource, text_field
from store.objects.preconditions import ANYHOW, Preconditions
from store.objects.records import About, StoredObject
from store.objects.uploads import too_large

MAX_SOURCES = 32
"""Of one compose."""


def copy_routes(storage: Storage) -> list[Route]:
    """`copyTo`, `rewriteTo` and `compose`."""
    files = storage.files

    async def copy(request: Request) -> Response:
        return JsonAnswer(object_wire(request, await _copied(request)))

    async def rewrite(request: Request) -> Response:
        # Whole at the first call, so there is never a token to go on with.
        stored = await _copied(request)
        return JsonAnswer(
            {
                "kind": "storage#rewriteResponse",
                "totalBytesRewritten": str(stored.size),
                "objectSize": str(stored.size),
                "done": True,
                "resource": object_wire(request, stored),
            }
        )

    async def _copied(request: Request) -> StoredObject:
        given = await read_resource(request, storage.max_body_bytes)
        query = request.query_params

        def carry_out() -> StoredObject:
            source = files.get(path_part(request, "bucket"), path_part(request, "object"))
            check_generation(query, source, "sourceGeneration")
            preconditions(query, "ifSource").check(source)
            # Metadata is the source's unless the request has its own, all of it.
            about = about_of(given) if given else source.about
            target = (path_part(request, "to_bucket"), path_part(request, "to_object"))
            return concatenated([source], target, about, preconditions(query))

        return await storage.at_length(carry_out)

    async def compose(request: Request) -> Response:
        given = await read_resource(request, storage.max_body_bytes)
        query = request.query_params

        def carry_out() -> StoredObject:
            sources = [_source(path_part(request, "bucket"), each) for each in _sources(given)]
            destination = given.get("destination") or {}
            if not isinstance(destination, dict):
                raise invalid("Invalid value for destination: must be an object.")
            target = (path_part(request, "bucket"), path_part(request, "object"))
            return concatenated(sources, target, about_of(destination), preconditions(query))

        return JsonAnswer(object_wire(request, await storage.at_length(carry_out)))

    def _source(bucket: str, given: dict[str, Any]) -> StoredObject:
        source = files.get(bucket, text_field(given, "name") or "")
        conditions = given.get("objectPreconditions") or {}
        if not isinstance(conditions, dict):
            raise invalid("Invalid value for objectPreconditions: must be an object.")
        wanted = {
            str(each) for each in (given.get("generation"), conditions.get("ifGenerationMatch")) if each
        }
        for generation in wanted:
            if not generation.isascii() or not generation.isdigit():
                raise invalid("Invalid value for generation: must be a whole number.")
            Preconditions(generation=int(generation)).check(source)
        return source

    def concatenated(
        sources: Sequence[StoredObject],
        target: tuple[str, str],
        about: About,
        conditions: Preconditions = ANYHOW,
    ) -> StoredObject:
        if sum(source.size for source in sources) > storage.max_object_bytes:
            raise too_large(storage.max_object_bytes)
        with files.incoming() as partial:
            for source in sources:
                with files.open(source.bucket, source.name) as (_, content):
                    shutil.copyfileobj(content, partial.file, 2**20)
            partial.file.flush()
            return files.commit(*target, partial.path, replace(about, updated=None), conditions)

    one, other = "/b/{bucket}/o/{object}", "/b/{to_bucket}/o/{to_object}"
    return [
        Route(f"{one}/copyTo{other}", copy, methods=["POST"]),
        Route(f"{one}/rewriteTo{other}", rewrite, methods=["POST"]),
        Route(f"{one}/compose", compose, methods=["POST"]),
    ]


def _sources(given: dict[str, Any]) -> list[dict[str, Any]]:
    sources = given.get("sourceObjects")
    if not isinstance(sources, list) or not all(isinstance(each, dict) for each in sources):
        raise invalid("Invalid value for sourceObjects: must be a list of objects.")
    if not 1 <= len(sources) <= MAX_SOURCES:
        raise invalid(f"The number of source components must be from 1 to {MAX_SOURCES}.")
    return sources
