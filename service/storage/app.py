"""The storage API as an application of its own inside the service's."""

import time

from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from api_schemas.errors import Unimplemented
from service.answers import PRESENTATION, Presentation
from service.config import DoorConfig
from service.field_mask import parse_mask
from service.storage.buckets import bucket_routes
from service.storage.copies import copy_routes
from service.storage.errors import HANDLERS, answer_api_error, invalid
from service.storage.house import Storage
from service.storage.objects import object_routes
from service.storage.uploads import upload_routes
from store.objects.buckets import Buckets
from store.objects.files import ObjectFiles
from store.objects.uploads import Uploads

TOPS = ("/storage", "/upload", "/resumable", "/download", "/b")
"""Where its paths begin. Some clients leave out `/storage/v1`."""
NOT_OURS = "gs:// is Google Cloud Storage here (VERNIER_OBJECT_STORE=google); ask there."


def add_storage(app: Starlette, config: DoorConfig) -> None:
    """Serve the storage API beside what `app` serves."""
    storage: ASGIApp
    if config.objects_dir is None:
        storage = Elsewhere()
    else:
        storage = EncodedPaths(ExceptionMiddleware(Presented(_router(config)), handlers=HANDLERS))
    app.router.routes.extend(Mount(top, storage) for top in TOPS)
    # A mount begins behind the slash.
    app.router.routes.append(Route("/b", storage))


class EncodedPaths:
    """Routes by the path as it was sent: a slash in a name is encoded there, and does not end it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            root = scope.get("app_root_path", "")
            scope = {**scope, "path": scope["raw_path"].decode("ascii"), "root_path": root}
        await self._app(scope, receive, send)


class Presented:
    """Notes how a request wants its answer to look: `fields` and `prettyPrint` (docs/contract.md 1.1)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            query = QueryParams(scope["query_string"])
            try:
                mask = parse_mask(query["fields"]) if query.get("fields") else None
            except ValueError as error:
                raise invalid(f"Invalid value for fields: {error}") from error
            wanted = Presentation(mask, query.get("prettyPrint", "false").lower() == "true")
            scope = {**scope, "state": {**scope.get("state", {}), PRESENTATION: wanted}}
        await self._app(scope, receive, send)


class Elsewhere:
    """Says that the objects are not here."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await answer_api_error(Request(scope), Unimplemented(NOT_OURS))(scope, receive, send)


def _router(config: DoorConfig) -> Router:
    assert config.objects_dir is not None
    files = ObjectFiles(config.objects_dir)
    uploads = Uploads(files, config.max_object_bytes, config.max_open_uploads)
    uploads.remove_old(time.time())
    storage = Storage(
        files,
        Buckets(files),
        uploads,
        config.max_object_bytes,
        config.max_body_bytes,
    )
    described = [*bucket_routes(storage), *object_routes(storage), *copy_routes(storage)]
    sent = upload_routes(storage)
    routes: list[BaseRoute] = [
        Mount("/storage/v1", routes=described),
        Mount("/download/storage/v1", routes=object_routes(storage)),
        Mount("/upload/storage/v1", routes=sent),
        Mount("/resumable/upload/storage/v1", routes=sent),
        *described,
    ]
    return Router(routes, redirect_slashes=False)
