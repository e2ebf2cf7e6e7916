"""Whether the service lives, and whether it can do its work."""

import structlog
from fastapi import APIRouter
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from api_schemas.errors import Unavailable
from service.answers import JsonAnswer
from store.database import Database

log = structlog.get_logger(__name__)


def health_routes(database: Database) -> APIRouter:
    """`/healthz`: the process answers. `/readyz`: it can reach its database."""
    routes = APIRouter(default_response_class=JsonAnswer)

    @routes.get("/healthz", summary="the process answers")
    def healthz() -> JsonAnswer:
        return JsonAnswer({"status": "ok"})

    @routes.get("/readyz", summary="the database answers")
    def readyz() -> JsonAnswer:
        try:
            with database.read() as session:
                session.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            log.warning("database away", exc_info=True)
            raise Unavailable("The database can't be reached.") from error
        return JsonAnswer({"status": "ready"})

    return routes
