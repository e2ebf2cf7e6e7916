"""The application: its routes, its errors, its guard."""

from collections.abc import Callable

from fastapi import FastAPI

from service.config import DoorConfig
from service.errors import add_error_handlers
from service.guard import Guard
from service.health import health_routes
from service.jobs import job_routes
from store.database import Database


def make_api(database: Database, config: DoorConfig, notify: Callable[[int], None]) -> FastAPI:
    """An ASGI application over a database whose schema is up to date.

    Args:
        notify: is told the key of every job that wants looking at; must not block or raise.
    """
    app = FastAPI(title="Vernier", description="Training and hyperparameter tuning jobs", version="v1")
    app.add_middleware(Guard, allowed_hosts=config.allowed_hosts)
    add_error_handlers(app)
    routes = job_routes(database, config, notify)
    app.include_router(routes, prefix="/v1")
    # Some clients leave the version out (docs/contract.md 1.2).
    app.include_router(routes, include_in_schema=False)
    app.include_router(health_routes(database))
    return app
