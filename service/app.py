"""The application: its routes, its errors, its guard."""

from collections.abc import Callable

from fastapi import FastAPI

from service import openapi
from service.batch import batch_routes
from service.config import DoorConfig
from service.discovery import discovery_routes
from service.errors import add_error_handlers
from service.guard import Guard
from service.health import health_routes
from service.logging.routes import log_routes
from service.method_override import MethodOverride
from service.projects import project_routes
from service.storage.app import add_storage
from service.system_parameters import SystemParameters
from store.database import Database


def make_api(database: Database, config: DoorConfig, notify: Callable[[int], None]) -> FastAPI:
    """An ASGI application over a database whose schema is up to date.

    Args:
        notify: is told the key of every job that wants looking at; must not block or raise.
    """
    # The page at /docs would load scripts from elsewhere; a redirect would be an answer in no shape of ours.
    app = FastAPI(docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_middleware(SystemParameters)
    app.add_middleware(MethodOverride)
    app.add_middleware(Guard, allowed_hosts=config.allowed_hosts)
    add_error_handlers(app)
    app.openapi = openapi.document  # type: ignore[method-assign]
    routes = project_routes(database, config, notify)
    app.include_router(routes, prefix="/v1")
    # Some clients leave the version out (docs/contract.md 1.2).
    app.include_router(routes, include_in_schema=False)
    app.include_router(batch_routes(config.max_body_bytes))
    app.include_router(log_routes(database, config))
    app.include_router(discovery_routes())
    app.include_router(health_routes(database))
    add_storage(app, config)
    return app
